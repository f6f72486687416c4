"""What the study is of: circuits, calibrations, and the truth of each pair."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from benchmarks.cache import cached
from benchmarks.progress import track
from benchmarks.scenarios.circuits import circuits
from benchmarks.truth.simulate import Truth, simulate
from qsched.circuits.hashing import circuit_hash
from qsched.circuits.profile import profile
from qsched.circuits.qpy import from_qpy
from qsched.circuits.transpile import transpile
from qsched.circuits.usage import Usage
from qsched.fleet.quality import quality
from qsched.fleet.target import to_target
from qsched_aer.snapshots import load_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qiskit import QuantumCircuit

    from qsched.api.calibration import Calibration

SEED = 5
LEVEL = 2
SIZES = (3, 5, 7)
MOST_GATES2 = 100
"""Two-qubit gates of a circuit's profile; of larger ones next to nothing is left on any device here."""

FALCONS = (
    "algiers", "auckland", "cairo", "geneva", "hanoi", "kolkata", "montreal", "mumbai", "paris",
    "peekskill", "sydney",
)  # fmt: skip
"""The hard pool: one layout of 27 qubits, calibrations much alike. Toronto, the twelfth of them, is left out:
its snapshot has every duration sixteen times too long."""

OTHERS = (
    "casablanca", "jakarta", "lagos", "nairobi", "oslo", "perth",
    "guadalupe", "almaden", "boeblingen", "johannesburg", "poughkeepsie", "singapore",
    "cambridge", "brooklyn", "washington", "brisbane", "sherbrooke", "kyiv", "torino", "fez",
)  # fmt: skip
"""Devices of 7 to 156 qubits and of every generation from 2020 to 2025 (Penguin, Falcon, Hummingbird, Eagle,
Heron), so that a pool may hold anything."""

DEVICES = FALCONS + OTHERS

_PS = 1e12
_PER = 1e4
_KIND = "truth-2"


class Case(NamedTuple):
    """What a truth is wanted of.

    Attributes:
        key: What the truth depends on, besides the code that makes it.
        circuit: The circuit.
        known: The calibration that the scheduler has, and transpiles for.
        real: What the device is like when the circuit runs; mostly the same.
    """

    key: str
    circuit: QuantumCircuit
    known: Calibration
    real: Calibration


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """One circuit on one device.

    Attributes:
        key: Of the case.
        truth: How well it does.
        couplers: Physical pairs that it uses, flat.
        coupler_gates: Two-qubit gates on each.
        qubits: Physical qubits that it uses.
        gates1: Pulses on each.
        measurements: Of each.
        idle_qubit: The qubit of each idle interval.
        idle_ps: Its length in picoseconds, the unit in which devices are scheduled.
        idle_excited: The probability that the qubit holds 1 meanwhile, in units of 1e-4.
        idle_coherence: The magnitude of its density matrix's other element, in units of 1e-4.
        critical_path_ps: From the first to the last operation.
    """

    key: str
    truth: Truth
    couplers: list[int]
    coupler_gates: list[int]
    qubits: list[int]
    gates1: list[int]
    measurements: list[int]
    idle_qubit: list[int]
    idle_ps: list[int]
    idle_excited: list[int]
    idle_coherence: list[int]
    critical_path_ps: int

    @property
    def usage(self) -> Usage:
        """What the transpiled circuit uses, as the estimator takes it."""
        return Usage(
            couplers=np.array(self.couplers, dtype=np.int32).reshape(-1, 2),
            coupler_gates=np.array(self.coupler_gates, dtype=np.int64),
            qubits=np.array(self.qubits, dtype=np.int32),
            gates1=np.array(self.gates1, dtype=np.int64),
            measurements=np.array(self.measurements, dtype=np.int64),
            idle_qubit=np.array(self.idle_qubit, dtype=np.int32),
            idle_s=np.array(self.idle_ps, dtype=np.float64) / _PS,
            idle_excited=np.array(self.idle_excited, dtype=np.float64) / _PER,
            idle_coherence=np.array(self.idle_coherence, dtype=np.float64) / _PER,
            critical_path_s=self.critical_path_ps / _PS,
        )


@cache
def study_circuits(sizes: tuple[int, ...] = SIZES) -> list[QuantumCircuit]:
    """The circuits of the study: MQT Bench families without mid-circuit measurement, by size.

    Distinct in content: a family may give the same circuit as another one.
    """
    found = {
        circuit_hash(circuit): circuit
        for circuit in circuits(sizes, seed=SEED)
        if profile(circuit).n2 <= MOST_GATES2
    }
    return list(found.values())


def study_cases() -> list[list[Case]]:
    """Each circuit of the study on each device."""
    calibrations = [load_snapshot(device) for device in DEVICES]
    return [cases(circuit, zip(calibrations, calibrations, strict=True)) for circuit in study_circuits()]


def cases(circuit: QuantumCircuit, devices: Iterable[tuple[Calibration, Calibration]]) -> list[Case]:
    """One circuit on several devices, each the calibration that is known and the real one."""
    content, made_with = circuit_hash(circuit)[:16], f"{LEVEL}-{SEED}-{version('qiskit')}"
    found = []
    for known, real in devices:
        key = f"{content}-{known.id}-{made_with}"
        found.append(Case(key if real == known else f"{key}-{real.id}", circuit, known, real))
    return found


def make_pair(case: Case) -> Pair:
    """Transpile as the scheduler does, and simulate."""
    made = transpile(case.circuit, to_target(case.known), level=LEVEL, seed=SEED)
    usage = made.usage
    return Pair(
        key=case.key,
        truth=simulate(from_qpy(made.qpy, name=case.circuit.name), quality(case.real)),
        couplers=usage.couplers.reshape(-1).tolist(),
        coupler_gates=usage.coupler_gates.tolist(),
        qubits=usage.qubits.tolist(),
        gates1=usage.gates1.tolist(),
        measurements=usage.measurements.tolist(),
        idle_qubit=usage.idle_qubit.tolist(),
        idle_ps=np.rint(usage.idle_s * _PS).astype(np.int64).tolist(),
        idle_excited=np.rint(usage.idle_excited * _PER).astype(np.int64).tolist(),
        idle_coherence=np.rint(usage.idle_coherence * _PER).astype(np.int64).tolist(),
        critical_path_ps=round(usage.critical_path_s * _PS),
    )


def make_pairs(wanted: Sequence[Case], processes: int = 2) -> Iterator[Pair]:
    """The pairs of some cases, each made once and kept, by several processes of one thread each.

    Args:
        wanted: Those of one calibration together are fastest: a device's transpiler takes longer to make than
            a small circuit to map.
        processes: How many.

    Yields:
        A pair for each case, in their order.
    """
    # The matrices are small: threads cost more than they give. The processes inherit this.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from track(pool.map(_kept, wanted, chunksize=8), "simulating", total=len(wanted))


def _kept(case: Case) -> Pair:
    return cached(_KIND, case.key, lambda: make_pair(case), Pair)
