"""What a user hands to ``submit``, made into a declared job."""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args, runtime_checkable

import msgspec

from qsched.api.base import ObjectMeta
from qsched.api.check import check
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.api.paths import field_path
from qsched.engine.results import write_bytes
from qsched.errors import InvalidInput, Problem
from qsched.sdk.cluster_circuits import qasm_of_file, to_qasm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from qiskit import QuantumCircuit

    One: TypeAlias = str | Path | QuantumCircuit
    Work: TypeAlias = One | QuantumCircuitJob | Sequence[One]


@runtime_checkable
class SupportsItem(Protocol):
    """A number of numpy's, say."""

    def item(self) -> object:
        """The same as an ordinary Python object."""
        ...


_STRUCTS: dict[str, type[msgspec.Struct]] = {
    field.name: kind
    for field in msgspec.structs.fields(JobSpec)
    for kind in (field.type, *get_args(field.type))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}
"""The options that hold a struct of their own."""

_COUNTED = re.compile(r"^circuit-\d+(-\d+)?$")
"""What Qiskit names a circuit that has no name: a count of the circuits that this process has made."""


def declare(
    work: Work, *, name: str | None, folder: Path | None, options: dict[str, Any]
) -> QuantumCircuitJob:
    """A job from a manifest, a circuit, or several circuits.

    Args:
        work: A job; a manifest file (``.yaml``); or one or several circuits, each a ``QuantumCircuit``, a
            path of a ``.qasm`` or ``.qpy`` file, or OpenQASM text.
        name: The job's name; made up from the circuit's if None.
        folder: Where circuits that have no text are kept; None to write them as text, for an engine that
            does not see this machine's files.
        options: Fields of ``JobSpec``, by their Python names.

    Raises:
        InvalidInput: If the work is none of these, or an option is unknown or has a wrong value.
    """
    if isinstance(work, QuantumCircuitJob):
        return _changed(work, name, options)
    if isinstance(work, str | Path) and str(work).endswith((".yaml", ".yml")):
        return _changed(_only_job(Path(work)), name, options)
    items = work if isinstance(work, list | tuple) else [work]
    if not items:
        raise InvalidInput("there is no circuit to submit; give at least one")
    circuits = [_circuit(item, index, folder) for index, item in enumerate(items)]
    made_up = f"{_slug(circuits[0].name)}-{secrets.token_hex(3)}"
    return QuantumCircuitJob(
        metadata=ObjectMeta(name=name or made_up), spec=_spec({"circuits": _unique(circuits), **options})
    )


def _only_job(path: Path) -> QuantumCircuitJob:
    from qsched.api.manifest import read_manifest_file

    documents = read_manifest_file(path)
    jobs = [each for each in documents if isinstance(each, QuantumCircuitJob)]
    if len(jobs) != 1 or len(documents) != 1:
        raise InvalidInput(f"{path} holds {len(documents)} documents; submit takes one job, submit_all many")
    return jobs[0]


def _changed(job: QuantumCircuitJob, name: str | None, options: dict[str, Any]) -> QuantumCircuitJob:
    """The job with some options replaced."""
    if name is not None:
        metadata = msgspec.structs.replace(job.metadata, name=name)
        job = msgspec.structs.replace(job, metadata=metadata)
    if options:
        fields = {field: getattr(job.spec, field) for field in job.spec.__struct_fields__}
        job = msgspec.structs.replace(job, spec=_spec({**fields, **options}))
    return job


def _spec(fields: dict[str, Any]) -> JobSpec:
    """A spec from its fields by their Python names; nested ones may be given as plain mappings."""
    known = dict(zip(JobSpec.__struct_fields__, JobSpec.__struct_encode_fields__, strict=True))
    unknown = fields.keys() - known.keys()
    if unknown:
        raise InvalidInput(f"unknown option {min(unknown)!r}; options are {', '.join(sorted(known))}")
    plain = {known[key]: _plain(key, value) for key, value in fields.items() if value is not None}
    spec = check(plain, JobSpec)
    if isinstance(spec, JobSpec):
        return spec
    raise InvalidInput([Problem(field_path(("spec", *found.path)), found.message) for found in spec])


def _plain(option: str, value: object) -> object:
    """An option as plain values, with the names that a manifest has."""
    kind = _STRUCTS.get(option)
    if kind is not None and isinstance(value, Mapping):
        names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        value = {names.get(key, key): each for key, each in value.items() if each is not None}

    def scalar(each: object) -> object:
        if isinstance(each, SupportsItem):
            with contextlib.suppress(ValueError):  # of an array
                return each.item()
        raise InvalidInput(f"option {option!r} holds a {type(each).__name__}, which no job can hold")

    return msgspec.to_builtins(value, enc_hook=scalar)


def _circuit(item: object, index: int, folder: Path | None) -> Circuit:
    if isinstance(item, str) and ("\n" in item or ";" in item):
        return Circuit(name=f"circuit-{index}", qasm=item)
    if isinstance(item, str | Path):
        return _from_file(Path(item), inline=folder is None)
    from qiskit import QuantumCircuit

    from qsched.circuits.hashing import circuit_hash
    from qsched.circuits.qpy import to_qpy

    if isinstance(item, QuantumCircuit):
        name = _slug(_COUNTED.sub("circuit", item.name))
        if folder is None:
            return Circuit(name=name, qasm=to_qasm(item))
        path = folder / "circuits" / f"{circuit_hash(item)}.qpy"
        uri = path.absolute().as_uri()
        if not path.exists():
            write_bytes(uri, to_qpy(item), durable=True)
        return Circuit(name=name, uri=uri)
    raise InvalidInput(
        f"{type(item).__name__} is no work; give a QuantumCircuit, OpenQASM text, a .qasm, .qpy or .yaml "
        "file, or a QuantumCircuitJob"
    )


def _from_file(path: Path, *, inline: bool) -> Circuit:
    name = _slug(path.stem)
    if path.suffix == ".qpy":
        if inline:
            return Circuit(name=name, qasm=qasm_of_file(path))
        return Circuit(name=name, uri=path.absolute().as_uri())
    if path.suffix != ".qasm":
        raise InvalidInput(f"{path} is not a circuit: expected a .qasm or .qpy file, or OpenQASM text")
    try:
        return Circuit(name=name, qasm=path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}") from error


def _slug(text: str) -> str:
    """A name that a job or circuit may have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].rstrip("-") or "circuit"


def _unique(circuits: list[Circuit]) -> list[Circuit]:
    """The circuits with numbers behind names that come more than once."""
    names = [circuit.name for circuit in circuits]
    taken = {name for name in names if names.count(name) == 1}
    found = []
    for index, circuit in enumerate(circuits):
        name = circuit.name
        if name not in taken or names.count(name) > 1:
            numbered = (f"{circuit.name}-{number}" for number in itertools.count(index))
            name = next(each for each in numbered if each not in taken)
        taken.add(name)
        found.append(msgspec.structs.replace(circuit, name=name))
    return found
