"""Whether a plain value is a declared type, and everything that is wrong with it.

A right value costs one msgspec conversion and the rules, some tens of microseconds. Only a wrong one is taken
through the schema, which finds every problem where msgspec finds the first.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import inspect

from qsched.api.base import Declared
from qsched.api.findings import Finding, Written, not_written
from qsched.api.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsched.api.paths import Path

T = TypeVar("T", bound=Declared)

_DEPTH = 8  # of declared fields; what is deeper is kept as it is
_EXACT = 2**53


def check(
    plain: object, declared: type[T], *, has_null: bool = False, written: Written = not_written
) -> T | list[Finding]:
    """Convert a plain value to a declared type, or say everything that is wrong with it.

    Args:
        plain: Strings, numbers, booleans, lists and dicts, as a manifest holds them.
        declared: The type that it should be.
        has_null: Whether null may occur anywhere in it. The types take null for an absent field; a manifest
            that holds one is refused, since it is mostly a value that was forgotten.
        written: How the scalars of the value were written in their file.

    Returns:
        The typed value, or its problems in the order of their paths.
    """
    value, said = _converted(plain, declared)
    if value is None:  # perhaps only for a 10.0 or 1.0e+3 that is a whole number, as API servers take it
        plain = _with_whole_numbers(plain)
        value, said = _converted(plain, declared)
    findings = [Finding((*path, *rule.path), rule.message) for path, rule in _broken_rules(plain, declared)]
    if value is None or has_null:
        from qsched.api.schema_findings import schema_findings

        findings += schema_findings(plain, declared, written)
        if value is None and not findings:
            findings.append(Finding((), said))
    if findings:
        return sorted(
            findings,
            key=lambda finding: [f"{key:09}" if isinstance(key, int) else key for key in finding.path],
        )
    assert value is not None
    return value


def _converted(plain: object, declared: type[T]) -> tuple[T | None, str]:
    """The typed value, or what msgspec says of it."""
    try:
        return msgspec.convert(plain, declared), ""
    except msgspec.ValidationError as error:
        return None, str(error)


def _with_whole_numbers(plain: object, depth: int = _DEPTH) -> object:
    """The same value, its whole floats as integers; a field that takes a float takes these too."""
    if isinstance(plain, float) and abs(plain) < _EXACT and plain.is_integer():
        return int(plain)
    if isinstance(plain, dict) and depth:
        return {key: _with_whole_numbers(value, depth - 1) for key, value in plain.items()}
    if isinstance(plain, list) and depth:
        return [_with_whole_numbers(value, depth - 1) for value in plain]
    return plain


def _broken_rules(plain: object, declared: type[Declared]) -> Iterator[tuple[Path, Rule[Declared]]]:
    """The rules that the parts break which are right by themselves."""
    for path, part, part_type in _parts(plain, declared, ()):
        rules = _rules_of(part_type)
        if not rules:
            continue
        try:
            typed = msgspec.convert(part, part_type)
        except msgspec.ValidationError:
            continue
        yield from ((path, rule) for rule in rules if not rule.holds(typed))


def _parts(
    plain: object, declared: type[Declared], path: Path
) -> Iterator[tuple[Path, object, type[Declared]]]:
    """The value itself and every struct in it, with paths and types."""
    if not isinstance(plain, dict):
        return
    yield path, plain, declared
    for name, child_type, is_list in _children(declared):
        child = plain.get(name)
        if not is_list:
            yield from _parts(child, child_type, (*path, name))
        elif isinstance(child, list):
            for index, item in enumerate(child):
                yield from _parts(item, child_type, (*path, name, index))


@functools.cache
def _rules_of(declared: type[Declared]) -> list[Rule[Declared]]:
    return [rule for rule in RULES if rule.type is declared]


@functools.cache
def _children(declared: type[Declared]) -> list[tuple[str, type[Declared], bool]]:
    """The fields with structs (or lists of them: True) that have rules in or below them."""
    info = inspect.type_info(declared)
    assert isinstance(info, inspect.StructType)
    fields = ((field.encode_name, *_struct_in(field.type)) for field in info.fields)
    return [field for field in fields if _rules_of(field[1]) or _children(field[1])]


def _struct_in(kind: inspect.Type) -> tuple[type[Declared], bool]:
    """The struct that a field holds, or the items of its list; Declared itself for any other field."""
    if isinstance(kind, inspect.StructType) and issubclass(kind.cls, Declared):
        return kind.cls, False
    if isinstance(kind, inspect.Metadata):
        return _struct_in(kind.type)
    if isinstance(kind, inspect.ListType):
        return _struct_in(kind.item_type)[0], True
    if isinstance(kind, inspect.UnionType):
        return next(
            (found for found in map(_struct_in, kind.types) if found[0] is not Declared), (Declared, False)
        )
    return Declared, False
