"""Stage 2 for one job: transpiled for its best backends, and estimated from what it would really use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from qsched.errors import CircuitError
from qsched.fleet.quality import quality
from qsched.scoring import Refined, refine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsched.api.job import Execution
    from qsched.engine.backends import Backend
    from qsched.engine.preparation import Preparation, Prepared


class Fit(NamedTuple):
    """How a job fits a backend, by one calibration.

    Attributes:
        calibration_id: Of the calibration that it was transpiled for.
        refined: Stage 2 figures; None when the job cannot be mapped to the device.
        message: Why it cannot.
    """

    calibration_id: str
    refined: Refined | None
    message: str = ""


async def fit_all(
    circuits: Sequence[Prepared],
    execution: Execution,
    backends: Iterable[Backend],
    preparation: Preparation,
) -> dict[str, Fit]:
    """Fit a job to several backends at once; those without a calibration have nothing to be refined."""
    calibrated = [backend for backend in backends if backend.calibration is not None]
    fits = await asyncio.gather(*(_fit(circuits, execution, each, preparation) for each in calibrated))
    return {backend.name: fit for backend, fit in zip(calibrated, fits, strict=True)}


async def _fit(
    circuits: Sequence[Prepared], execution: Execution, backend: Backend, preparation: Preparation
) -> Fit:
    calibration = backend.calibration
    assert calibration is not None
    try:
        made = await asyncio.gather(
            *(preparation.transpile(circuit, calibration, execution) for circuit in circuits)
        )
    except CircuitError as error:
        return Fit(calibration.id, None, str(error))
    return Fit(calibration.id, refine([each.usage for each in made], quality(calibration)))
