"""What is written reads back as what it was, for values made from the declared types themselves."""

from __future__ import annotations

import datetime as dt
import functools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from msgspec.structs import replace

from qsched.api.backend import QuantumBackend
from qsched.api.job import Circuit, Fallback, JobSpec, QuantumCircuitJob, Requirements, Weights
from qsched.api.manifest import manifest_yaml, read_manifests, to_plain, validate_job
from qsched.api.scalars import plain_scalar
from qsched.api.yaml_source import read_documents
from qsched.api.yaml_text import yaml_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes(timezones=st.just(dt.UTC))
DURATIONS = st.sampled_from(["1h30m", "250ms", "10m", "0.5s", "3us"])


def values(kind: inspect.Type) -> st.SearchStrategy:  # noqa: C901, PLR0912 -- a case for each type
    """Values of a type, as msgspec describes it."""
    match kind:
        case inspect.Metadata(type=inner):
            return values(inner)
        case inspect.UnionType(types=types):
            return st.one_of(*map(values, types))
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=choices):
            return st.sampled_from(choices)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType(ge=low, le=high):
            return st.integers(-(2**53) if low is None else low, 2**53 if high is None else high)
        case inspect.FloatType(ge=low, gt=above, le=high):
            least = above if low is None else low
            return st.floats(
                least, high, exclude_min=above is not None, allow_nan=False, allow_infinity=False
            )
        case inspect.StrType(pattern=None, min_length=low):
            return st.text(st.characters(exclude_categories=["Cs"]), min_size=low or 0, max_size=40)
        case inspect.StrType(pattern=pattern, max_length=high):
            if "h" in pattern and "µs" in pattern:
                return DURATIONS
            ascii_letters = st.characters(codec="ascii")
            return st.from_regex(pattern, fullmatch=True, alphabet=ascii_letters).filter(
                lambda t: len(t) <= high
            )
        case inspect.DateTimeType():
            return TIMES
        case inspect.ListType(item_type=item, min_length=low):
            return st.lists(values(item), min_size=low or 0, max_size=2)
        case inspect.DictType(value_type=inspect.AnyType()):
            return st.dictionaries(TEXT, JSON, max_size=2)
        case inspect.DictType(value_type=item):
            return st.dictionaries(TEXT, values(item), max_size=2)
        case inspect.StructType(cls=declared):
            return structs(declared)
    raise NotImplementedError(kind)


@functools.cache
def structs(declared: type[msgspec.Struct]) -> st.SearchStrategy:
    info = inspect.type_info(declared)
    assert isinstance(info, inspect.StructType)
    required = {field.name: values(field.type) for field in info.fields if field.required}
    optional = {field.name: values(field.type) for field in info.fields if not field.required}
    fields = st.fixed_dictionaries(required, optional=optional)
    return fields.map(lambda given: keep_rules(declared(**given)))


def keep_rules(value: msgspec.Struct) -> msgspec.Struct:
    """The value, changed where the rules between fields ask for it."""
    match value:
        case Circuit(qasm=str()):
            return replace(value, config_map_ref=None, uri=None)
        case Circuit(config_map_ref=None):
            return replace(value, uri=value.uri or "file:///a.qasm")
        case Circuit():
            return replace(value, uri=None)
        case Weights():
            return replace(value, fidelity=value.fidelity or 1.0)
        case Requirements():
            return replace(value, backends=sorted(set(value.backends)))
        case Fallback():
            return replace(value, after=value.after if value.policy == "OnUnavailable" else None)
        case JobSpec():
            names = {circuit.name: circuit for circuit in value.circuits}
            return replace(
                value,
                circuits=list(names.values()),
                objective="balanced" if value.weights else value.objective,
                requirements=replace(
                    value.requirements,
                    simulators="Allowed",
                    complete_by=dt.datetime(2030, 1, 31, tzinfo=dt.UTC),
                ),
                classical=None,
            )
    return value


@settings(max_examples=150, deadline=None)
@given(structs(QuantumCircuitJob))
def test_a_job_that_is_written_reads_back_equal(job: QuantumCircuitJob) -> None:
    assert validate_job(job) == []
    assert read_manifests(manifest_yaml(job), "job.yaml") == [job]
    assert msgspec.convert(to_plain(job), QuantumCircuitJob) == job


@settings(max_examples=80, deadline=None)
@given(structs(QuantumBackend))
def test_a_backend_that_is_written_reads_back_equal(backend: QuantumBackend) -> None:
    pricing = backend.spec.pricing and replace(backend.spec.pricing, quantum="0.01")
    windows, told = (
        [replace(window, days=sorted(set(window.days))) for window in some]
        for some in (backend.spec.windows, backend.status.windows)
    )
    spec = replace(backend.spec, pricing=pricing, windows=windows)
    backend = replace(backend, spec=spec, status=replace(backend.status, windows=told))
    assert read_manifests(manifest_yaml(backend), "fleet.yaml") == [backend]


@settings(max_examples=300, deadline=None)
@given(
    JSON
    | st.sampled_from(["no", "ON", "1e3", "0x1f", "0777", "12:30", "2030-01-31", ".inf", "~", "<<", "a\r\nb"])
)
def test_values_that_are_written_as_yaml_read_back_equal(value: object) -> None:
    [document] = read_documents(yaml_text({"value": value, "<<": value}), "any.yaml")
    assert document.value == {"value": value, "<<": value}
    assert document.problems == []


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_of_64_bits_are_read_exactly(number: int) -> None:
    assert plain_scalar(str(number)) == number
