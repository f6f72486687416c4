"""Stage 2 for one job: transpiled for its best backends, and estimated from what it would really use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from qsched.engine.once import Once
from qsched.errors import CircuitError
from qsched.fleet.quality import quality
from qsched.scoring import Refined, refine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsched.api.calibration import Calibration
    from qsched.api.job import Execution
    from qsched.engine.backend import Backend
    from qsched.engine.preparation import Preparation, Prepared

_ENTRIES = 4096


class Fit(NamedTuple):
    """How a job fits a backend, by one calibration.

    Attributes:
        calibration_id: Of the calibration that it was transpiled for.
        refined: Stage 2 figures; None when qsched cannot map the job to the device.
        message: Why the job cannot run there; empty if it can, or if the provider may know how.
    """

    calibration_id: str
    refined: Refined | None
    message: str = ""


class Refinement:
    """Fits jobs to backends; equal circuits are fitted once for each calibration."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._fits: Once[Fit] = Once(_ENTRIES)

    async def fits(
        self, circuits: Sequence[Prepared], execution: Execution, backends: Iterable[Backend]
    ) -> dict[str, Fit]:
        """Fit a job to several backends at once; one without a calibration has nothing to be refined.

        Returns:
            The fits, by backend.
        """
        wanted = {each.name: each.calibration for each in backends if each.calibration is not None}
        found = await asyncio.gather(*(self._fit(circuits, execution, each) for each in wanted.values()))
        return dict(zip(wanted, found, strict=True))

    async def _fit(self, circuits: Sequence[Prepared], execution: Execution, calibration: Calibration) -> Fit:
        key = tuple(each.profile.hash for each in circuits), execution, calibration.id
        return await self._fits.get(key, lambda: self._make(circuits, execution, calibration))

    async def _make(
        self, circuits: Sequence[Prepared], execution: Execution, calibration: Calibration
    ) -> Fit:
        try:
            made = await asyncio.gather(
                *(self._preparation.transpile(circuit, calibration, execution) for circuit in circuits)
            )
        except CircuitError as error:
            return Fit(calibration.id, None, "" if execution.transpile == "Provider" else str(error))
        return Fit(calibration.id, refine([each.usage for each in made], quality(calibration)))
