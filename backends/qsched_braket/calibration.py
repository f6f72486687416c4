"""A device's figures as a ``Calibration``.

Braket standardises them in three versions: IQM and Rigetti give figures of each qubit and coupler (1, 2),
IonQ means over the device (3, or its older ``provider`` part). What they leave out, gate durations above all,
comes from what is published of the same device, and the calibration's source says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qsched.drivers import Calibration, NoCalibration
from qsched.presets.published import read_published

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from qsched_braket.capabilities import Device

    Floats = NDArray[np.float64]

_PUBLISHED = {
    "ionq/Aria-1": "ionq-aria",
    "ionq/Forte-1": "ionq-forte",
    "iqm/Garnet": "iqm-garnet",
    "rigetti/Ankaa-3": "rigetti-ankaa",
}
_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PULSE = ("RANDOMIZED_BENCHMARKING", "SIMULTANEOUS_RANDOMIZED_BENCHMARKING")
_READOUT = ("READOUT",)


class _Gates(NamedTuple):
    """A device's native gates in Qiskit's words; ``link`` is the two-qubit gate in Braket's."""

    one_qubit: tuple[str, ...]
    two_qubit: str
    virtual: tuple[str, ...]
    link: str


class _Figures(NamedTuple):
    """Columns as ``Calibration`` has them, with not-a-number where nothing is told."""

    t1_s: Floats
    t2_s: Floats
    readout: Floats
    readout_s: Floats
    gate1: Floats
    gate1_s: Floats
    gate2: Floats
    gate2_s: Floats
    reset_s: float


def read_calibration(device: Device) -> Calibration:
    """The calibration that a device's description holds.

    Qubit i of it is the qubit that Amazon numbers ``i + device.first_label``.

    Raises:
        NoCalibration: If it is a simulator, or the description does not tell what an estimate needs.
    """
    try:
        return _read(device)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NoCalibration(f"Braket's figures of {device.name} cannot be read: {error!r}") from error


def _read(device: Device) -> Calibration:
    if device.simulator:
        raise NoCalibration(f"{device.name} is a simulator without noise, and has no calibration")
    gates = _gates(device)
    couplers = _couplers(device)
    size = _size(device)
    if not len(couplers):
        raise NoCalibration(f"Braket does not tell which qubits of {device.name} are coupled")
    told = _standardized(device, gates, couplers, size)
    figures, filled = _completed(told, _published(device))
    for what, column in (
        ("one-qubit", figures.gate1),
        ("two-qubit", figures.gate2),
        ("readout", figures.readout),
    ):
        if np.isnan(column).all():
            raise NoCalibration(f"Braket tells no {what} fidelity of {device.name}")
    taken_at = device.updated_at()
    if taken_at is None:
        raise NoCalibration(f"Braket does not tell when the figures of {device.name} were taken")
    source = f"Amazon Braket, {device.arn}"
    return Calibration(
        device=device.arn,
        taken_at=taken_at,
        one_qubit_gates=gates.one_qubit,
        two_qubit_gate=gates.two_qubit,
        virtual_gates=gates.virtual,
        t1_s=figures.t1_s,
        t2_s=figures.t2_s,
        readout_p10=figures.readout,
        readout_p01=figures.readout,
        readout_s=figures.readout_s,
        gate1_error=figures.gate1,
        gate1_s=figures.gate1_s,
        couplers=couplers,
        gate2_error=figures.gate2,
        gate2_s=figures.gate2_s,
        reset_s=figures.reset_s,
        dynamic=False,
        source=f"{source}; published elsewhere: {', '.join(filled)}" if filled else source,
    )


def _gates(device: Device) -> _Gates:
    natives = device.natives
    if natives >= {"prx", "cz"}:
        return _Gates(("r",), "cz", (), "cz")
    if natives >= {"gpi", "gpi2", "zz"}:
        return _Gates(("sx", "x"), "rzz", ("rz",), "zz")
    if natives >= {"gpi", "gpi2", "ms"}:
        return _Gates(("sx", "x"), "rxx", ("rz",), "ms")
    for link in ("iswap", "cz"):
        if natives >= {"rx", "rz", link}:
            return _Gates(("sx", "x"), link, ("rz",), link)
    told = ", ".join(sorted(natives)) or "none"
    raise NoCalibration(f"the native gates of {device.name} are not known to qsched: {told}")


def _size(device: Device) -> int:
    labels = device.labels()
    return max(labels) - device.first_label + 1 if labels else device.qubits


def _couplers(device: Device) -> NDArray[np.int32]:
    wired = device.capabilities.paradigm.connectivity
    if wired is not None and wired.connectivity_graph:
        first = device.first_label
        pairs = {
            (min(int(one), int(other)) - first, max(int(one), int(other)) - first)
            for one, others in wired.connectivity_graph.items()
            for other in others
        }
        return np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
    if wired is not None and wired.fully_connected:
        return np.stack(np.triu_indices(device.qubits, k=1), axis=1).astype(np.int32)
    return np.zeros((0, 2), dtype=np.int32)


