"""``Fleet``: an immutable snapshot of all backends, as columns, at one moment."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.api.quantities import duration_s
from qsched.fleet.durations import REPETITION_S
from qsched.fleet.windows import closes_in_s

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from qsched.api.backend import BackendSpec, Pricing
    from qsched.fleet.quality import DeviceQuality

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]
    Bools = NDArray[np.bool_]

RECALIBRATES_EVERY_S = 86_400.0
"""How often a device is calibrated when its backend does not say."""

UNLIMITED_QUBITS = 1_000_000
"""Qubits of an ideal simulator that does not state its number."""

_WORST_ERROR = 1 - 1e-12


@dataclass(frozen=True, kw_only=True)
class BackendRecord:
    """What is known of one backend now: its declaration, its calibration, its status, its wait.

    Attributes:
        name: The backend's name.
        spec: Its declaration.
        labels: Its labels, for selectors.
        quality: Its calibration's quality; None without a calibration. A simulator without one is ideal; a
            QPU without one cannot be estimated.
        calibration_id: The calibration's id.
        calibration_taken_at: When it was taken.
        simulator: Whether no real device does the work.
        qubits: Qubits of a backend without a calibration; None when it does not say.
        online: Whether it takes tasks.
        message: Why it does not, for people.
        queue_depth: Tasks that wait or run there; None when unknown.
        wait_s: Median seconds until a task sent now starts.
        wait_p90_s: The 90 % quantile of the same.
        in_flight: Tasks of ours that wait or run there.
        overhead_s: Seconds that a task of a few shots takes besides its shots.
        service_s: Mean seconds on the device of one task.
        run_factor: What runs took over what was computed for them (``durations.RunModel``).
        compiles: Whether it takes circuits that were not transpiled for it.
        charges: Whether its provider charges for tasks, so that one without a price is not free.
    """

    name: str
    spec: BackendSpec
    labels: Mapping[str, str] = field(default_factory=dict)
    quality: DeviceQuality | None = None
    calibration_id: str | None = None
    calibration_taken_at: dt.datetime | None = None
    simulator: bool = False
    qubits: int | None = None
    online: bool = True
    message: str = ""
    queue_depth: int | None = None
    wait_s: float = 0.0
    wait_p90_s: float = 0.0
    in_flight: int = 0
    overhead_s: float = 0.0
    service_s: float = 0.0
    run_factor: float = 1.0
    compiles: bool = True
    charges: bool = False


@dataclass(frozen=True, eq=False)
class Fleet:
    """All backends at one moment. B is their number; every array is read-only.

    Log errors are log(1 - e), at most 0. Prices are in each backend's own currency, and 0 without a
    price. Tables of the number of qubits, N numbers long, continue their last value where a device has
    fewer, so that any number indexes them. Those with two rows are of circuits whose qubits interact in a
    line, and of all others (``fleet.region``).

    Attributes:
        now: The moment.
        records: What the columns were made from, in their order.
        currencies: The currencies that ``currency`` indexes.
        simulator: (B,) whether no real device does the work.
        online: (B,) whether it takes tasks.
        paused: (B,) whether its owner stopped it.
        uncalibrated: (B,) QPUs without a calibration.
        dynamic: (B,) whether it takes mid-circuit measurement.
        compiles: (B,) whether it takes circuits that were not transpiled for it.
        qubits: (B,) usable qubits.
        log1: (B, 2, N) log(1 - e1), one-qubit pulses.
        log2: (B, 2, N) log(1 - e2), two-qubit gates.
        log_readout: (B, 2, N) log(1 - er), measurements.
        t1_s: (B, 2, N) seconds, perhaps infinite.
        t2_s: (B, 2, N) seconds, perhaps infinite, at most 2 T1.
        link_s: (B, 2, N) seconds of a two-qubit gate where the circuit is put.
        longest_line: (B,) qubits of the longest line of couplers.
        dressing: (B,) pulses that come with each two-qubit gate.
        d1_s: (B,) seconds of a one-qubit pulse.
        d2_s: (B,) seconds of a two-qubit gate.
        dm_s: (B,) seconds of a measurement.
        reset_s: (B,) seconds between shots; the usual ones where the calibration does not say.
        ball: (B, N) mean pairwise distance in the best connected set of n usable qubits, at index n.
        age_s: (B,) seconds since the calibration was taken; 0 without a calibration.
        drifts: (B,) whether the device changes after its calibration; simulators do not.
        recalibrates_in_s: (B,) seconds until the next calibration; infinite for what does not drift.
        closes_in_s: (B,) seconds until the availability window ends; infinite without windows, 0 when
            closed now.
        wait_s: (B,) median wait in seconds.
        wait_p90_s: (B,) its 90 % quantile, at least the median.
        overhead_s: (B,) seconds a task of a few shots takes besides its shots.
        service_s: (B,) mean seconds on the device of one task.
        run_factor: (B,) what runs took over what was computed for them.
        in_flight: (B,) our tasks there.
        max_in_flight: (B,) how many it may have.
        currency: (B,) index into ``currencies``; -1 without a price.
        per_task: (B,) price for each circuit.
        per_shot: (B,) for each shot.
        per_gate1: (B,) for each one-qubit gate and shot.
        per_gate2: (B,) for each two-qubit gate and shot.
        per_measurement: (B,) for each measurement and shot.
        per_second: (B,) for each second on the device.
        minimum: (B,) the least that a task costs.
        quantum: (B,) the price is a multiple of this; 0 where it is not rounded.
    """

    now: dt.datetime
    records: tuple[BackendRecord, ...]
    currencies: tuple[str, ...]
    simulator: Bools
    online: Bools
    paused: Bools
    uncalibrated: Bools
    dynamic: Bools
    compiles: Bools
    qubits: Ints
    log1: Floats
    log2: Floats
    log_readout: Floats
    t1_s: Floats
    t2_s: Floats
    link_s: Floats
    longest_line: Ints
    dressing: Ints
    d1_s: Floats
    d2_s: Floats
    dm_s: Floats
    reset_s: Floats
    ball: Floats
    age_s: Floats
    drifts: Bools
    recalibrates_in_s: Floats
    closes_in_s: Floats
    wait_s: Floats
    wait_p90_s: Floats
    overhead_s: Floats
    service_s: Floats
    run_factor: Floats
    in_flight: Ints
    max_in_flight: Ints
    currency: Ints
    per_task: Floats
    per_shot: Floats
    per_gate1: Floats
    per_gate2: Floats
    per_measurement: Floats
    per_second: Floats
    minimum: Floats
    quantum: Floats

    def __post_init__(self) -> None:
        """Freeze the columns."""
        for column in dataclasses.fields(self):
            value = getattr(self, column.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def names(self) -> tuple[str, ...]:
        """The backends' names, in column order."""
        return tuple(record.name for record in self.records)

    @property
    def ideal(self) -> Bools:
        """(B,) simulators without noise; they succeed at everything, so a job must ask for one."""
        noiseless = np.array([record.quality is None for record in self.records], dtype=bool)
        ideal: Bools = self.simulator & noiseless
        return ideal

    @property
    def servers(self) -> Ints:
        """(B,) how many tasks run at the same time: one on a QPU, ``max_in_flight`` on a simulator."""
        return np.where(self.simulator, self.max_in_flight, 1).astype(np.int32)

    def index(self, name: str) -> int:
        """The column of a backend.

        Raises:
            KeyError: If the fleet has no backend of this name.
        """
        for column, record in enumerate(self.records):
            if record.name == name:
                return column
        raise KeyError(f"the fleet has no backend {name!r}; it has {', '.join(self.names)}")

    def with_record(self, record: BackendRecord) -> Fleet:
        """This fleet with one backend's column replaced; the others are copied, not computed again.

        Args:
            record: The new record of a backend that the fleet has already.

        Raises:
            KeyError: If the fleet has no backend of this name.
        """
        column = self.index(record.name)
        one = build_fleet([record], self.now, currencies=self.currencies)
        width = max(self.ball.shape[1], one.ball.shape[1])
        changed: dict[str, Any] = {}
        for each in dataclasses.fields(self):
            mine, new = getattr(self, each.name), getattr(one, each.name)
            if isinstance(mine, np.ndarray):
                changed[each.name] = _widen(mine, width) if each.name in _TABLES else mine.copy()
                changed[each.name][column] = _widen(new, width)[0] if each.name in _TABLES else new[0]
        records = (*self.records[:column], record, *self.records[column + 1 :])
        return dataclasses.replace(self, records=records, currencies=one.currencies, **changed)


