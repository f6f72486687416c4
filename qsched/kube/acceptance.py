"""From a job object to a declaration that the engine may work on.

The API server has checked most of it by the CRD's schema and CEL rules. What is checked here is what those
cannot say, and what matters in a cluster: where a controller may read and write on a user's behalf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qsched.api.base import API_VERSION, ObjectMeta
from qsched.api.check import check
from qsched.api.job import JobSpec, JobStatus, Placement, QuantumCircuitJob
from qsched.api.manifest import validate_job
from qsched.api.paths import field_path
from qsched.api.quantities import utc
from qsched.api.rules import submission_problems
from qsched.engine.object_stores import prepare
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qsched.kube.objects import JobObject

SCHEMES = ("s3", "gs", "az", "abfs", "https")
"""Where jobs may have the controller read and write by default: never its own files."""

MAX_SPEC_BYTES = 1_000_000
"""etcd takes about 1.57 MB for the whole object."""

_specs = msgspec.json.Decoder(JobSpec)
_placements = msgspec.json.Decoder(Placement)


def accept(job: JobObject, now: float | None, schemes: Collection[str] = SCHEMES) -> QuantumCircuitJob:
    """The declaration of a job object.

    Args:
        job: The object.
        now: Unix time when it is accepted for the first time; None for one that was accepted before, which
            is not refused because time has passed.
        schemes: The kinds of URI that jobs may name.

    Raises:
        InvalidInput: With everything that is wrong with it.
    """
    declared = QuantumCircuitJob(
        metadata=_metadata(job), spec=_spec(job), status=JobStatus(placement=_placement(job))
    )
    bare = QuantumCircuitJob(metadata=ObjectMeta(name=declared.metadata.name), spec=declared.spec)
    problems = [*validate_job(bare), *_out_of_bounds(declared.spec, schemes)]
    if len(bytes(job.spec)) > MAX_SPEC_BYTES:
        message = f"is larger than {MAX_SPEC_BYTES:,} bytes, which leaves no room for a status"
        problems.append(Problem("spec", f"{message}; keep circuits in ConfigMaps or at URIs"))
    if now is not None:
        problems += submission_problems(declared, utc(now))
    if problems:
        raise InvalidInput(problems)
    return declared


def _spec(job: JobObject) -> JobSpec:
    try:
        return _specs.decode(job.spec)
    except msgspec.ValidationError:
        plain = {
            "apiVersion": API_VERSION,
            "kind": "QuantumCircuitJob",
            "metadata": {"name": job.metadata.name},
            "spec": msgspec.json.decode(job.spec),
        }
        found = check(plain, QuantumCircuitJob)
        if not isinstance(found, list):
            return found.spec
        raise InvalidInput([Problem(field_path(each.path), each.message) for each in found]) from None


def _metadata(job: JobObject) -> ObjectMeta:
    meta = job.metadata
    return ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        labels=meta.labels or {},
        annotations=meta.annotations or {},
        creation_timestamp=meta.creation_timestamp,
    )


def _placement(job: JobObject) -> Placement | None:
    """The placement that an earlier controller stored; one that cannot be read is made anew."""
    if not bytes(job.status.placement):
        return None
    try:
        return _placements.decode(job.status.placement)
    except msgspec.ValidationError:
        return None


def _out_of_bounds(spec: JobSpec, schemes: Collection[str]) -> Iterator[Problem]:
    """URIs that would have the controller touch what is its own."""
    places = [(f"spec.circuits[{index}].uri", circuit.uri) for index, circuit in enumerate(spec.circuits)]
    places.append(("spec.result.uri", spec.result.uri))
    for where, uri in places:
        if uri is None:
            continue
        if _scheme(uri) not in schemes:
            known = ", ".join(f"{scheme}://" for scheme in schemes)
            yield Problem(where, f"{_scheme(uri)}:// is not for jobs of this cluster; use {known}")
        elif missing := _missing_library(_scheme(uri)):
            yield Problem(where, f"{_scheme(uri)}:// cannot be used here: {missing}")


def _scheme(uri: str) -> str:
    return uri.partition("://")[0]


def _missing_library(scheme: str) -> str:
    """Why this installation cannot read or write such URIs; empty if it can."""
    try:
        prepare(scheme)
    except (ImportError, ValueError) as error:
        return f"{error}; the controller's image lacks it"
    return ""
