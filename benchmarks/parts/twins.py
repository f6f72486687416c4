"""Small jobs through twins, from submit to result, against Qiskit and Aer called directly.

Both sides run the same circuits for the same devices at the same level with the same shots, in blocks that
take turns; what either builds once (workers, noise, targets) is built before. A twin does more for it: it
schedules the circuit and relaxes qubits that idle.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from benchmarks.direct import build, run_directly
from benchmarks.scenarios.twin_jobs import SHOTS, SMALL_TWINS, TWINS, TwinJob, twin_jobs, warm_up_jobs
from qsched.api.job import Execution, Requirements
from qsched.sdk import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.direct import Model

    Side = Callable[[Sequence[TwinJob]], None]


class _Spent(NamedTuple):
    """Seconds that a block took, and processor seconds of this process and its workers meanwhile."""

    wall_s: float
    cpu_s: float


SEED = 11
BLOCKS = 4
_PATIENCE_S = 300.0


def run(*, quick: bool) -> dict[str, float]:
    """Seconds of each side, and their ratios.

    Args:
        quick: A fifth of the jobs, on small twins.
    """
    count, twins = (40, SMALL_TWINS) if quick else (200, TWINS)
    few = count // 10
    jobs = twin_jobs(few + count, twins, seed=SEED)
    size = count // BLOCKS
    blocks = [jobs[start : start + size] for start in range(few, few + count, size)]
    for backend in twins:
        build(backend)
    with ExitStack() as stack:
        pinned = partial(_submit_and_wait, stack.enter_context(_warm_client(twins)), pin=True)
        lean = partial(_loop, model="lean")
        pool = stack.enter_context(_warm_pool(twins))
        both = partial(_in_pool, pool)
        # The whole models take so long that a few jobs must do.
        few_s = _measure(pinned, jobs[:few]).wall_s
        whole_s = _measure(partial(_loop, model="whole"), jobs[:few]).wall_s
        spent = _in_turns({"qsched": pinned, "lean": lean, "both": both}, blocks)
    with _warm_client(twins) as client:
        free = _measure(partial(_submit_and_wait, client, pin=False), blocks[-1])
    qsched_s, lean_s, both_s = (
        sum(each.wall_s for each in spent[side]) for side in ("qsched", "lean", "both")
    )
    qsched_cpu_s, lean_cpu_s = (sum(each.cpu_s for each in spent[side]) for side in ("qsched", "lean"))
    return {
        "jobs": count,
        "jobs_per_s": count / qsched_s,
        "qsched_s": qsched_s,
        "direct_lean_s": lean_s,
        "direct_both_s": both_s,
        "ratio_whole": few_s / whole_s,
        "ratio_lean": qsched_s / lean_s,
        "ratio_cpu": qsched_cpu_s / lean_cpu_s,
        "ratio_both": qsched_s / both_s,
        "ratio_free": free.wall_s / spent["qsched"][-1].wall_s,
    }


def _in_turns(sides: dict[str, Side], blocks: Sequence[Sequence[TwinJob]]) -> dict[str, list[_Spent]]:
    """What each side spent for each block; the order turns round with every block."""
    spent: dict[str, list[_Spent]] = {name: [] for name in sides}
    order = list(sides)
    for block in blocks:
        for name in order:
            spent[name].append(_measure(sides[name], block))
        order.reverse()
    return spent


def _measure(side: Side, jobs: Sequence[TwinJob]) -> _Spent:
    started, cpu_s = time.perf_counter(), _cpu_s()
    side(jobs)
    return _Spent(time.perf_counter() - started, _cpu_s() - cpu_s)


def _cpu_s() -> float:
    """Processor seconds that this process and its living children have had."""
    this = psutil.Process()
    times = [each.cpu_times() for each in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _submit_and_wait(client: Client, jobs: Sequence[TwinJob], *, pin: bool) -> None:
    handles = [
        client.submit(
            job.circuit,
            name=job.name,
            shots=SHOTS,
            execution=Execution(optimization_level=job.level),
            requirements=Requirements(backends=[job.backend] if pin else []),
        )
        for job in jobs
    ]
    for handle in handles:
        handle.result(_PATIENCE_S, show_progress=False)


def _loop(jobs: Sequence[TwinJob], *, model: Model) -> None:
    for job in jobs:
        run_directly(job, model)


def _in_pool(pool: ProcessPoolExecutor, jobs: Sequence[TwinJob]) -> None:
    for _ in pool.map(partial(run_directly, model="lean", threads=1), jobs):
        pass


@contextmanager
def _warm_client(twins: Iterable[str]) -> Iterator[Client]:
    """A client whose workers have simulated something on every twin."""
    with tempfile.TemporaryDirectory() as folder, Client.local(store=Path(folder) / "qsched.db") as client:
        _submit_and_wait(client, warm_up_jobs(twins), pin=True)
        yield client


@contextmanager
def _warm_pool(twins: Iterable[str]) -> Iterator[ProcessPoolExecutor]:
    """Two processes that have built and simulated the same."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        _in_pool(pool, 2 * warm_up_jobs(twins))
        yield pool