def build_fleet(
    records: Iterable[BackendRecord], now: dt.datetime, *, currencies: Sequence[str] = ()
) -> Fleet:
    """The columns of a fleet.

    Args:
        records: What is known of each backend.
        now: The moment, aware.
        currencies: Currencies that keep their index; others are appended.

    Returns:
        The fleet, in the order of the records.
    """
    records = tuple(records)
    codes = {code: index for index, code in enumerate(currencies)}
    rows = [_row(record, now, codes) for record in records]
    width = max((len(record.quality.ball) for record in records if record.quality), default=1)
    tables = [_tables(record.quality) for record in records]
    kinds = {"bool": np.bool_, "int": np.int32, "float": np.float64}
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows], dtype=kinds[type(example).__name__])
        for name, example in _EMPTY_ROW.items()
    }
    for name, example in _tables(None).items():
        shape = (len(records), *example.shape[:-1], width)
        columns[name] = np.array([_widen(each[name], width) for each in tables]).reshape(shape)
    return Fleet(now=now, records=records, currencies=tuple(codes), **columns)


def _row(record: BackendRecord, now: dt.datetime, codes: dict[str, int]) -> dict[str, float]:
    """One backend's value of each column."""
    spec = record.spec
    age_s = (
        max(0.0, (now - record.calibration_taken_at).total_seconds()) if record.calibration_taken_at else 0.0
    )
    drifts = record.quality is not None and not record.simulator
    every_s = duration_s(spec.recalibrates_every) if spec.recalibrates_every else RECALIBRATES_EVERY_S
    return (
        _quality_row(record)
        | _pricing_row(spec.pricing, codes)
        | {
            "simulator": record.simulator,
            "online": record.online,
            "paused": spec.paused,
            "uncalibrated": record.quality is None and not record.simulator,
            "age_s": age_s,
            "drifts": drifts,
            "recalibrates_in_s": every_s - age_s % every_s if drifts and every_s > 0 else np.inf,
            "closes_in_s": closes_in_s(spec.windows, now),
            "wait_s": max(0.0, record.wait_s),
            "wait_p90_s": max(0.0, record.wait_s, record.wait_p90_s),
            "overhead_s": record.overhead_s,
            "service_s": record.service_s,
            "run_factor": record.run_factor,
            "compiles": record.compiles,
            "in_flight": record.in_flight,
            "max_in_flight": spec.max_in_flight,
        }
    )


