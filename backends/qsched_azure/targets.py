"""The targets of a workspace that take gate circuits, and those that do not."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from qsched.drivers import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

PROVIDERS = {"ionq": "IonQ", "quantinuum": "Quantinuum", "rigetti": "Rigetti"}
"""Whose targets the driver runs on."""

_OTHERS = {
    "pasqal": "analogue programs of neutral atoms",
    "microsoft": "resource estimates, chemistry or optimisation problems",
    "1qbit": "optimisation problems",
    "toshiba": "optimisation problems",
}
"""What providers take that take no gate circuits."""

_QUBITS = {
    r"ionq\.simulator": 29,
    r"ionq\.qpu\.aria-.*": 25,
    r"ionq\.qpu\.forte-.*": 36,
    r"quantinuum\.\w+\.h1-.*": 20,
    r"quantinuum\.\w+\.h2-.*": 56,
    r"quantinuum\.\w+\.helios-.*": 98,
    r"rigetti\.sim\.qvm": 20,
    r"rigetti\.qpu\.ankaa-.*": 84,
    r"rigetti\.qpu\.cepheus-1-108q": 108,
}
"""Widths, for targets of which the service does not tell one; after the classes of azure-quantum 3.13."""

_PUBLISHED = {
    r"ionq\.qpu\.aria-\d+": "ionq-aria",
    r"ionq\.qpu\.forte-(enterprise-)?\d+": "ionq-forte",
    r"quantinuum\.(qpu\.h2-\d+|sim\.h2-\d+e)": "quantinuum-h2",
    r"rigetti\.qpu\.ankaa-3": "rigetti-ankaa",
}
"""Whose figures ``qsched.presets`` holds. Quantinuum's emulators have the noise of their device."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target as the workspace tells of it.

    Attributes:
        name: Its id, such as ``ionq.qpu.aria-1``.
        availability: ``Available``, ``Degraded``, ``Unavailable`` or ``Deleted``.
        queue_s: Seconds that jobs wait on average; None if it does not tell.
        told_qubits: How many qubits it has, if the service tells.
    """

    name: str
    availability: str
    queue_s: float | None = None
    told_qubits: int | None = None

    @property
    def provider(self) -> str:
        """Whose it is, in lower case."""
        return provider_of(self.name)

    @property
    def simulator(self) -> bool:
        """Whether no real device does the work."""
        return is_simulator(self.name)

    @property
    def qubits(self) -> int | None:
        """How many qubits it has; None if nobody tells."""
        return self.told_qubits or _lookup(_QUBITS, self.name)

    @property
    def usable(self) -> bool:
        """Whether it takes gate circuits, and is not gone for good."""
        return self.provider in PROVIDERS and self.availability != "Deleted"

    @property
    def description(self) -> str:
        """A line for people."""
        if re.search(r"\dsc$", self.name):
            return f"{PROVIDERS[self.provider]}, checks programs only: every count is of zeros"
        return f"{PROVIDERS[self.provider]}{', a simulator' if self.simulator else ''}"


def provider_of(device: str) -> str:
    """Whose a target is, by its name."""
    return device.partition(".")[0]


def is_simulator(device: str) -> bool:
    """Whether a target simulates, by its name."""
    return ".sim." in device or device.endswith(".simulator")


def published_name(device: str) -> str | None:
    """The data file with a device's figures; None if there is none."""
    return _lookup(_PUBLISHED, device)


def refuse_other_paradigm(device: str) -> None:
    """Raise ``NotFound`` for a device whose provider takes no gate circuits."""
    provider = re.split(r"[.-]", device)[0].lower()
    if provider in _OTHERS:
        raise NotFound(
            f"{device} takes {_OTHERS[provider]}, not gate circuits; "
            f"the azure driver runs on targets of {', '.join(PROVIDERS.values())}"
        )


def pick(targets: Sequence[Target], device: str) -> Target:
    """The target of this name.

    Raises:
        NotFound: If the workspace has none, or it takes no gate circuits.
    """
    refuse_other_paradigm(device)
    for target in targets:
        if target.name == device:
            return target
    names = [target.name for target in targets if target.usable]
    near = difflib.get_close_matches(device, names, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif names:
        hint = f"it has {', '.join(sorted(names))}"
    else:
        hint = "add the provider to the workspace first"
    raise NotFound(f"the workspace has no target {device!r}; {hint}")


def _lookup(table: dict[str, T], name: str) -> T | None:
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, name)), None)
