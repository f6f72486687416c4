"""Backends, circuits and jobs of known quality, made from the real types."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest

from qsched.api.backend import BackendSpec, Pricing
from qsched.api.calibration import Calibration
from qsched.api.job import Circuit, JobSpec, Requirements
from qsched.circuits.profile import Profile
from qsched.fleet.quality import DeviceQuality, quality
from qsched.fleet.snapshot import BackendRecord
from qsched.scoring.jobs import JobRecord

TABLES = ("e1", "e2", "er", "t1_s", "t2_s", "link_s")
NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)


def ring(qubits: int = 7, **changes: object) -> Calibration:
    """A device whose qubits form a ring, with a calibration one hour old."""
    couplers = np.array([(i, (i + 1) % qubits) for i in range(qubits)] if qubits > 1 else [], dtype=np.int32)
    per_qubit = {
        "t1_s": 100e-6,
        "t2_s": 80e-6,
        "readout_p10": 0.01,
        "readout_p01": 0.03,
        "readout_s": 1e-6,
        "gate1_error": 3e-4,
        "gate1_s": 35e-9,
    }
    fields = {
        "device": "ring",
        "taken_at": NOW - dt.timedelta(hours=1),
        "one_qubit_gates": ("sx", "x"),
        "two_qubit_gate": "cx",
        "virtual_gates": ("rz",),
        "couplers": couplers.reshape(-1, 2),
        "gate2_error": np.full(len(couplers), 0.01),
        "gate2_s": np.full(len(couplers), 300e-9),
        "reset_s": 250e-6,
        "dynamic": True,
    }
    columns = {name: np.full(qubits, value) for name, value in per_qubit.items()}
    return Calibration(**{**fields, **columns, **changes})


def device(qubits: int = 7, **changes: object) -> DeviceQuality:
    """The quality of a ring, with figures replaced; of tables by one number."""
    found = quality(ring(qubits))
    shape = 2, found.qubits + 1
    tables = {name: np.full(shape, changes[name]) for name in TABLES if name in changes}
    return dataclasses.replace(found, **(changes | tables))


def backend(name: str = "ring", **changes: object) -> BackendRecord:
    """A QPU with a calibration one hour old and a wait of a minute; fields of its spec are recognised."""
    spec_fields = set(BackendSpec.__struct_fields__)
    spec = {"driver": "fake", "device": name} | {k: v for k, v in changes.items() if k in spec_fields}
    record = {
        "name": name,
        "spec": BackendSpec(**spec),
        "quality": device(),
        "calibration_id": "cal-" + name,
        "calibration_taken_at": NOW - dt.timedelta(hours=1),
        "wait_s": 60.0,
        "wait_p90_s": 180.0,
        "overhead_s": 3.0,
        "service_s": 10.0,
    }
    return BackendRecord(**(record | {k: v for k, v in changes.items() if k not in spec_fields}))


def circuit(**changes: object) -> Profile:
    """A five-qubit circuit that has to be routed."""
    fields = {
        "hash": "c",
        "qubits": 5,
        "n1": 20,
        "n2": 12,
        "measurements": 5,
        "depth2": 8,
        "path1": 4,
        "path2": 8,
        "path_m": 1,
        "idle": 16.0,
        "interactions": 10,
        "density": 0.4,
        "line": False,
        "cliffordness": 1.0,
        "dynamic": False,
    }
    return Profile(**(fields | changes))


def job(
    name: str = "job", *, profiles: list[Profile] | None = None, age_s: float = 0.0, **changes: object
) -> JobRecord:
    """A job; fields of its spec and of its requirements are recognised."""
    profiles = profiles or [circuit()]
    needs = {k: v for k, v in changes.items() if k in Requirements.__struct_fields__}
    circuits = [Circuit(name=f"c{i}", qasm="OPENQASM 3.0;") for i in range(len(profiles))]
    rest = {k: v for k, v in changes.items() if k not in needs}
    spec = JobSpec(circuits=circuits, requirements=Requirements(**needs), **rest)
    return JobRecord(name=name, spec=spec, profiles=profiles, submitted_at=NOW - dt.timedelta(seconds=age_s))


def price(currency: str = "USD", **changes: str) -> Pricing:
    return Pricing(currency=currency, **changes)


class Make:
    """What the tests of scoring are made of."""

    now = NOW
    ring = staticmethod(ring)
    device = staticmethod(device)
    backend = staticmethod(backend)
    circuit = staticmethod(circuit)
    job = staticmethod(job)
    price = staticmethod(price)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
