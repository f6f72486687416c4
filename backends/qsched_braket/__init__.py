"""The Amazon Braket drivers: the service's devices, and Braket's local simulators."""

from importlib.util import find_spec

# Braket's packages share the namespace "braket"; these two come with the SDK.
if find_spec("boto3") is None or find_spec("braket.aws") is None:
    raise ModuleNotFoundError("the package amazon-braket-sdk is not installed", name="braket")

from qsched_braket.driver import BraketDriver
from qsched_braket.local import LocalBraketDriver

__all__ = ["BraketDriver", "LocalBraketDriver"]
