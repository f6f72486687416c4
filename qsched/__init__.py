"""qsched: a scheduler for hybrid quantum-classical work.

```python
from qsched import Client

with Client.local() as client:
    job = client.submit("bell.qasm", shots=1000, objective="fidelity")
    print(job.result().circuits[0].counts)
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.errors import QschedError
from qsched.version import VERSION

if TYPE_CHECKING:
    from qsched.sdk import Client, Job

__version__ = VERSION
__all__ = ["Client", "Job", "QschedError", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the SDK when it is first used, so that ``import qsched`` costs nothing."""
    if name in {"Client", "Job"}:
        from qsched import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module 'qsched' has no attribute {name!r}")