def _quality_row(record: BackendRecord) -> dict[str, float]:
    quality = record.quality
    if quality is None:
        qubits = UNLIMITED_QUBITS if record.qubits is None else record.qubits
        durations = dict.fromkeys(("d1_s", "d2_s", "dm_s", "reset_s"), 0.0)
        return {"dynamic": True, "qubits": qubits, "longest_line": qubits, "dressing": 0} | durations
    return {
        "dynamic": quality.dynamic,
        "qubits": quality.qubits,
        "longest_line": quality.longest_line,
        "dressing": quality.dressing,
        "d1_s": _duration(quality.d1_s),
        "d2_s": _duration(quality.d2_s),
        "dm_s": _duration(quality.dm_s),
        "reset_s": REPETITION_S if math.isnan(quality.reset_s) else _duration(quality.reset_s),
    }


def _tables(quality: DeviceQuality | None) -> dict[str, Floats]:
    """One backend's tables; those of an ideal simulator have one column."""
    if quality is None:
        nothing, forever = np.zeros((2, 1)), np.full((2, 1), np.inf)
        logs = dict.fromkeys(("log1", "log2", "log_readout", "link_s"), nothing)
        return logs | {"t1_s": forever, "t2_s": forever, "ball": np.ones(1)}
    t1_s = _times(quality.t1_s)
    return {
        "log1": _log_success(quality.e1),
        "log2": _log_success(quality.e2),
        "log_readout": _log_success(quality.er),
        "t1_s": t1_s,
        "t2_s": np.minimum(_times(quality.t2_s), 2 * t1_s),
        "link_s": quality.link_s,
        "ball": np.maximum(quality.ball, 1.0),
    }


def _pricing_row(pricing: Pricing | None, codes: dict[str, int]) -> dict[str, float]:
    if pricing is None:
        return {"currency": -1} | dict.fromkeys(_PRICES, 0.0)
    currency = codes.setdefault(pricing.currency, len(codes))
    return {"currency": currency} | {
        name: float(getattr(pricing, source)) for name, source in _PRICES.items()
    }


def _log_success(error: Floats) -> Floats:
    """log(1 - e), finite; an error that nobody measured is the worst one."""
    worst = np.nan_to_num(error, nan=_WORST_ERROR)
    logs: Floats = np.log1p(-np.clip(worst, 0.0, _WORST_ERROR))
    return logs


def _times(seconds: Floats) -> Floats:
    """T1 or T2: what nobody measured limits nothing, since gate errors hold the decoherence of gates."""
    return np.where(np.isnan(seconds), np.inf, np.maximum(seconds, 1e-12))


def _duration(seconds: float) -> float:
    return max(seconds, 0.0) if np.isfinite(seconds) else 0.0


def _widen(table: Floats, width: int) -> Floats:
    """A table with each row continued at its last value up to ``width`` columns."""
    missing = max(0, width - table.shape[-1])
    return np.pad(table, [(0, 0)] * (table.ndim - 1) + [(0, missing)], mode="edge")


_PRICES = {
    "per_task": "per_task",
    "per_shot": "per_shot",
    "per_gate1": "per_one_qubit_gate",
    "per_gate2": "per_two_qubit_gate",
    "per_measurement": "per_measurement",
    "per_second": "per_second",
    "minimum": "minimum",
    "quantum": "quantum",
}
_BOOLS = ("simulator", "online", "paused", "uncalibrated", "dynamic", "compiles", "drifts")
_INTS = ("qubits", "longest_line", "dressing", "in_flight", "max_in_flight", "currency")
_FLOATS = (
    *("d1_s", "d2_s", "dm_s", "reset_s"),
    *("age_s", "recalibrates_in_s", "closes_in_s", "wait_s", "wait_p90_s", "overhead_s", "service_s"),
    "run_factor",
    *_PRICES,
)
_TABLES = ("log1", "log2", "log_readout", "t1_s", "t2_s", "link_s", "ball")
_EMPTY_ROW: dict[str, float] = (
    dict.fromkeys(_BOOLS, False) | dict.fromkeys(_INTS, 0) | dict.fromkeys(_FLOATS, 0.0)
)
