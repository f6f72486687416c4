"""What ``GetDevice`` tells of a device.

Only what the driver needs is read, so that a device whose description is newer than the installed SDK can be
used too. The format is that of ``braket.device_schema``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qsched.api.backend import Window
from qsched.drivers import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPENQASM = "braket.ir.openqasm.program"
MIDNIGHT = "00:00"

_TIME_OF_DAY = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")

_Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_WEEK: tuple[_Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS: dict[str, tuple[_Day, ...]] = {
    "everyday": _WEEK,
    "weekdays": _WEEK[:5],
    "weekend": _WEEK[5:],
    "weekends": _WEEK[5:],
    "monday": ("Mon",),
    "tuesday": ("Tue",),
    "wednesday": ("Wed",),
    "thursday": ("Thu",),
    "friday": ("Fri",),
    "saturday": ("Sat",),
    "sunday": ("Sun",),
}


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Fields that are not named here are passed over."""


class _ExecutionWindow(_Struct, frozen=True, kw_only=True):
    execution_day: str
    window_start_hour: str
    window_end_hour: str


class _Service(_Struct, frozen=True, kw_only=True):
    execution_windows: list[_ExecutionWindow] = []
    shots_range: tuple[int, int] | None = None
    updated_at: str | None = None


class _Action(_Struct, frozen=True, kw_only=True):
    supported_operations: list[str] | None = None
    requires_contiguous_qubit_indices: bool | None = None


class _Connectivity(_Struct, frozen=True, kw_only=True):
    fully_connected: bool = False
    connectivity_graph: dict[str, list[str]] = {}


class _Paradigm(_Struct, frozen=True, kw_only=True):
    qubit_count: int | None = None
    native_gate_set: list[str] = []
    connectivity: _Connectivity | None = None


class Capabilities(_Struct, frozen=True, kw_only=True):
    """The part of ``deviceCapabilities`` that the driver reads.

    Attributes:
        service: Windows, shots, the time of the last update.
        action: What it runs: a gate-based device has ``OPENQASM``.
        paradigm: Qubits, native gates, and which qubits are coupled.
        standardized: Figures of the device, as its calibration; in one of several versions.
        provider: Figures in the words of its maker.
    """

    service: _Service
    action: dict[str, _Action] = {}
    paradigm: _Paradigm = _Paradigm()
    standardized: dict[str, Any] | None = None
    provider: dict[str, Any] | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as ``GetDevice`` tells of it.

    Attributes:
        arn: Its name.
        name: Its name for people.
        provider: Who runs it, in lower-case words.
        simulator: Whether it is one of Amazon's simulators.
        state: ``ONLINE``, ``OFFLINE`` or ``RETIRED``.
        queue_depth: Tasks that wait there, at least; None when it does not tell.
        capabilities: What it can do.
    """

    arn: str
    name: str
    provider: str
    simulator: bool
    state: str
    queue_depth: int | None
    capabilities: Capabilities

    @property
    def gate_based(self) -> bool:
        """Whether it runs circuits."""
        return OPENQASM in self.capabilities.action

    @property
    def qubits(self) -> int:
        """How many qubits it has."""
        return self.capabilities.paradigm.qubit_count or 0

    @property
    def natives(self) -> frozenset[str]:
        """Its native gates, in lower case."""
        return frozenset(gate.lower() for gate in self.capabilities.paradigm.native_gate_set)

    @property
    def operations(self) -> frozenset[str]:
        """The gates that it takes and compiles."""
        return frozenset(self.capabilities.action[OPENQASM].supported_operations or ())

    @property
    def renumbers(self) -> bool:
        """Whether qubits of a program must be 0, 1, 2 ... and the device chooses which ones they are."""
        return bool(self.capabilities.action[OPENQASM].requires_contiguous_qubit_indices)

    @property
    def first_label(self) -> int:
        """The number that Amazon gives the qubit 0 of a calibration: IQM counts from 1.

        It must not follow from which qubits are listed today: a qubit that drops out would shift the others.
        """
        return 1 if self.provider == "iqm" and 0 not in self.labels() else 0

    def labels(self) -> frozenset[int]:
        """Amazon's numbers of the qubits that take part in the device's couplers."""
        wired = self.capabilities.paradigm.connectivity
        graph = wired.connectivity_graph if wired is not None else {}
        return frozenset(
            int(label) for ends in ([one, *others] for one, others in graph.items()) for label in ends
        )

    def windows(self) -> tuple[Window, ...]:
        """When it runs tasks, in UTC; empty for always."""
        windows = (_window(each) for each in self.capabilities.service.execution_windows)
        told = [each for each in windows if each is not None]
        if any(not each.days and each.start == each.end == MIDNIGHT for each in told):
            return ()
        return tuple(told)

    def updated_at(self) -> dt.datetime | None:
        """When its description was last changed."""
        standardized = self.capabilities.standardized or {}
        told = standardized.get("updatedAt") or self.capabilities.service.updated_at
        if told is None:
            return None
        moment = dt.datetime.fromisoformat(str(told))
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def read_device(answer: Mapping[str, Any]) -> Device:
    """A device from the answer to ``GetDevice``.

    Raises:
        Unavailable: If the answer is not what the driver knows.
    """
    try:
        capabilities = msgspec.json.decode(answer["deviceCapabilities"], type=Capabilities)
        return Device(
            arn=str(answer["deviceArn"]),
            name=str(answer["deviceName"]),
            provider=provider_word(str(answer["providerName"])),
            simulator=answer["deviceType"] == "SIMULATOR",
            state=str(answer["deviceStatus"]),
            queue_depth=_depth(answer.get("deviceQueueInfo", ())),
            capabilities=capabilities,
        )
    except (KeyError, TypeError, ValueError) as error:
        name = answer.get("deviceArn", "a device")
        raise Unavailable(f"Braket's description of {name} cannot be read: {error}") from error


def provider_word(name: str) -> str:
    """A provider in a lower-case word: ``ionq``, ``iqm``, ``rigetti``, ``amazon``."""
    return name.split(maxsplit=1)[0].lower() if name.split() else ""


def at_least(told: str | None) -> int | None:
    """A queue size or position, such as ``7``, or ``>4000``: at least 4001. None if it is no number."""
    if told is None:
        return None
    text = told.strip()
    more = text.startswith(">")
    digits = text.removeprefix(">").strip()
    return int(digits) + more if digits.isdecimal() else None


def _depth(queues: Iterable[Mapping[str, str]]) -> int | None:
    """The tasks of all priorities; those of hybrid jobs that have not begun are none yet."""
    sizes = [at_least(each.get("queueSize")) for each in queues if each.get("queue") == "QUANTUM_TASKS_QUEUE"]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _window(told: _ExecutionWindow) -> Window | None:
    """A window; None for one on a day of no known name, or at no time of day."""
    days = _DAYS.get(told.execution_day.lower())
    start, end = told.window_start_hour[:5], told.window_end_hour[:5]
    if days is None or not all(_TIME_OF_DAY.fullmatch(each) for each in (start, end)):
        return None
    # A day's end is told as 23:59:59.
    if end == "23:59":
        end = MIDNIGHT
    return Window(days=[] if days == _WEEK else list(days), start=start, end=end)
