"""Objects for programs: JSON, YAML or names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qsched.api.backend import QuantumBackend
from qsched.api.job import QuantumCircuitJob
from qsched.cli.settings import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.base import Declared
    from qsched.cli.settings import Settings

Manifest = QuantumCircuitJob | QuantumBackend


def write_objects(
    settings: Settings, objects: Sequence[Declared], names: Sequence[str], *, one: bool
) -> None:
    """Write declared objects as ``--output`` says.

    Args:
        settings: Of this call; its output is not a table.
        objects: What to write, each as a manifest holds it.
        names: The objects' names, for ``--output name``.
        one: Whether the user asked for exactly one, which is then written without a list around it.
    """
    if settings.output is Output.name:
        text = "\n".join(names)
    elif settings.output is Output.json:
        plain = [_plain(declared) for declared in objects]
        text = msgspec.json.format(msgspec.json.encode(plain[0] if one else plain), indent=2).decode()
    else:
        text = "---\n".join(_yaml(declared) for declared in objects)
    if text:
        settings.terminal.write(text)


def _plain(declared: Declared) -> object:
    from qsched.api.manifest import to_plain

    return to_plain(declared) if isinstance(declared, Manifest) else msgspec.to_builtins(declared)


def _yaml(declared: Declared) -> str:
    from qsched.api.manifest import manifest_yaml

    if isinstance(declared, Manifest):
        return manifest_yaml(declared)
    return msgspec.yaml.encode(declared).decode()