def _standardized(device: Device, gates: _Gates, couplers: NDArray[np.int32], size: int) -> _Figures:
    told = device.capabilities.standardized or {}
    qubits = told.get("oneQubitProperties") or {}
    links = told.get("twoQubitProperties") or {}
    first = device.first_label
    mean = _means(device)

    def qubit(key: str, names: tuple[str, ...]) -> Floats:
        column = np.full(size, mean[key])
        for label, properties in qubits.items():
            error = _error(properties.get("oneQubitFidelity", ()), names)
            if not math.isnan(error):
                column[int(label) - first] = error
        return column

    def time_s(key: str) -> Floats:
        column = np.full(size, mean[key])
        for label, properties in qubits.items():
            if key in properties:
                column[int(label) - first] = _seconds(properties[key])
        return column

    position = {(int(one), int(other)): row for row, (one, other) in enumerate(couplers)}
    gate2 = np.full(len(couplers), mean["gate2"])
    for name, properties in links.items():
        one, other = sorted(int(label) - first for label in name.split("-"))
        row = position.get((one, other))
        error = _link_error(properties.get("twoQubitGateFidelity", ()), gates.link)
        if row is not None and not math.isnan(error):
            gate2[row] = error
    return _Figures(
        t1_s=time_s("T1"),
        t2_s=time_s("T2"),
        readout=qubit("readout", _READOUT),
        readout_s=np.full(size, mean["readout_s"]),
        gate1=qubit("gate1", _PULSE),
        gate1_s=np.full(size, mean["gate1_s"]),
        gate2=gate2,
        gate2_s=np.full(len(couplers), mean["gate2_s"]),
        reset_s=mean["reset_s"],
    )


def _means(device: Device) -> dict[str, float]:
    """Figures of the whole device, as IonQ gives them."""
    told = device.capabilities.standardized or {}
    maker = device.capabilities.provider or {}
    fidelity, timing = maker.get("fidelity") or {}, maker.get("timing") or {}

    def error(standard: str, own: str) -> float:
        value = _error(told.get(standard) or (), ())
        return value if not math.isnan(value) else 1 - float(fidelity.get(own, {}).get("mean", math.nan))

    def seconds(standard: str, own: str) -> float:
        given = told.get(standard)
        return _seconds(given) if given else float(timing.get(own, math.nan))

    return {
        "T1": seconds("T1", "T1"),
        "T2": seconds("T2", "T2"),
        "gate1": error("singleQubitFidelity", "1Q"),
        "gate2": error("twoQubitGateFidelity", "2Q"),
        "readout": error("readoutFidelity", "spam"),
        "gate1_s": seconds("singleQubitGateDuration", "1Q"),
        "gate2_s": seconds("twoQubitGateDuration", "2Q"),
        "readout_s": seconds("readoutDuration", "readout"),
        "reset_s": seconds("activeResetDuration", "reset"),
    }


def _error(fidelities: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> float:
    """One less the fidelity of the first of these kinds that is there; of any kind without names."""
    known = {(each.get("fidelityType") or {}).get("name", ""): float(each["fidelity"]) for each in fidelities}
    found = [known[name] for name in names if name in known] if names else list(known.values())
    return 1 - found[0] if found else math.nan


def _link_error(fidelities: Iterable[Mapping[str, Any]], gate: str) -> float:
    found = [float(each["fidelity"]) for each in fidelities if each.get("gateName", "").lower() == gate]
    return 1 - max(found) if found else math.nan


def _seconds(told: Mapping[str, Any]) -> float:
    return float(told["value"]) * _UNITS_S.get(str(told.get("unit", "s")).lower(), math.nan)


def _published(device: Device) -> Calibration | None:
    name = _PUBLISHED.get("/".join(device.arn.split("/")[-2:]))
    return read_published(name) if name is not None else None


def _completed(told: _Figures, published: Calibration | None) -> tuple[_Figures, list[str]]:
    """What is told, with medians of published figures in columns of which nothing is; and which those are."""
    if published is None:
        return told, []
    own = {
        "t1_s": published.t1_s,
        "t2_s": published.t2_s,
        "readout": published.readout_error,
        "readout_s": published.readout_s,
        "gate1_s": published.gate1_s,
        "gate2_s": published.gate2_s,
        "reset_s": np.array([published.reset_s]),
    }
    filled: dict[str, Any] = {}
    for name, column in own.items():
        mine = getattr(told, name)
        if np.isnan(mine).all():
            typical = float(np.nanmedian(column))
            filled[name] = typical if name == "reset_s" else np.full(len(mine), typical)
    return told._replace(**filled), [_WORDS[name] for name in filled]


_WORDS = {
    "t1_s": "T1",
    "t2_s": "T2",
    "readout": "readout error",
    "readout_s": "readout duration",
    "gate1_s": "duration of one-qubit gates",
    "gate2_s": "duration of two-qubit gates",
    "reset_s": "time between shots",
}
