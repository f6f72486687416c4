"""What a backend's ``parameters`` may say to the Aer driver."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from qsched.api.base import Declared


class AerParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the Aer driver; backends with equal ones share its worker processes.

    Attributes:
        workers: Worker processes, each simulating one task at a time; at most two, or the number of
            processors, when not said.
        threads: Threads of each worker; the processors divided by the workers when not said.
        memory_mb: Mebibytes that the state of one simulation may take.
    """

    workers: Annotated[int, Meta(ge=1, le=1024)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    memory_mb: Annotated[int, Meta(ge=1, le=2**30)] = 2048

    def worker_count(self, processors: int) -> int:
        """How many worker processes to use on a machine with that many processors."""
        return self.workers or min(2, processors)

    def thread_count(self, processors: int) -> int:
        """How many threads each worker may use."""
        return self.threads or max(1, processors // self.worker_count(processors))
