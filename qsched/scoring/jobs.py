"""``JobColumns``: pending jobs as columns, with everything that scoring and placement need."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qsched.api.quantities import duration_s
from qsched.scoring.objectives import PREFERENCES, weights_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qsched.api.job import JobSpec, Weights
    from qsched.circuits.profile import Profile

    Singles = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int32]


class Selection(NamedTuple):
    """The requirements that need nothing but the backend; jobs share the few distinct ones.

    Attributes:
        backends: Only these, or any if empty.
        selector: Labels that the backend must have.
        simulators: ``Allowed``, ``Required`` or ``Forbidden``.
        currency: Currency of ``maxCost``, or None.
        dynamic: Whether a circuit has mid-circuit measurement.
        untranspiled: Whether the provider is to compile the circuits.
    """

    backends: frozenset[str]
    selector: frozenset[tuple[str, str]]
    simulators: str
    currency: str | None
    dynamic: bool
    untranspiled: bool


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A pending job.

    Attributes:
        name: The job's name.
        spec: What its user asks for.
        profiles: One for each circuit.
        submitted_at: When it was submitted, aware.
    """

    name: str
    spec: JobSpec
    profiles: Sequence[Profile]
    submitted_at: dt.datetime

    @cached_property
    def row(self) -> _Row:
        """What the columns take from the job, made once: a cycle looks at many jobs many times."""
        return _Row(_selection(self), weights_of(self.spec), _figures(self))


class _Row(NamedTuple):
    """The part of a job's columns that time does not change."""

    selection: Selection
    weights: Weights
    figures: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class JobColumns:
    """J pending jobs. Sums over circuits are ``circuits`` times the means that are kept here.

    Attributes:
        selections: The distinct selections that ``selection`` indexes.
        selection: (J,) which one the job has.
        qubits: (J,) of the widest circuit.
        layout: (J,) what its circuits need of a device: 2 x ``qubits``, and 1 more where one of them does not
            form lines.
        gates: (J, 4) means over the circuits of: one-qubit gates, two-qubit gates, measurements, and idle
            time in two-qubit gates.
        routed: (J, 2) the same of what each unit of ``ROUTING`` adds: two-qubit gates, and idle time.
        path: (J, 4) means of path1, path2, path_m, and of what each unit of ``ROUTING`` adds to path2.
        longest: (J, 4) the same of the circuit with the most two-qubit gates in its path, up to its last
            measurement.
        circuits: (J,) number of circuits.
        shots: (J,) shots of each circuit.
        weights: (J, 4) fidelity, wait, coherence, cost; they add up to 1.
        tau_s: (J,) scale of the wait utility in seconds.
        cost_scale: (J,) scale of the cost utility, an amount of money.
        min_fidelity: (J,) 0 without one.
        max_cost: (J,) infinite without one.
        remaining_s: (J,) seconds until ``completeBy``; infinite without one.
        max_queue_s: (J,) infinite without one.
        max_age_s: (J,) greatest calibration age in seconds; infinite without one.
        priority: (J,) as declared.
        waited_s: (J,) seconds since the job was submitted.
    """

    selections: tuple[Selection, ...]
    selection: Ints
    qubits: Ints
    layout: Ints
    gates: Singles
    routed: Singles
    path: Singles
    longest: Singles
    circuits: Singles
    shots: Singles
    weights: Singles
    tau_s: Singles
    cost_scale: Floats
    min_fidelity: Singles
    max_cost: Floats
    remaining_s: Singles
    max_queue_s: Singles
    max_age_s: Singles
    priority: Ints
    waited_s: Floats

    def __post_init__(self) -> None:
        """Freeze the columns."""
        for column in dataclasses.fields(self):
            value = getattr(self, column.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.selection)

    @cached_property
    def usual(self) -> int:
        """The selection that most jobs have."""
        return int(np.bincount(self.selection).argmax()) if len(self) else 0

    def take(self, rows: slice | Ints | NDArray[np.intp]) -> JobColumns:
        """The jobs at ``rows``; a slice copies nothing."""
        columns = {
            column.name: (
                getattr(self, column.name)[rows]
                if isinstance(rows, slice)
                else getattr(self, column.name).take(rows, axis=0)
            )
            for column in dataclasses.fields(self)
            if column.name != "selections"
        }
        return JobColumns(selections=self.selections, **columns)


