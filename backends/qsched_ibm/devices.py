"""What IBM's service says of its devices, in qsched's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.api.backend_properties import from_backend_properties
from qsched.drivers import DeviceInfo, DeviceStatus, NoCalibration
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.drivers import Calibration

_ACTIVE = "active"
_REPETITION_S = 1e-3
"""Seconds between shots of a device that says nothing of it: old ones repeated once a millisecond."""


def device_info(entry: Mapping[str, Any], location: str) -> DeviceInfo:
    """A device of the service's list.

    Args:
        entry: One of ``devices`` in the answer of ``GET /backends``.
        location: The region of the instance.
    """
    processor = entry.get("processor_type") or {}
    family = " ".join(str(processor[key]) for key in ("family", "revision") if processor.get(key))
    state = (entry.get("status") or {}).get("name", "")
    words = [family and f"{family} processor", state if state not in {"", "online"} else ""]
    return DeviceInfo(
        device=str(entry["name"]),
        qubits=max(0, int(entry.get("qubits") or 0)),
        simulator=bool(entry.get("is_simulator")),
        description=", ".join(filter(None, words)),
        provider="ibm",
        location=location,
    )


def device_status(device: str, answer: Mapping[str, Any]) -> DeviceStatus:
    """How a device is.

    A device that is "internal" or "paused" still takes jobs and runs none of them, so it counts as offline.

    Args:
        device: Its name.
        answer: Of ``GET /backends/NAME/status``.
    """
    said = str(answer.get("status") or "")
    online = bool(answer.get("state")) and said in {"", _ACTIVE}
    depth = answer.get("length_queue")
    reason = ": ".join(dict.fromkeys(filter(None, (said, str(answer.get("message") or "")))))
    return DeviceStatus(
        online=online,
        queue_depth=depth if isinstance(depth, int) and depth >= 0 else None,
        message="" if online else f"{device} is offline" + (f": {reason}" if reason else ""),
    )


def used_up(usage: Mapping[str, Any]) -> str:
    """Why the instance runs no jobs at all: it has no time left; empty if it has.

    Args:
        usage: The answer of ``GET /instances/usage``.
    """
    if not usage.get("usage_limit_reached"):
        return ""
    limit = usage.get("usage_limit_seconds")
    of = f" of {limit} s" if limit else ""
    return f"the IBM Quantum instance has used up its time{of}; jobs would wait until it gets more"


def calibration(
    device: str, configuration: Mapping[str, Any], properties: Mapping[str, Any] | None
) -> Calibration:
    """A device's calibration.

    Args:
        device: Its name.
        configuration: The answer of ``GET /backends/NAME/configuration``.
        properties: That of ``GET /backends/NAME/properties``; empty for a device that measures none.

    Raises:
        NoCalibration: If there are none, or they cannot be read.
    """
    if configuration.get("simulator") or not properties:
        raise NoCalibration(f"IBM Quantum gives no properties of {device}")
    try:
        return from_backend_properties(
            _without_faulty(properties),
            device=device,
            basis_gates=configuration["basis_gates"],
            reset_s=_reset_s(configuration),
            dynamic="if_else" in (configuration.get("supported_instructions") or ()),
            source="IBM Quantum",
        )
    except (InvalidInput, KeyError, TypeError) as error:
        raise NoCalibration(
            f"the properties that IBM Quantum gives of {device} cannot be read: {error}"
        ) from error


def _reset_s(configuration: Mapping[str, Any]) -> float:
    """Seconds between shots; the service tells microseconds."""
    delay = configuration.get("default_rep_delay")
    return _REPETITION_S if delay is None else float(delay) * 1e-6


def _without_faulty(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties with an error of 1 wherever a qubit or gate is marked as not operational.

    Such a qubit may have the fine figures of a better day; IBM refuses circuits that touch it.
    """
    faulty = {number for number, figures in enumerate(properties["qubits"]) if _is_faulty(figures)}
    gates = [
        _dead(gate) if _is_faulty(gate["parameters"]) or faulty.intersection(gate["qubits"]) else gate
        for gate in properties["gates"]
    ]
    return {**properties, "gates": gates}


def _is_faulty(figures: list[dict[str, Any]]) -> bool:
    return any(figure["name"] == "operational" and not figure["value"] for figure in figures)


def _dead(gate: dict[str, Any]) -> dict[str, Any]:
    others = [figure for figure in gate["parameters"] if figure["name"] != "gate_error"]
    return {**gate, "parameters": [*others, {"name": "gate_error", "value": 1.0, "unit": ""}]}
