"""The devices of the emulated Amazon Braket, and how ``GetDevice`` describes them.

Descriptions are made by Braket's own schema classes from the twin's calibration, so that it shows when that
changes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.presets.published import read_published
from qsched_emulators.braket_programs import OPERATIONS
from qsched_emulators.twins import Device, now

if TYPE_CHECKING:
    from qsched.api.calibration import Calibration

_ALWAYS = {"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}
_OPENQASM = "braket.ir.openqasm.program"


@dataclass(frozen=True)
class Model:
    """What of a device never changes.

    Attributes:
        arn: Its name.
        provider: Its maker, as Amazon writes it.
        natives: Its native gates, as Amazon writes them.
        first: Amazon's number of the calibration's qubit 0.
        link: Its two-qubit gate, as Amazon writes it.
        shots: The least and the most.
        published: Where its twin's figures come from; no twin when empty.
        qubits: How many it has, where it has no twin.
        analogue: Whether it takes analogue programs instead of circuits.
        retired: Whether it was taken out of service.
    """

    arn: str
    provider: str
    natives: tuple[str, ...] = ()
    first: int = 0
    link: str = ""
    shots: tuple[int, int] = (1, 100_000)
    published: str = ""
    qubits: int = 0
    analogue: bool = False
    retired: bool = False

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.arn.rsplit("/", 1)[1].upper() if self.simulator else self.arn.rsplit("/", 1)[1]

    @property
    def simulator(self) -> bool:
        """Whether it is one of Amazon's simulators."""
        return "quantum-simulator" in self.arn

    @property
    def region(self) -> str:
        """Where it is; empty for everywhere."""
        return self.arn.split(":")[3]


def _arn(region: str, path: str) -> str:
    return f"arn:aws:braket:{region}::device/{path}"


FORTE = Model(
    _arn("us-east-1", "qpu/ionq/Forte-1"),
    "IonQ",
    ("GPI", "GPI2", "ZZ"),
    shots=(1, 5000),
    published="ionq-forte",
)
ARIA = Model(
    _arn("us-east-1", "qpu/ionq/Aria-1"),
    "IonQ",
    ("GPI", "GPI2", "MS"),
    shots=(1, 5000),
    published="ionq-aria",
)
GARNET = Model(
    _arn("eu-north-1", "qpu/iqm/Garnet"),
    "IQM",
    ("cz", "prx"),
    first=1,
    link="CZ",
    shots=(1, 20_000),
    published="iqm-garnet",
)
ANKAA = Model(
    _arn("us-west-1", "qpu/rigetti/Ankaa-3"),
    "Rigetti",
    ("rx", "rz", "iswap"),
    link="ISWAP",
    shots=(1, 50_000),
    published="rigetti-ankaa",
)
SV1 = Model(_arn("", "quantum-simulator/amazon/sv1"), "Amazon Braket", qubits=34)
AQUILA = Model(_arn("us-east-1", "qpu/quera/Aquila"), "QuEra", qubits=256, analogue=True)
HARMONY = Model(
    _arn("us-east-1", "qpu/ionq/Harmony"), "IonQ", ("GPI", "GPI2", "MS"), published="ionq-aria", retired=True
)

MODELS = {model.arn: model for model in (FORTE, ARIA, GARNET, ANKAA, SV1, AQUILA, HARMONY)}


def devices(pace: float) -> list[Device]:
    """The devices as the cloud runs them, calibrated an hour ago."""
    taken_at = now() - dt.timedelta(hours=1)
    return [_device(model, taken_at, pace) for model in MODELS.values()]


def describe(model: Model, calibration: Calibration | None) -> dict[str, Any]:
    """A device's ``deviceCapabilities``, as JSON content."""
    import json

    return json.loads(_capabilities(model, calibration).json(exclude_none=True))  # type: ignore[no-any-return]


def _device(model: Model, taken_at: dt.datetime, pace: float) -> Device:
    calibration = replace(read_published(model.published), taken_at=taken_at) if model.published else None
    return Device(
        name=model.arn,
        calibration=calibration,
        qubits=calibration.qubits if calibration is not None else model.qubits,
        run_s=(0.02 if model.simulator else 0.05) * pace,
        online=not model.retired,
    )


