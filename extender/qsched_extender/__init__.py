"""The scheduler extender: where the classical pods of hybrid jobs go.

kube-scheduler asks it about pods that request ``qsched.io/qpu``. It knows the pod's backend from the pod or
its job, and answers with the nodes that reach that backend best. It reads its watch cache only, keeps nothing
of its own but whose turn it is, and never calls a provider.
"""

from qsched_extender.decisions import Limits
from qsched_extender.server import Settings, serve
from qsched_extender.tls import Tls

__all__ = ["Limits", "Settings", "Tls", "serve"]
