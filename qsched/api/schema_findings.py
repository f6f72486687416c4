"""Everything that a schema finds wrong with a plain value, in words.

jsonschema does the finding (draft 4, whose exclusive bounds are those of OpenAPI v3); the words are ours.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, Any

import msgspec
from jsonschema import Draft4Validator, ValidationError, validators

from qsched.api.base import Declared, Json, Time
from qsched.api.findings import Finding, Written, nearest
from qsched.api.paths import Path, shorten
from qsched.api.scalars import plain_scalar
from qsched.api.schema import PRESERVE, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_FINDINGS = 200

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list (lines that begin with '- ')",
    "object": "a mapping (lines of 'key: value')",
}


def schema_findings(plain: object, declared: type[Declared], written: Written) -> list[Finding]:
    """Check a value against the schema of a declared type.

    Args:
        plain: The value as a manifest holds it.
        declared: The type that it should be.
        written: How the scalars of the value were written.

    Returns:
        The problems, at most one at a path, and at most MAX_FINDINGS.
    """
    found: dict[Path, str] = {}
    errors = _validator_class()(schema(declared)).iter_errors(plain)
    for error in itertools.islice(errors, MAX_FINDINGS):
        path = tuple(error.absolute_path)
        found.setdefault(path, _words(error, written(path)))
    return [Finding(path, message) for path, message in found.items()]


@functools.cache
def _validator_class() -> type[Draft4Validator]:
    keywords = {
        "properties": _properties,
        "required": _required,
        "pattern": _pattern,
        "format": _format,
        "items": _unless_too_many("items", "maxItems"),
        "additionalProperties": _unless_too_many("additionalProperties", "maxProperties"),
    }
    extended: type[Draft4Validator] = validators.extend(Draft4Validator, keywords)  # type: ignore[no-untyped-call]
    return extended


def _unless_too_many(keyword: str, limit: str) -> Callable[..., Iterator[ValidationError]]:
    """The keyword's own check, left out where there are more children than allowed: that is said already."""
    check = Draft4Validator.VALIDATORS[keyword]

    def checked(
        validator: Draft4Validator, children: Json, value: Any, node: Json
    ) -> Iterator[ValidationError]:
        if isinstance(value, (list, dict)) and len(value) <= node.get(limit, len(value)):
            yield from check(validator, children, value, node)

    return checked


def _properties(
    validator: Draft4Validator, properties: Json, value: Any, node: Json
) -> Iterator[ValidationError]:
    """Refuse unknown fields, which a structural schema cannot; then check the known ones."""
    if not isinstance(value, dict):
        return
    for key in value:
        if key not in properties and not node.get(PRESERVE):
            message = f"unknown field '{shorten(key)}'; {nearest(key, properties)}"
            yield ValidationError(message, path=(key,), validator="unknown")
    for key, child in properties.items():
        if key in value:
            yield from validator.descend(value[key], child, path=key, schema_path=key)


def _required(_: Draft4Validator, names: list[str], value: Any, _node: Json) -> Iterator[ValidationError]:
    for name in names:
        if isinstance(value, dict) and name not in value:
            yield ValidationError("is missing; add it", path=(name,), validator="missing")


def _pattern(_: Draft4Validator, pattern: str, value: Any, node: Json) -> Iterator[ValidationError]:
    if not isinstance(value, str) or len(value) > node.get("maxLength", len(value)):
        return
    if not re.search(re.sub(r"\$\Z", r"\\Z", pattern), value):
        looks = node.get("title", f"of the form {pattern}")
        yield ValidationError(f"'{shorten(value)}' is not {looks}")


def _format(_: Draft4Validator, name: str, value: Any, node: Json) -> Iterator[ValidationError]:
    if name != "date-time" or not isinstance(value, str):
        return
    try:
        msgspec.convert(value, Time)
    except msgspec.ValidationError:
        yield ValidationError(f"'{shorten(value)}' is not {node['title']}")


def _words(error: ValidationError, written: str | None) -> str:
    if error.validator == "type":
        return _wrong_type(error.instance, str(error.validator_value), written)
    words = _WORDS.get(str(error.validator))
    node = error.schema if isinstance(error.schema, dict) else {}
    return words(error.instance, node) if words else error.message


def _wrong_type(value: Any, wanted: str, written: str | None) -> str:
    """What to say of a value of another type than ``wanted``."""
    if value is None:
        return "has no value; give one, or remove the line"
    if wanted == "string" and written is not None:
        read_as = _scalar_text(value) if isinstance(value, bool) else "a number"
        return f'YAML reads {written} as {read_as}, and text is needed; put it in quotes: "{written}"'
    if isinstance(value, str) and wanted in ("integer", "number", "boolean") and _would_be(value, wanted):
        return f'"{value}" in quotes is text, and {_KINDS[wanted]} is needed; remove the quotes'
    return f"should be {_KINDS[wanted]}, not {_shown(value, written)}"


def _shown(value: Any, written: str | None) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"'{shorten(value)}'" if isinstance(value, str) else written or _scalar_text(value)


def _would_be(text: str, wanted: str) -> bool:
    """Whether a text without its quotes would be of the wanted type."""
    try:
        value = plain_scalar(text)
    except ValueError:
        return False
    if isinstance(value, bool) or wanted == "boolean":
        return isinstance(value, bool) and wanted == "boolean"
    return isinstance(value, int) or (wanted == "number" and isinstance(value, float))


def _scalar_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else shorten(str(value))


def _out_of_bounds(value: Any, node: Json) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above = "more than" if node.get("exclusiveMinimum") else "at least"
    bounds = [f"{above} {low:g}"] if low is not None else []
    bounds += [f"at most {high:.15g}"] if high is not None else []
    return f"is {value}; it must be {' and '.join(bounds)}"


def _not_listed(value: Any, node: Json) -> str:
    return f"'{shorten(str(value))}' is not allowed; {nearest(str(value), map(str, node['enum']))}"


_WORDS: dict[str, Callable[[Any, Json], str]] = {
    "minimum": _out_of_bounds,
    "maximum": _out_of_bounds,
    "enum": _not_listed,
    "minLength": lambda _value, _node: "is empty; give a value, or remove the line",
    "maxLength": lambda value, node: (
        f"has {len(value)} characters; the limit is {node['maxLength']}: shorten it"
    ),
    "minItems": lambda _value, node: f"is empty; give at least {node['minItems']}",
    "maxItems": lambda value, node: f"has {len(value)} entries; the limit is {node['maxItems']}",
    "maxProperties": lambda value, node: f"has {len(value)} entries; the limit is {node['maxProperties']}",
}
