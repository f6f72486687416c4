"""Job mixes: real circuits' profiles, with shots and numbers of circuits drawn from a seed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.scenarios.scale import profiles
from benchmarks.simulation.scenario import BEGIN
from qsched.api.job import Circuit, JobSpec, Weights
from qsched.errors import InvalidInput
from qsched.scoring import JobRecord, build_jobs, estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.circuits.profile import Profile
    from qsched.fleet.snapshot import Fleet
    from qsched.scoring import JobColumns

LEAST_SUCCESS = 0.1
"""A circuit that no backend of the fleet does with this success is not sent: its user simulates it."""

SHOTS = (1000, 4000, 8000, 20_000)
SHOTS_SHARE = (0.4, 0.3, 0.2, 0.1)
CIRCUITS = (1, 5, 20, 50)
CIRCUITS_SHARE = (0.6, 0.15, 0.15, 0.1)
"""Roughly the jobs of Qonductor's artifact (arXiv:2408.04312): most have one circuit, a tenth 80 and more;
shots are 1,000 to 20,000; the median job takes 7 s and one in ten more than 3 minutes."""

_WEIGHTS = Weights(fidelity=0.5, wait=0.5, coherence=0.0, cost=0.0)


def mix(count: int, fleet: Fleet, rng: np.random.Generator, *, deadlines: float = 0.0) -> JobColumns:
    """Jobs that a fleet's users send, as they are when they come.

    Args:
        count: How many.
        fleet: The fleet; of MQT Bench's circuits of 3 to 27 qubits those are drawn that it can run.
        rng: Draws.
        deadlines: Share of the jobs that have to be done within 5 minutes to 5 hours.

    Raises:
        InvalidInput: The fleet can run none of the circuits.
    """
    palette = columns(profiles())
    found = estimate(palette, fleet)
    best = np.where(found.reasons == 0, found.success, 0).max(axis=1)
    useful = np.flatnonzero(best >= LEAST_SUCCESS)
    if not useful.size:
        raise InvalidInput(
            f"no backend of {', '.join(fleet.names)} runs any circuit of the mix with success "
            f"{LEAST_SUCCESS:g}; take a fleet with better or larger devices"
        )
    drawn = palette.take(rng.choice(useful, count).astype(np.int32))
    limited = rng.random(count) < deadlines
    allowed_s = np.where(limited, 10 ** rng.uniform(np.log10(300), np.log10(18_000), count), np.inf)
    return dataclasses.replace(
        drawn,
        shots=rng.choice(SHOTS, count, p=SHOTS_SHARE).astype(np.float32),
        circuits=rng.choice(CIRCUITS, count, p=CIRCUITS_SHARE).astype(np.float32),
        remaining_s=allowed_s.astype(np.float32),
    )


def columns(found: Sequence[Profile]) -> JobColumns:
    """One job of one circuit and 1,000 shots for each profile; half for fidelity, half for speed."""
    spec = JobSpec(circuits=[Circuit(name="c", qasm="OPENQASM 3.0;")], shots=1000, weights=_WEIGHTS)
    records = [JobRecord(name="job", spec=spec, profiles=[each], submitted_at=BEGIN) for each in found]
    return build_jobs(records, BEGIN)
