"""The Python SDK: ``Client`` submits work, ``Job`` follows it."""

from qsched.sdk.client import Client
from qsched.sdk.job import Job

__all__ = ["Client", "Job"]
