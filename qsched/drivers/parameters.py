"""Reading a backend's ``parameters`` into a driver's own type."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", bound=msgspec.Struct)


def read_parameters(parameters: Mapping[str, Any], kind: type[T], *, driver: str) -> T:
    """Convert and check a backend's ``parameters``.

    Args:
        parameters: As the manifest has them.
        kind: The driver's Struct; its field names, as encoded, are what a manifest may hold.
        driver: The driver's name, for the message.

    Returns:
        An instance of ``kind``.

    Raises:
        InvalidInput: With one problem for each unknown name, or the first wrong value.
    """
    known = msgspec.structs.fields(kind)
    names = [field.encode_name for field in known]
    unknown = [name for name in parameters if name not in names]
    if unknown:
        raise InvalidInput([Problem("spec.parameters", _unknown(name, names, driver)) for name in unknown])
    try:
        return msgspec.convert(dict(parameters), kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(Problem("spec.parameters", f"wrong for driver {driver!r}: {error}")) from error


def _unknown(name: str, names: list[str], driver: str) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(sorted(names))}"
    return f"driver {driver!r} has no parameter {name!r}; {hint}"
