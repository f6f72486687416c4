"""Declared types to OpenAPI v3 structural schemas, the form that CRDs hold.

The types are the one source: names, bounds, patterns and defaults come from the fields, descriptions from the
docstrings' Attributes sections. References are inlined, an optional field is an absent one (never null), and
nothing stands in a schema that the Kubernetes rules for structural schemas forbid.
"""

from __future__ import annotations

import functools
import inspect as pyinspect
import re
from typing import Any

import msgspec
from msgspec import inspect

from qsched.api.base import Declared, Json
from qsched.api.rules import cel_rules

PRESERVE = "x-kubernetes-preserve-unknown-fields"
RULES_KEY = "x-kubernetes-validations"

_INT32_MAX = 2**31 - 1


@functools.cache
def schema(declared: type[Declared]) -> Json:
    """The structural schema of a declared type.

    Args:
        declared: Any subclass of Declared.

    Returns:
        The schema as plain values. It is shared: do not change it.
    """
    return _struct(declared)


def field_docs(declared: type[Declared]) -> dict[str, str]:
    """What the Attributes section of a type's docstring says of each field, by the field's Python name."""
    _, _, section = pyinspect.cleandoc(declared.__doc__ or "").partition("\nAttributes:\n")
    docs: dict[str, str] = {}
    for name, text in re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, re.MULTILINE):
        docs[name] = _one_line(text)
    return docs


def _struct(declared: type[Declared]) -> Json:
    info = inspect.type_info(declared)
    assert isinstance(info, inspect.StructType)
    docs = field_docs(declared)
    properties: Json = {}
    required = []
    for field in info.fields:
        node = _node(field.type)
        if field.name in docs:
            rest = {key: value for key, value in node.items() if key != "description"}
            node = {"description": _described(docs[field.name], node), **rest}
        if field.required:
            required.append(field.encode_name)
        else:
            node |= _default(field, node)
        properties[field.encode_name] = node
    summary = pyinspect.cleandoc(declared.__doc__ or "").partition("\n\n")[0]
    node = {"description": _one_line(summary), "type": "object", "properties": properties}
    rules = cel_rules(declared)
    return node | ({"required": required} if required else {}) | ({RULES_KEY: rules} if rules else {})


def _described(doc: str, node: Json) -> str:
    """What ``kubectl explain`` says of a field: its meaning, and what a value of it looks like."""
    title: str = node.get("title", "")
    return f"{doc} {title[0].upper()}{title[1:]}." if title else doc


def _default(field: inspect.Field, node: Json) -> Json:
    """The ``default`` entry of an optional field.

    An absent list or map is an empty one, and an absent optional has no value: neither needs a default. A
    struct's own default is empty, so that the API server goes on to fill in the defaults below it.
    """
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if default is None or default in ([], {}):
        return {}
    plain = msgspec.to_builtins(default)
    if plain == {} and not any("default" in child for child in node["properties"].values()):
        return {}
    return {"default": plain}


@functools.singledispatch
def _node(kind: inspect.Type) -> Json:
    raise TypeError(
        f"a manifest cannot hold {kind!r}; use strings, numbers, booleans, lists, maps and structs"
    )


@_node.register
def _(kind: inspect.Metadata) -> Json:
    return _node(kind.type) | (kind.extra_json_schema or {})


@_node.register
def _(kind: inspect.StructType) -> Json:
    return schema(kind.cls).copy()


@_node.register
def _(kind: inspect.UnionType) -> Json:
    """An optional: absent when it has no value, so that null need not be allowed."""
    [present] = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    return _node(present)


@_node.register
def _(kind: inspect.LiteralType) -> Json:
    return {"type": "integer" if isinstance(kind.values[0], int) else "string", "enum": list(kind.values)}


@_node.register
def _(_kind: inspect.BoolType) -> Json:
    return {"type": "boolean"}


@_node.register
def _(kind: inspect.IntType) -> Json:
    small = kind.le is not None and kind.le <= _INT32_MAX
    return {"type": "integer", "format": "int32" if small else "int64"} | _bounds(kind)


@_node.register
def _(kind: inspect.FloatType) -> Json:
    return {"type": "number"} | _bounds(kind)


def _bounds(kind: inspect.IntType | inspect.FloatType) -> Json:
    bounds: Json = {}
    for key, closed, opened in (("inimum", kind.ge, kind.gt), ("aximum", kind.le, kind.lt)):
        if closed is not None or opened is not None:
            bounds["m" + key] = opened if closed is None else closed
        if opened is not None:
            bounds["exclusiveM" + key] = True
    return bounds


@_node.register
def _(kind: inspect.StrType) -> Json:
    pattern = kind.pattern and kind.pattern.removesuffix(r"\Z") + "$" * kind.pattern.endswith(r"\Z")
    return _present(
        type="string", minLength=kind.min_length, maxLength=kind.max_length, pattern=pattern or None
    )


@_node.register
def _(_kind: inspect.DateTimeType) -> Json:
    return {"type": "string", "format": "date-time"}


@_node.register
def _(kind: inspect.ListType) -> Json:
    items = _node(kind.item_type)
    return _present(type="array", items=items, minItems=kind.min_length, maxItems=kind.max_length)


@_node.register
def _(kind: inspect.DictType) -> Json:
    node = _present(type="object", minProperties=kind.min_length, maxProperties=kind.max_length)
    if isinstance(kind.value_type, inspect.AnyType):
        return node | {PRESERVE: True}
    return node | {"additionalProperties": _node(kind.value_type)}


def _present(**entries: Any) -> Json:
    return {key: value for key, value in entries.items() if value is not None}


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "")
