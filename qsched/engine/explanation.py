"""What the scheduler would make of jobs now, with the numbers that it would use itself."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qsched.engine.refusal import is_permanent, refusal
from qsched.engine.results import check_writable, result_uri
from qsched.engine.scored import score
from qsched.errors import CircuitError, InvalidInput, Problem, ResultError
from qsched.scoring import JobRecord, explain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.api.job import QuantumCircuitJob, Verdict
    from qsched.engine.assembly import Workshop
    from qsched.engine.preparation import Prepared


async def explain_job(parts: Workshop, job: QuantumCircuitJob) -> list[Verdict]:
    """Every backend's verdict, best first; the best few by stage 2, as in a cycle.

    Raises:
        CircuitError: If a circuit cannot be read.
    """
    await parts.backends.refresh()
    circuits = await parts.preparation.prepare(job)
    fleet = parts.backends.fleet()
    record = _record(job, circuits, fleet.now)
    first = [each for each in explain(record, fleet) if each.feasible]
    near = [
        parts.backends.get(each.backend)
        for each in first[: parts.settings.refine_k]
        if each.score >= first[0].score - parts.settings.refine_margin
    ]
    fits = await parts.refinement.fits(circuits, job.spec.execution, near)
    return explain(
        record, fleet, {name: fit.refined for name, fit in fits.items() if fit.refined is not None}
    )


async def current_backends(parts: Workshop) -> list[QuantumBackend]:
    """The fleet with what is known of each backend now."""
    await parts.backends.refresh()
    return parts.backends.manifests()


async def submission_errors(parts: Workshop, jobs: Sequence[QuantumCircuitJob]) -> list[list[Problem]]:
    """What would keep each job from ever ending well, beyond its fields.

    Returns:
        One list a job: circuits that cannot be read, a result location that cannot be written, no backend
        that could ever run it.
    """
    await parts.backends.refresh()
    fleet = parts.backends.fleet()
    found = await asyncio.gather(*(_read(parts, job) for job in jobs))
    fine = [index for index, (_, circuits) in enumerate(found) if circuits]
    scored = score([_record(jobs[index], found[index][1], fleet.now) for index in fine], fleet)
    for row in np.flatnonzero((scored.estimates.reasons != 0).all(axis=1)).tolist():
        if scored.jobs.remaining_s[row] <= 0 or is_permanent(scored, row, {}):
            found[fine[row]][0].append(
                Problem("spec", refusal(scored.verdicts(row), {}, jobs[fine[row]].spec.requirements.backends))
            )
    return [problems for problems, _ in found]


async def _read(parts: Workshop, job: QuantumCircuitJob) -> tuple[list[Problem], tuple[Prepared, ...]]:
    """What is wrong with a job's circuits and place for results; and its circuits, if they can be read."""
    problems = [*_of_a_cluster(job), *_unknown_backends(parts, job)]
    if job.spec.result.uri is not None:
        try:
            await asyncio.to_thread(check_writable, result_uri(job, Path()))
        except InvalidInput as error:
            problems += error.problems
    circuits: list[Prepared] = []
    for index, circuit in enumerate(job.spec.circuits):
        where = f"spec.circuits[{index}].{'uri' if circuit.qasm is None else 'qasm'}"
        try:
            circuits.append(await parts.preparation.prepare_one(circuit, job.metadata.namespace or "default"))
        except CircuitError as error:
            problems += (dataclasses.replace(each, where=where) for each in error.problems)
        except ResultError as error:
            problems.append(Problem(where, str(error)))
    return problems, () if problems else tuple(circuits)


def _unknown_backends(parts: Workshop, job: QuantumCircuitJob) -> list[Problem]:
    """A job that names none but backends that the fleet does not have would wait for ever."""
    wanted = job.spec.requirements.backends
    known = [backend.name for backend in parts.backends]
    if not wanted or any(name in known for name in wanted):
        return []
    near = difflib.get_close_matches(wanted[0], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
    return [Problem("spec.requirements.backends[0]", f"there is no backend {wanted[0]!r}; {hint}")]


def _of_a_cluster(job: QuantumCircuitJob) -> list[Problem]:
    """What only the controller on Kubernetes can do; here it would be passed over in silence."""
    problems = []
    if job.spec.classical is not None:
        message = "pods run on Kubernetes only; leave it out, and call qsched from your program"
        problems.append(Problem("spec.classical", message))
    if job.spec.managed_by is not None:
        message = "names another controller, and there is none on one machine; leave it out"
        problems.append(Problem("spec.managedBy", message))
    return problems


def _record(job: QuantumCircuitJob, circuits: Sequence[Prepared], now: dt.datetime) -> JobRecord:
    submitted_at = job.status.submitted_at or now
    return JobRecord(
        name=job.metadata.name,
        spec=job.spec,
        profiles=[each.profile for each in circuits],
        submitted_at=submitted_at,
    )
