"""The devices of the IBM emulator: twins of snapshots that IBM published, and what its API says of them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsched_aer.snapshots import load_snapshot
from qsched_emulators.twins import Device, now

if TYPE_CHECKING:
    from qsched.api.calibration import Calibration
    from qsched_emulators.twins import Cloud

SNAPSHOTS = {
    "ibm_torino": "torino",  # Heron, cz
    "ibm_sherbrooke": "sherbrooke",  # Eagle, ecr
    "ibm_lagos": "lagos",  # Falcon with seven qubits, cx: quick to simulate
    "ibm_perth": "perth",  # likewise
}
"""The snapshot behind each device."""


def devices(pace: float) -> list[Device]:
    """The devices, idle and online, and calibrated an hour ago, as IBM's mostly are.

    Args:
        pace: Multiplies how long tasks wait and run.
    """
    taken_at = now() - dt.timedelta(hours=1)
    calibrations = {
        name: replace(load_snapshot(snapshot), taken_at=taken_at) for name, snapshot in SNAPSHOTS.items()
    }
    return [
        Device(name, calibration, calibration.qubits, wait_s=0.2 * pace, run_s=0.3 * pace)
        for name, calibration in calibrations.items()
    ]


def configuration(name: str) -> dict[str, Any]:
    """What ``GET /backends/NAME/configuration`` answers."""
    return {**_read(name, "conf"), "backend_name": name}


def properties(cloud: Cloud, name: str) -> dict[str, Any]:
    """What ``GET /backends/NAME/properties`` answers: the snapshot's, with its twin's errors and date."""
    calibration = cloud.devices[name].calibration
    assert calibration is not None
    told = _read(name, "props")
    errors = _two_qubit_errors(calibration)
    gates = [_with_error(gate, errors.get(tuple(sorted(gate["qubits"])))) for gate in told["gates"]]
    date = calibration.taken_at.isoformat()
    return {**told, "backend_name": name, "gates": gates, "last_update_date": date}


def status(cloud: Cloud, name: str) -> dict[str, Any]:
    """What ``GET /backends/NAME/status`` answers."""
    online = cloud.devices[name].online
    return {
        "state": online,
        "status": "active" if online else "maintenance",
        "message": "" if online else "the device is being maintained",
        "length_queue": cloud.waiting(name),
        "backend_version": configuration(name)["backend_version"],
    }


def listed(cloud: Cloud, name: str) -> dict[str, Any]:
    """A device in the answer of ``GET /backends``."""
    device = cloud.devices[name]
    return {
        "name": name,
        "qubits": device.qubits,
        "queue_length": cloud.waiting(name),
        "status": {"name": "online" if device.online else "offline", "reason": "available"},
        "is_simulator": False,
        "processor_type": configuration(name).get("processor_type"),
    }


@cache
def _read(name: str, what: str) -> dict[str, Any]:
    """A file of the snapshot, as it is on the wire."""
    spec = find_spec("qiskit_ibm_runtime")
    assert spec is not None
    assert spec.submodule_search_locations
    snapshot = SNAPSHOTS[name]
    folder = Path(spec.submodule_search_locations[0]) / "fake_provider" / "backends" / snapshot
    content: dict[str, Any] = json.loads((folder / f"{what}_{snapshot}.json").read_bytes())
    return content


def _two_qubit_errors(calibration: Calibration) -> dict[tuple[int, ...], float]:
    return {
        tuple(sorted(pair)): error
        for pair, error in zip(calibration.couplers.tolist(), calibration.gate2_error.tolist(), strict=True)
    }


def _with_error(gate: dict[str, Any], error: float | None) -> dict[str, Any]:
    if error is None or len(gate["qubits"]) != 2:
        return gate
    figures = [
        {**figure, "value": error} if figure["name"] == "gate_error" else figure
        for figure in gate["parameters"]
    ]
    return {**gate, "parameters": figures}
