"""Placement against NSGA-II as Qonductor has it, on the same two objectives.

Mean completion time and mean error of the same jobs, backends and queues. Fronts are judged by hypervolume:
the objectives are scaled to the range of both fronts together, and the reference point is (1.1, 1.1). The
time is that of a whole front. NSGA-II is given each front once, the sweep the median of several before and
after it, because one takes some hundredths of a second.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from pymoo.indicators.hv import HV

from benchmarks import nsga2
from benchmarks.findings import Findings, Plot, Table
from benchmarks.progress import track
from benchmarks.scenarios.two_objectives import SIZES, Size, instance
from benchmarks.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 1
REFERENCE = 1.1
_LEAST_POINTS, _MOST_WORK = 6, 60_000  # the fewer the jobs and backends, the more settings in the same time
_REPEATS = 5  # before NSGA-II, and as often after it
_COLUMNS = [
    "size", "hypervolume qsched", "NSGA-II", "ratio", "ratio within NSGA-II's range", "qsched (s)",
    "NSGA-II (s)", "times faster", "in processor time", "schedules qsched", "NSGA-II",
]  # fmt: skip


class Comparison(msgspec.Struct, frozen=True):
    """Both fronts of an instance.

    Attributes:
        size: The instance's.
        qsched: Mean completion time in seconds and mean error of each setting.
        nsga2: The same of each schedule of NSGA-II's front.
        qsched_s: Wall seconds of a sweep, the median.
        nsga2_s: Wall seconds of NSGA-II.
        qsched_cpu_s: Processor seconds of a sweep, the median.
        nsga2_cpu_s: Processor seconds of NSGA-II.
    """

    size: Size
    qsched: list[tuple[float, float]]
    nsga2: list[tuple[float, float]]
    qsched_s: float
    nsga2_s: float
    qsched_cpu_s: float
    nsga2_cpu_s: float

    @property
    def hypervolumes(self) -> tuple[float, float]:
        """Of qsched and of NSGA-II, within the range of both."""
        fronts = np.array(self.qsched), np.array(self.nsga2).reshape(-1, 2)
        return _hypervolumes(*fronts, np.concatenate(fronts))

    @property
    def hypervolumes_within(self) -> tuple[float, float]:
        """The same within NSGA-II's range only: what lies beyond it counts for nothing."""
        fronts = np.array(self.qsched), np.array(self.nsga2).reshape(-1, 2)
        return _hypervolumes(*fronts, fronts[1] if self.nsga2 else fronts[0])


def run(*, quick: bool) -> Findings:
    """Hypervolumes and times of both at each size.

    Args:
        quick: The two smallest sizes.
    """
    sizes = SIZES[:2] if quick else SIZES
    hardest_first = sorted(sizes, key=lambda size: -size.jobs * size.backends)
    # Two at a time: NSGA-II takes minutes. Both sides of a size run in the same process, one after the other.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        compared = list(track(pool.map(compare, hardest_first), "two fronts of each size", len(sizes)))
    compared.sort(key=lambda each: sizes.index(each.size))
    volumes = [each.hypervolumes for each in compared]
    figures = {
        f"hypervolume_{each.size.name}": ours / max(theirs, 1e-12)
        for each, (ours, theirs) in zip(compared, volumes, strict=True)
    }
    return Findings(
        figures={
            "sizes": len(compared),
            "hypervolume": min(figures.values()),
            "speedup": min(each.nsga2_s / each.qsched_s for each in compared),
            "speedup_cpu": min(each.nsga2_cpu_s / each.qsched_cpu_s for each in compared),
        },
        tables=[_table(compared)],
        data={"compared": msgspec.to_builtins(compared)},
    )


def compare(size: Size) -> Comparison:
    """Both fronts of one size."""
    given = instance(size, seed=SEED)
    points = max(_LEAST_POINTS, round(_MOST_WORK / (size.jobs * size.backends**1.5)))
    sweep(given, points, seed=SEED)  # loads what is loaded once
    times = [_timed(lambda: sweep(given, points, seed=SEED)) for _ in range(_REPEATS)]
    theirs, nsga2_s, nsga2_cpu_s = _timed(lambda: nsga2.front(*given, seed=SEED))
    times += [_timed(lambda: sweep(given, points, seed=SEED)) for _ in range(_REPEATS)]
    return Comparison(
        size=size,
        qsched=times[0][0].objectives.tolist(),
        nsga2=theirs.objectives.tolist(),
        qsched_s=statistics.median(wall_s for _, wall_s, _ in times),
        qsched_cpu_s=statistics.median(cpu_s for _, _, cpu_s in times),
        nsga2_s=nsga2_s,
        nsga2_cpu_s=nsga2_cpu_s,
    )


def draw(data: dict[str, Any]) -> Iterator[Plot]:
    """The fronts, a panel for each size."""
    from matplotlib.figure import Figure

    compared = msgspec.convert(data["compared"], list[Comparison])
    columns = min(3, len(compared))
    rows = -(-len(compared) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for panel, each in zip(panels, compared, strict=False):
        for front, style in (
            (each.nsga2, {"label": "NSGA-II", "color": "0.55", "marker": ".", "linestyle": "none"}),
            (each.qsched, {"label": "qsched", "color": "C0", "marker": "o", "markersize": 4, "linewidth": 1}),
        ):
            panel.plot(*(np.array(front).reshape(-1, 2) / (60, 1)).T, **style)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("{x:g}")
        panel.set_title(_title(each.size), fontsize=9)
        panel.set_xlabel("mean completion time (min)")
        panel.set_ylabel("mean error")
        panel.grid(which="both", alpha=0.2)
    next(iter(figure.axes)).legend(frameon=False)
    yield Plot(
        "fronts",
        "Fronts of mean completion time and mean error; nearer to the lower left is better. "
        "qsched's points are settings of its one trade-off.",
        figure,
    )


def _timed(work: Callable[[], nsga2.Front]) -> tuple[nsga2.Front, float, float]:
    """What the work gives, its wall seconds and its processor seconds."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    made = work()
    return made, time.perf_counter() - wall_s, time.process_time() - cpu_s


def _hypervolumes(ours: Floats, theirs: Floats, within: Floats) -> tuple[float, float]:
    low, range_ = within.min(axis=0), np.maximum(np.ptp(within, axis=0), 1e-12)
    indicator = HV(ref_point=np.full(2, REFERENCE))
    mine, other = (
        float(indicator((front - low) / range_)) if len(front) else 0.0 for front in (ours, theirs)
    )
    return mine, other


def _title(size: Size) -> str:
    return f"{size.jobs} jobs, {size.backends} backends" + (", 2 to 27 qubits" if size.wide else "")


def _table(compared: list[Comparison]) -> Table:
    rows: list[list[str | float | int | None]] = []
    for each in compared:
        (ours, theirs), (ours_within, theirs_within) = each.hypervolumes, each.hypervolumes_within
        rows.append(
            [
                _title(each.size),
                ours,
                theirs,
                ours / max(theirs, 1e-12),
                ours_within / max(theirs_within, 1e-12),
                each.qsched_s,
                each.nsga2_s,
                each.nsga2_s / each.qsched_s,
                each.nsga2_cpu_s / each.qsched_cpu_s,
                len(each.qsched),
                len(each.nsga2),
            ]
        )
    return Table(
        title="Two objectives: qsched's trade-off and NSGA-II",
        columns=_COLUMNS,
        rows=rows,
        note="Hypervolume with the objectives scaled to the range of both fronts, reference (1.1, 1.1). "
        "NSGA-II as in Qonductor's artifact, its objectives evaluated for a whole population at once.",
    )
