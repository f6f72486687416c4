"""``QuantumBackend`` manifests of discovered devices, as a fleet file with a comment for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qsched.api.backend import BackendSpec, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.manifest import manifest_yaml
from qsched.cli import words
from qsched.cli.render_pricing import price
from qsched.presets.pricing import price_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsched.api.base import Json
    from qsched.cli.discovery import Discovered

_LONGEST_NAME = 63
_LONGEST_LABEL = 63
_SAYS_NOTHING = frozenset({"device", "qpu", "quantum", "backend"})
"""Words of providers' device names that tell no two devices of an account apart."""


def backend_names(driver: str, devices: Sequence[str]) -> list[str]:
    """A name for each device that Kubernetes takes, of the driver's name and the device's.

    ``ibm_torino`` of the driver ibm becomes ``ibm-torino``, and
    ``arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1`` of braket becomes ``braket-ionq-forte-1``.

    Args:
        driver: The driver's name.
        devices: The driver's names for its devices.

    Returns:
        Names in the same order, each different from all others.
    """
    names: list[str] = []
    for device in devices:
        first = _name(driver, device)
        name, number = first, 1
        while name in names:
            number += 1
            name = f"{first}-{number}"
        names.append(name)
    return names


def _name(driver: str, device: str) -> str:
    """The words of a driver's name and of a device's, those left out that say nothing or come twice."""
    prefix = _words(driver)
    own = _words(device.rpartition("::")[2]) if device.startswith("arn:") else _words(device)
    rest = [word for word in own if word not in _SAYS_NOTHING] or own
    if rest[: len(prefix)] == prefix:
        rest = rest[len(prefix) :]
    return "-".join(prefix + rest)[:_LONGEST_NAME].rstrip("-")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def backends_of(driver: str, parameters: Json, found: Iterable[Discovered]) -> list[QuantumBackend]:
    """The manifests of devices: what they are and where, their own windows, and never a credential.

    Args:
        driver: The driver's name.
        parameters: What a manifest has to say to it.
        found: The devices.
    """
    found = list(found)
    return [
        QuantumBackend(
            metadata=ObjectMeta(name=name, labels=_labels(driver, device)),
            spec=BackendSpec(
                driver=driver,
                device=device.info.device,
                parameters=dict(parameters),
                location=device.info.location or None,
                windows=list(device.status.windows) if device.status is not None else [],
            ),
        )
        for name, device in zip(
            backend_names(driver, [device.info.device for device in found]), found, strict=True
        )
    ]


def _labels(driver: str, device: Discovered) -> dict[str, str]:
    """What a job's ``backendSelector`` may ask for."""
    vendor = re.sub(r"[^A-Za-z0-9]+", "-", device.info.provider).strip("-").lower()
    labels = {"driver": driver, "kind": "simulator" if device.info.simulator else "qpu"}
    return {"vendor": vendor[:_LONGEST_LABEL].rstrip("-"), **labels} if vendor else labels


def fleet_file(backends: Sequence[QuantumBackend], found: Sequence[Discovered], *, command: str) -> str:
    """The text of a fleet file, without devices that will never take a task.

    Args:
        backends: The manifests.
        found: The devices that they are of, in their order.
        command: What the file comes from.
    """
    head = (
        f"# From '{command}'. Credentials are never written here: without\n"
        "# credentialsSecretRef the driver finds them in the way of its provider.\n"
    )
    documents = [
        f"{_comment(device, backend)}{manifest_yaml(backend)}"
        for backend, device in zip(backends, found, strict=True)
        if device.usable
    ]
    return head + "".join(f"---\n{document}" for document in documents)


def _comment(device: Discovered, backend: QuantumBackend) -> str:
    """What a reader of a manifest wants to know besides: the device, and what it is reckoned to cost."""
    found = price_of(backend.spec)
    info = device.info
    about = [words.count(info.qubits, "qubit"), *([info.description] if info.description else [])]
    lines = [f"{info.device}: {', '.join(about)}"]
    if device.trouble:
        lines.append(f"could not be asked: {device.trouble}")
    if found.preset is not None:
        lines.append(f"price: {price(found.pricing)} ({found.origin}); write pricing to change it")
    return "".join(f"# {_printable(line)}\n" for line in lines)


def _printable(text: str) -> str:
    """A provider's text as one line of a comment."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
