from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from qsched.api.backend import (
    BackendSpec,
    BackendStatus,
    CalibrationRef,
    CalibrationSummary,
    QuantumBackend,
)
from qsched.api.base import Condition, ObjectMeta
from qsched.api.calibration import Calibration
from qsched.cli.calibrations import named
from qsched.cli.render_backends import backend_table, state
from qsched.cli.render_calibration import calibration_view
from qsched.errors import NotFound

Show = Callable[..., str]


def backend(
    name: str, now: dt.datetime, *, online: bool = True, depth: int | None = 0, paused: bool = False
) -> QuantumBackend:
    condition = Condition(
        type="Online",
        status="True" if online else "False",
        reason="Answering" if online else "Offline",
        message="" if online else "down for repair",
        last_transition_time=now,
    )
    summary = CalibrationSummary(
        qubits=127, two_qubit_error=0.0077, readout_error=0.02, t1_s=2.3e-4, t2_s=1.5e-4
    )
    return QuantumBackend(
        metadata=ObjectMeta(name=name),
        spec=BackendSpec(driver="aer", device=name, paused=paused),
        status=BackendStatus(
            conditions=[condition],
            queue_depth=depth,
            calibration=CalibrationRef(id="ab", taken_at=now - dt.timedelta(hours=5), summary=summary),
        ),
    )


def test_a_line_a_backend_fits_a_terminal_of_80_columns(show: Show, now: dt.datetime) -> None:
    line = show(backend_table([backend("brisbane", now)], now)).splitlines()[3]
    assert line.split() == [
        "brisbane",
        "127",
        "0.77",
        "%",
        "2",
        "%",
        "230",
        "µs",
        "150",
        "µs",
        "5h",
        "free",
        "ready",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"depth": 7}, "ready, 7 queued"),
        ({"depth": None}, "ready, queue unknown"),
        ({"paused": True}, "paused"),
        ({"online": False}, "down for repair"),
    ],
)
def test_the_state_says_whether_tasks_are_taken(
    now: dt.datetime, given: dict[str, object], said: str
) -> None:
    assert state(backend("torino", now, **given), now).plain == said  # type: ignore[arg-type]


def test_a_long_reason_stands_once_below_the_table(show: Show, now: dt.datetime) -> None:
    trouble = "there are no credentials for the lab: put a token into the backend's Secret, or log in"
    fleet = [backend(name, now, online=False) for name in ("torino", "boston")]
    for each in fleet:
        (condition,) = each.status.conditions
        each.status.conditions[:] = [msgspec.structs.replace(condition, message=trouble)]

    lines = show(backend_table(fleet, now)).splitlines()
    assert [line.split()[0] for line in lines if line.endswith("see below")] == ["torino", "boston"]
    assert " ".join(lines[5:]).split() == ["torino,", "boston:", *trouble.split()]


def test_an_unknown_backend_is_answered_with_the_nearest(now: dt.datetime) -> None:
    known = [backend("torino", now), backend("boston", now)]
    assert named(known, "boston").metadata.name == "boston"
    with pytest.raises(NotFound, match="did you mean torino"):
        named(known, "tornio")
    with pytest.raises(NotFound, match="there are torino and boston"):
        named(known, "zzz")


@pytest.fixture
def calibration(now: dt.datetime) -> Calibration:
    return Calibration(
        device="pair",
        taken_at=now - dt.timedelta(days=1),
        one_qubit_gates=("sx",),
        two_qubit_gate="cz",
        virtual_gates=("rz",),
        t1_s=np.array([1e-4, 2e-4]),
        t2_s=np.array([np.nan, np.nan]),
        readout_p10=np.array([0.01, 0.03]),
        readout_p01=np.array([0.01, 0.03]),
        readout_s=np.array([1e-6, 1e-6]),
        gate1_error=np.array([1e-5, 3e-4]),
        gate1_s=np.array([3e-8, 3e-8]),
        couplers=np.array([[0, 1]]),
        gate2_error=np.array([1.0]),
        gate2_s=np.array([7e-8]),
        reset_s=2.5e-4,
        dynamic=True,
    )


def test_a_calibration_shows_its_spread_and_what_is_missing(
    show: Show, now: dt.datetime, calibration: Calibration
) -> None:
    lines = {
        line[:14].strip(): line[14:].split() for line in show(calibration_view(calibration, now)).splitlines()
    }
    assert lines["T1"] == ["200", "µs", "175", "µs", "150", "µs", "125", "µs", "100", "µs"]
    assert lines["T2"] == ["-", "-", "-", "-", "-", "2"]
    assert lines["readout error"][:2] == ["1", "%"]
    assert lines["1q error"][0] == "1.0e-05"
    assert lines["2q error"][:2] == ["100", "%"]


def test_every_qubit_and_coupler_can_be_listed(
    show: Show, now: dt.datetime, calibration: Calibration
) -> None:
    shown = show(calibration_view(calibration, now, every_qubit=True))
    assert "0 - 1" in shown
    assert next(line for line in shown.splitlines() if line.split()[:1] == ["1"]).split()[1:3] == [
        "200",
        "µs",
    ]


def test_an_unfinished_calibration_is_no_reason_to_fail(
    show: Show, now: dt.datetime, calibration: Calibration
) -> None:
    lone = msgspec.structs.replace(backend("new", now), status=BackendStatus())
    assert "not asked yet" in show(backend_table([lone], now))
