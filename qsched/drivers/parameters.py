"""Reading a backend's ``parameters`` into a driver's own type."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

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


def check_address(address: str | None, field: str) -> None:
    """Refuse what no client can connect to, and an address with credentials in it.

    Args:
        address: Of a service, by http or https; None if it is not said.
        field: Its name in the manifest.

    Raises:
        InvalidInput: The message does not repeat the address.
    """
    if address is None:
        return
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or not address.isprintable() or " " in address:
        message = "is no address of a service; write one such as https://host.name:8443"
    elif "@" in address:
        message = "an address holds no user name or password; put credentials into the backend's Secret"
    else:
        return
    raise InvalidInput(Problem(f"spec.parameters.{field}", message))


def stripped(credentials: Mapping[str, Any]) -> dict[str, str]:
    """What a Secret holds, without the spaces and line breaks around values that editors and files leave.

    Raises:
        InvalidInput: If a value is not a text. No value is told.
    """
    wrong = sorted(name for name, value in credentials.items() if not isinstance(value, str))
    if wrong:
        raise InvalidInput(Problem("spec.credentialsSecretRef", f"{', '.join(wrong)} must be a text"))
    return {name: value.strip() for name, value in credentials.items()}


def _unknown(name: str, names: list[str], driver: str) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(sorted(names))}"
    return f"driver {driver!r} has no parameter {name!r}; {hint}"
