"""Fleet files: YAML documents of kind ``QuantumBackend``, and the fleet that comes with qsched."""

from __future__ import annotations

from pathlib import Path

from qsched.api.backend import QuantumBackend
from qsched.api.manifest import read_manifest_file
from qsched.errors import InvalidInput, Problem

DEFAULT_FLEET = Path(__file__).with_name("default.yaml")


def load_fleet(path: Path | None = None) -> list[QuantumBackend]:
    """The backends of a fleet file, in its order.

    Args:
        path: A YAML file of ``QuantumBackend`` documents; None is the default fleet.

    Returns:
        At least one backend; names are unique.

    Raises:
        InvalidInput: With every problem of the file: not readable, not valid, two backends of one name,
            none at all, or another kind of document.
    """
    file = DEFAULT_FLEET if path is None else path
    manifests = read_manifest_file(file)
    strangers = [
        Problem(
            f"{manifest.kind} {manifest.metadata.name!r}",
            "a fleet file holds QuantumBackends only; move it to another file",
            file=str(file),
        )
        for manifest in manifests
        if not isinstance(manifest, QuantumBackend)
    ]
    if strangers:
        raise InvalidInput(strangers)
    return [manifest for manifest in manifests if isinstance(manifest, QuantumBackend)]
