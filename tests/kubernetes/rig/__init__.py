"""A real Kubernetes for the tests, of pinned Go programs: control plane, fake nodes, a real node, faults.

```python
with Cluster(folder, binaries()) as cluster:
    cluster.install_crds()
    cluster.kubectl("apply", "-f", "examples/ghz.yaml")
```

Everything runs on loopback (or in the network namespace of a node), with certificates of its own authority,
and ends with the ``with`` block, or with this process at the latest. Tests take it from the fixtures of
``tests/kubernetes/conftest.py``; people from ``make cluster``.
"""

from tests.kubernetes.rig.audit import Entry
from tests.kubernetes.rig.build import binaries
from tests.kubernetes.rig.cluster import Cluster
from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.go import NoGo

__all__ = ["Cluster", "Entry", "NoGo", "RigError", "binaries"]
