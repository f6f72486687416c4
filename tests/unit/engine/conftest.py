"""One event loop and one set of worker processes for all tests of the engine: workers are slow to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from qsched.drivers.workers import WorkerPool
from qsched.engine.places import LocalPlaces
from qsched.engine.preparation import Preparation
from tests.unit.engine.harness import FastClock, bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from qsched.api.backend import QuantumBackend
    from qsched.drivers.fake import FakeDriver
    from tests.unit.engine.harness import Start


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def preparation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Preparation]:
    workers = WorkerPool(1, environment={"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    yield Preparation(workers, LocalPlaces(tmp_path_factory.mktemp("places")))
    await workers.aclose()


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def start(preparation: Preparation, tmp_path: Path, clock: FastClock) -> Start:
    """Starts an engine: ``start(fake, backends)``; again for the next one on the same store."""

    def start(fake: FakeDriver, backends: Sequence[QuantumBackend], **more: Any) -> Any:
        more = {"preparation": preparation, **more}
        return bench(folder=tmp_path, fake=fake, backends=backends, clock=clock, **more)

    return start
