"""What a user hands to ``qsched discover``: parameters, credentials, and where manifests go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qsched.api.scalars import plain_scalar
from qsched.cli.settings import Output
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsched.api.base import Json

_MOST_BYTES = 1_000_000


def read_parameter_options(options: Iterable[str]) -> Json:
    """``NAME=VALUE`` as a manifest would have it: a value is read as YAML reads a plain word, or as JSON.

    Raises:
        InvalidInput: With every option that cannot be read.
    """
    parameters: Json = {}
    problems = []
    for option in options:
        name, equals, text = option.partition("=")
        if not (name and equals):
            problems.append(Problem("--parameter", f"{option!r} has no value; write NAME=VALUE"))
            continue
        try:
            parameters[name] = msgspec.json.decode(text) if text[:1] in set('[{"') else plain_scalar(text)
        except (ValueError, msgspec.DecodeError) as error:
            problems.append(Problem("--parameter", f"{name}: {error}"))
    if problems:
        raise InvalidInput(problems)
    return parameters


def read_credentials(path: Path) -> dict[str, str]:
    """The content of a credentials file: a mapping of names to texts, in YAML or JSON.

    Raises:
        InvalidInput: If it cannot be read or is no such mapping; the message repeats nothing of its content.
    """
    remedy = "write one 'name: \"value\"' a line, as the backend's Secret would hold them"
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise InvalidInput(Problem("", f"cannot be read: {error.strerror}", str(path))) from error
    try:
        return msgspec.yaml.decode(data, type=dict[str, str])
    except (ValueError, msgspec.DecodeError):
        # Not chained: parsers quote what they read.
        raise InvalidInput(Problem("", f"holds no credentials; {remedy}", str(path))) from None


def read_output(text: str | None) -> tuple[Output | None, Path | None]:
    """A form to print manifests in, or a file to write them to.

    Raises:
        InvalidInput: If it is neither.
    """
    if text is None or text in set(Output):
        return (Output(text) if text is not None else None), None
    path = Path(text)
    if path.suffix not in {".yaml", ".yml"}:
        forms = ", ".join(Output)
        raise InvalidInput(
            Problem("--output", f"{text!r} is none of {forms}, and no file: end its name in .yaml")
        )
    return None, path