def build_jobs(records: Iterable[JobRecord], now: dt.datetime) -> JobColumns:
    """The columns of pending jobs.

    Args:
        records: The jobs; each has at least one profile.
        now: The moment from which deadlines and waits count, the fleet's ``now``.

    Returns:
        The columns, in the order of the records.
    """
    rows = [record.row for record in records]
    codes: dict[Selection, int] = {}
    selection = [codes.setdefault(row.selection, len(codes)) for row in rows]
    figures = np.array([row.figures for row in rows], dtype=np.float64).reshape(len(rows), _WIDTH)
    part = {name: figures[:, columns] for name, columns in _COLUMNS.items()}
    now_s = now.timestamp()
    remaining_s = part["complete_by"] - now_s
    limit_s = np.minimum(remaining_s, part["max_queue_s"])
    limited = np.isfinite(limit_s)
    priced = np.isfinite(part["max_cost"])
    single = {
        name: part[name].astype(np.float32)
        for name in ("gates", "routed", "path", "longest", "weights", "circuits", "shots", "min_fidelity")
    }
    return JobColumns(
        selections=tuple(codes),
        selection=np.array(selection, dtype=np.int32),
        qubits=part["qubits"].astype(np.int32),
        layout=part["layout"].astype(np.int32),
        tau_s=np.where(limited, np.maximum(limit_s, 1.0), part["tau_s"]).astype(np.float32),
        cost_scale=np.where(priced, np.maximum(part["max_cost"], 1e-9), part["cost_scale"]),
        max_cost=part["max_cost"].copy(),
        remaining_s=remaining_s.astype(np.float32),
        max_queue_s=part["max_queue_s"].astype(np.float32),
        max_age_s=part["max_age_s"].astype(np.float32),
        priority=part["priority"].astype(np.int32),
        waited_s=np.maximum(now_s - part["submitted_at"], 0.0),
        **single,
    )


def _columns(**widths: int) -> dict[str, int | slice]:
    """Where each figure stands in a row: a column, or several."""
    found: dict[str, int | slice] = {}
    start = 0
    for name, width in widths.items():
        found[name] = start if width == 1 else slice(start, start + width)
        start += width
    return found


_WIDTHS = {
    "gates": 4,
    "routed": 2,
    "path": 4,
    "longest": 4,
    "weights": 4,
    "qubits": 1,
    "layout": 1,
    "circuits": 1,
    "shots": 1,
    "tau_s": 1,
    "cost_scale": 1,
    "min_fidelity": 1,
    "max_cost": 1,
    "complete_by": 1,
    "max_queue_s": 1,
    "max_age_s": 1,
    "priority": 1,
    "submitted_at": 1,
}
_WIDTH = sum(_WIDTHS.values())
_COLUMNS = _columns(**_WIDTHS)


def _figures(record: JobRecord) -> tuple[float, ...]:
    """One job's figures, in the order of ``_WIDTHS``; times are Unix seconds, no limit is infinity."""
    spec, needs, profiles = record.spec, record.spec.requirements, record.profiles
    qubits = max(profile.qubits for profile in profiles)
    routed = not all(profile.line for profile in profiles)
    preference, weights = PREFERENCES[spec.objective], weights_of(spec)
    return (
        *_mean([_gates(profile) for profile in profiles]),
        *_mean([_routed(profile) for profile in profiles]),
        *_mean([_path(profile) for profile in profiles]),
        *_until_readout(max(profiles, key=lambda profile: (profile.path2, profile.path1))),
        *(weights.fidelity, weights.wait, weights.coherence, weights.cost),
        *(qubits, 2 * qubits + routed),
        len(profiles),
        spec.shots,
        preference.tau_s,
        preference.cost,
        needs.min_fidelity or 0.0,
        float(needs.max_cost.amount) if needs.max_cost else math.inf,
        needs.complete_by.timestamp() if needs.complete_by else math.inf,
        duration_s(needs.max_queue_time) if needs.max_queue_time else math.inf,
        duration_s(needs.max_calibration_age) if needs.max_calibration_age else math.inf,
        spec.priority,
        record.submitted_at.timestamp(),
    )


def _selection(record: JobRecord) -> Selection:
    needs = record.spec.requirements
    return Selection(
        backends=frozenset(needs.backends),
        selector=frozenset(needs.backend_selector.items()),
        simulators=needs.simulators,
        currency=needs.max_cost.currency if needs.max_cost else None,
        dynamic=any(profile.dynamic for profile in record.profiles),
        untranspiled=record.spec.execution.transpile == "Provider",
    )


def _gates(profile: Profile) -> list[float]:
    waiting = profile.idle + profile.qubits * (_path2(profile) - profile.path2)
    return [profile.n1, profile.n2, profile.measurements, waiting]


def _routed(profile: Profile) -> list[float]:
    """Two-qubit gates, and the idle time of all qubits but the two that each of them is on."""
    gates = _added(profile)
    return [gates, gates * max(profile.qubits / _together(profile.qubits) - 2, 0)]


def _path(profile: Profile) -> list[float]:
    added = _added(profile) / _together(profile.qubits)
    return [profile.path1, _path2(profile), profile.path_m, added]


def _added(profile: Profile) -> float:
    """Two-qubit gates that routing adds for each unit of ``ROUTING``."""
    return math.sqrt(profile.density) * profile.interactions


def _path2(profile: Profile) -> float:
    """Two-qubit gates on the critical path: where there is routing, not many run at the same time."""
    return profile.path2 if profile.line else max(profile.path2, profile.n2 / _together(profile.qubits))


def _together(qubits: int) -> float:
    """Two-qubit gates that run at the same time in a circuit that was routed.

    Qiskit's routing of MQT Bench circuits leaves 1.2 at 5 qubits, 1.4 at 7, 1.8 at 10 and 2.6 at 20.
    """
    return max(math.sqrt(qubits) / 2, 1.0)


def _until_readout(profile: Profile) -> list[float]:
    """The path that has to fit into the coherence window: what decays in the last readout is its error."""
    path1, path2, path_m, routed = _path(profile)
    return [path1, path2, max(path_m - 1, 0), routed]


def _mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