def _capabilities(model: Model, calibration: Calibration | None) -> Any:
    from braket.device_schema.ionq import IonqDeviceCapabilities
    from braket.device_schema.iqm import IqmDeviceCapabilities
    from braket.device_schema.rigetti.rigetti_device_capabilities_v2 import RigettiDeviceCapabilities
    from braket.device_schema.simulators import GateModelSimulatorDeviceCapabilities

    if model.analogue:
        return _analogue(model)
    if calibration is None:
        return GateModelSimulatorDeviceCapabilities.parse_obj(
            {
                "service": _service(model, None),
                "action": {_OPENQASM: _action(contiguous=False, physical=False)},
                "paradigm": {"qubitCount": model.qubits},
                "deviceParameters": {},
            }
        )
    kinds = {
        "IonQ": IonqDeviceCapabilities,
        "IQM": IqmDeviceCapabilities,
        "Rigetti": RigettiDeviceCapabilities,
    }
    ions = model.provider == "IonQ"
    return kinds[model.provider].parse_obj(
        {
            "service": _service(model, calibration.taken_at),
            "action": {_OPENQASM: _action(contiguous=ions, physical=not ions)},
            "paradigm": _paradigm(model, calibration),
            "deviceParameters": {},
            "standardized": _ion_figures(calibration) if ions else _figures(model, calibration),
        }
    )


def _analogue(model: Model) -> Any:
    from braket.device_schema.quera import QueraDeviceCapabilities

    return QueraDeviceCapabilities.construct(
        service=_service(model, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        action={"braket.ir.ahs.program": {"version": ["1"], "actionType": "braket.ir.ahs.program"}},
        deviceParameters={},
        paradigm={"qubitCount": model.qubits},
    )


def _service(model: Model, updated_at: dt.datetime | None) -> dict[str, Any]:
    return {
        "executionWindows": [_ALWAYS],
        "shotsRange": model.shots,
        "deviceLocation": model.region or None,
        "updatedAt": updated_at.isoformat() if updated_at is not None else None,
    }


def _action(*, contiguous: bool, physical: bool) -> dict[str, Any]:
    return {
        "version": ["1"],
        "actionType": _OPENQASM,
        "supportedOperations": list(OPERATIONS),
        "supportedResultTypes": [],
        "supportedPragmas": ["verbatim"],
        "supportPhysicalQubits": physical,
        "requiresContiguousQubitIndices": contiguous,
        "maximumClassicalArrays": 1,
    }


def _paradigm(model: Model, calibration: Calibration) -> dict[str, Any]:
    graph: dict[str, list[str]] = {}
    full = model.provider == "IonQ"
    for one, other in [] if full else (calibration.couplers + model.first).tolist():
        graph.setdefault(str(one), []).append(str(other))
        graph.setdefault(str(other), []).append(str(one))
    return {
        "qubitCount": calibration.qubits if full else len(graph),
        "nativeGateSet": list(model.natives),
        "connectivity": {"fullyConnected": full, "connectivityGraph": graph},
    }


def _figures(model: Model, calibration: Calibration) -> dict[str, Any]:
    wired = np.unique(calibration.couplers)
    return {
        "oneQubitProperties": {
            str(qubit + model.first): {
                "T1": {"value": calibration.t1_s[qubit], "unit": "S"},
                "T2": {"value": calibration.t2_s[qubit], "unit": "S"},
                "oneQubitFidelity": [
                    _kind("RANDOMIZED_BENCHMARKING", calibration.gate1_error[qubit]),
                    _kind("READOUT", calibration.readout_error[qubit]),
                ],
            }
            for qubit in wired.tolist()
        },
        "twoQubitProperties": {
            f"{one + model.first}-{other + model.first}": {
                "twoQubitGateFidelity": [
                    {"gateName": model.link, **_kind("INTERLEAVED_RANDOMIZED_BENCHMARKING", error)}
                ]
            }
            for (one, other), error in zip(
                calibration.couplers.tolist(), calibration.gate2_error.tolist(), strict=True
            )
        },
    }


def _ion_figures(calibration: Calibration) -> dict[str, Any]:
    def fidelity(error: float) -> list[dict[str, Any]]:
        return [{"fidelity": 1 - error, "unit": "fraction"}]

    def seconds(value: float) -> dict[str, Any]:
        return {"value": value, "unit": "s"}

    return {
        "T1": seconds(calibration.t1_s[0]),
        "T2": seconds(calibration.t2_s[0]),
        "readoutFidelity": fidelity(calibration.readout_error[0]),
        "readoutDuration": seconds(calibration.readout_s[0]),
        "singleQubitGateDuration": seconds(calibration.gate1_s[0]),
        "singleQubitFidelity": fidelity(calibration.gate1_error[0]),
        "twoQubitGateFidelity": fidelity(calibration.gate2_error[0]),
        "twoQubitGateDuration": seconds(calibration.gate2_s[0]),
        "activeResetDuration": seconds(calibration.reset_s),
        "updatedAt": calibration.taken_at.isoformat(),
    }


def _kind(name: str, error: float) -> dict[str, Any]:
    return {"fidelityType": {"name": name}, "fidelity": 1 - error}
