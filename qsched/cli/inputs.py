"""What the user hands over: manifests, or circuit files that become jobs of one circuit."""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from qsched.api.job import QuantumCircuitJob, Requirements
from qsched.api.manifest import read_manifest_file, validate_job
from qsched.errors import InvalidInput, Problem
from qsched.sdk.work import declare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CIRCUIT_SUFFIXES = frozenset({".qasm", ".qpy"})
MAX_CIRCUIT_BYTES = 1_000_000


def read_jobs(
    files: Sequence[Path],
    *,
    namespace: str | None,
    shots: int | None,
    objective: str | None,
    backends: Sequence[str],
) -> list[QuantumCircuitJob]:
    """The jobs of all files, in order.

    Args:
        files: Manifests ("-" is standard input), OpenQASM or QPY files.
        namespace: For jobs that name none; a job that names another is refused.
        shots: For circuit files only.
        objective: For circuit files only.
        backends: The only backends that may run the circuits; for circuit files only.

    Raises:
        InvalidInput: With every problem of every file.
    """
    jobs: list[QuantumCircuitJob] = []
    problems: list[Problem] = []
    for file in files:
        try:
            if file.suffix.lower() in CIRCUIT_SUFFIXES:
                jobs.append(_circuit_job(file, shots, objective, backends))
            elif shots is not None or objective is not None or backends:
                hint = "--shots, --objective and --backend are for circuit files; change the manifest"
                problems.append(Problem("", hint, str(file)))
            else:
                jobs += _manifest_jobs(file)
        except InvalidInput as error:
            problems += error.problems
    jobs = [_in_namespace(job, namespace, problems) for job in jobs]
    problems += _twice(jobs)
    if problems:
        raise InvalidInput(problems)
    return jobs


@contextmanager
def naming(files: Sequence[Path]) -> Iterator[None]:
    """Put the file's name to problems that are found later, if all come from one circuit file.

    Lines of a circuit are lines of its file; those of a circuit in a manifest are not.
    """
    try:
        yield
    except InvalidInput as error:
        if len(files) != 1 or files[0].suffix.lower() not in CIRCUIT_SUFFIXES:
            raise
        found = [
            dataclasses.replace(problem, file=problem.file or str(files[0])) for problem in error.problems
        ]
        raise InvalidInput(found) from error


def _manifest_jobs(file: Path) -> list[QuantumCircuitJob]:
    jobs = []
    for declared in read_manifest_file(file):
        if not isinstance(declared, QuantumCircuitJob):
            name = declared.metadata.name
            raise InvalidInput(
                Problem(
                    "", f"QuantumBackend {name} is not a job; hand it over with --fleet {file}", str(file)
                )
            )
        jobs.append(declared)
    if not jobs:
        raise InvalidInput(Problem("", "there is no job in this file", str(file)))
    return jobs


def _circuit_job(
    file: Path, shots: int | None, objective: str | None, backends: Sequence[str]
) -> QuantumCircuitJob:
    """A job of one circuit, named after its file with a suffix, so that a file can be run again."""
    _check_circuit_file(file)
    options: dict[str, object] = {"shots": shots, "objective": objective}
    if backends:
        options["requirements"] = Requirements(backends=list(backends))
    try:
        job = declare(file, name=None, folder=file.parent, options=options)
        problems = validate_job(job)
    except InvalidInput as error:
        problems = error.problems
    if problems:
        raise InvalidInput(
            [dataclasses.replace(problem, file=problem.file or str(file)) for problem in problems]
        )
    return job


def _check_circuit_file(file: Path) -> None:
    if not file.is_file():
        raise InvalidInput(
            Problem("", "is not a file" if file.exists() else "there is no such file", str(file))
        )
    size = file.stat().st_size
    if file.suffix.lower() == ".qasm" and size > MAX_CIRCUIT_BYTES:
        rule = f"has {size:,} bytes; at most {MAX_CIRCUIT_BYTES:,} fit a job: save it as QPY"
        raise InvalidInput(Problem("", rule, str(file)))


def _in_namespace(
    job: QuantumCircuitJob, namespace: str | None, problems: list[Problem]
) -> QuantumCircuitJob:
    if namespace is None:
        return job
    own = job.metadata.namespace
    if own not in {None, namespace}:
        message = f"job {job.metadata.name} says {own!r}, the command line {namespace!r}; leave one out"
        problems.append(Problem("metadata.namespace", message))
    metadata = msgspec.structs.replace(job.metadata, namespace=namespace)
    return msgspec.structs.replace(job, metadata=metadata)


def _twice(jobs: Sequence[QuantumCircuitJob]) -> list[Problem]:
    names = Counter((job.metadata.namespace or "default", job.metadata.name) for job in jobs)
    return [
        Problem("metadata.name", f"{number} of these jobs are named {name}; give each a name of its own")
        for (_, name), number in names.items()
        if number > 1
    ]
