"""One part in a process of its own, so that no part measures what another left in memory or caches."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


class Part(Protocol):
    """A module of ``benchmarks.parts``."""

    SEED: int

    def run(self, *, quick: bool) -> Mapping[str, float]:
        """Measure, and return figures by name."""
        ...


class Run(NamedTuple):
    """What one part gave.

    Attributes:
        part: Its name.
        title: The first line of its docstring.
        seed: What its scenario was made from.
        seconds: How long it took.
        peak_bytes: The most memory that its process held.
        figures: What it measured.
        error: Why it failed; empty if it did not.
    """

    part: str
    title: str = ""
    seed: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    figures: Mapping[str, float] = {}
    error: str = ""


def run_part(name: str, *, quick: bool) -> Run:
    """Run a part; what it raises becomes the run's ``error``, so that the other parts still run."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(measure, name, quick).result()
        except Exception:  # noqa: BLE001 - also a process that was killed
            return Run(name, error=traceback.format_exc())


def measure(name: str, quick: bool) -> Run:  # noqa: FBT001 - called through a process pool
    """Run a part in this process."""
    module = import_module(f"benchmarks.parts.{name}")
    part = cast("Part", module)
    started = time.perf_counter()
    figures = dict(part.run(quick=quick))
    return Run(
        name,
        title=(module.__doc__ or name).splitlines()[0],
        seed=part.SEED,
        seconds=time.perf_counter() - started,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        figures=figures,
    )
