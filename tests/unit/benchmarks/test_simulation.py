"""The discrete-event simulation: queues, time, outages, and what a policy may and may not do."""

from __future__ import annotations

import dataclasses
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.policies import load
from benchmarks.policies.qsched import Qsched
from benchmarks.policies.rules import Rule
from benchmarks.simulation import PolicyError, Scenario, compare, fleets, simulate
from benchmarks.simulation.arrivals import ARRIVALS
from benchmarks.simulation.mix import columns
from benchmarks.simulation.outcome import at_moment
from benchmarks.simulation.provider import FOREIGN, Servers
from benchmarks.simulation.scenario import BEGIN, Change
from benchmarks.simulation.sight import Sight
from qsched.api.backend import Window
from qsched.circuits.profile import Profile
from qsched.fleet.quality import quality
from qsched.fleet.snapshot import build_fleet
from qsched_aer.snapshots import load_snapshot

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Profile(
    hash="ghz-3", qubits=3, n1=1, n2=2, measurements=3, depth2=2, path1=1, path2=2, path_m=1,
    idle=2.0, interactions=2, density=0.67, line=True, cliffordness=1.0, dynamic=False,
)  # fmt: skip
WIDE = msgspec.structs.replace(SMALL, qubits=7, hash="wide")


def frozen() -> float:
    """A stopwatch by which deciding takes no time."""
    return 0.0


def scenario(count: int, *, every_s: float = 2.0, changes: Any = (), **fields: Any) -> Scenario:
    kinds = columns([SMALL, WIDE])
    rows = np.arange(count, dtype=np.int32) % 2
    jobs = kinds.take(rows)
    jobs = dataclasses.replace(jobs, circuits=np.full(count, 4, dtype=np.float32))
    return Scenario(
        name="test",
        names=[f"job-{number}" for number in range(count)],
        jobs=jobs,
        arrives_s=np.arange(count) * every_s,
        backends=fleets.fleet(4, 0),
        changes=changes,
        **fields,
    )


def on(column: int) -> Rule:
    return Rule(f"on-{column}", lambda view: np.full(len(view.names), column, dtype=np.int32))


def test_a_backend_runs_one_task_after_the_other_in_order():
    case = scenario(20, every_s=0.5)
    outcome = simulate(case, on(1), stopwatch=frozen)
    assert (np.diff(outcome.starts_s) > 0).all()
    np.testing.assert_allclose(outcome.ends_s - outcome.starts_s, case.run_s[:, 1] * case.slowness, rtol=1e-5)
    gaps_s = outcome.starts_s[1:] - outcome.ends_s[:-1]
    assert (gaps_s > -1e-9).all()
    assert gaps_s.max() < 1e-9  # there was always somebody waiting
    assert outcome.busy[1] > 0.8
    assert outcome.busy[[0, 2, 3]].sum() == 0


def test_the_time_that_a_policy_takes_passes_before_its_answer_counts():
    ticks = iter(range(0, 10_000, 7))
    slow = simulate(scenario(1), on(0), stopwatch=lambda: float(next(ticks)))
    fast = simulate(scenario(1), on(0), stopwatch=frozen)
    assert slow.wait_s[0] - fast.wait_s[0] == pytest.approx(7.0)
    assert slow.decisions_s.tolist() == [7.0]


def test_a_batch_is_decided_when_it_is_full_or_old():
    seen = []

    def note(view: Any) -> Any:
        seen.append((view.now_s, len(view.names)))
        return np.zeros(len(view.names), dtype=np.int32)

    simulate(scenario(7, every_s=10.0), Rule("note", note, batch_jobs=3, batch_s=25.0), stopwatch=frozen)
    assert seen == [(20.0, 3), (50.0, 3), (85.0, 1)]


@pytest.mark.parametrize("name", ["qsched", "best-fidelity", "least-loaded", "round-robin", "random"])
def test_every_job_ends_and_the_same_run_gives_the_same(name: str):
    case = scenario(12, every_s=0.7)
    first, second = (simulate(case, load(name), stopwatch=frozen) for _ in range(2))
    assert np.isfinite(first.ends_s).all()
    np.testing.assert_array_equal(first.ends_s, second.ends_s)
    np.testing.assert_array_equal(first.column, second.column)
    assert ((first.success > 0) & (first.success < 1)).all()


def test_qsched_waits_less_than_the_best_fidelity_and_succeeds_more_than_the_least_loaded():
    case = scenario(40, every_s=0.5).preferring(0.1)
    found = compare(case, [load(name) for name in ("qsched", "best-fidelity", "least-loaded")])
    ours, faithful, quick = (
        found.outcomes[name].summary() for name in ("qsched", "best-fidelity", "least-loaded")
    )
    assert not found.errors
    assert ours["wait_mean_s"] < 0.7 * faithful["wait_mean_s"]
    assert ours["success"] > quick["success"]


def test_the_trade_off_trades():
    case = scenario(30, every_s=1.0)
    quick, faithful = (
        simulate(case.preferring(x), Qsched(), stopwatch=frozen).summary() for x in (0.02, 0.98)
    )
    assert quick["completion_mean_s"] < faithful["completion_mean_s"]
    assert quick["success"] < faithful["success"]


def test_an_outage_ends_the_running_task_and_places_the_others_anew():
    outage = [Change(4.0, 0, "down"), Change(10_000.0, 0, "up")]
    case = scenario(6, every_s=0.1, changes=outage)

    def first_that_is_up(view: Any) -> Any:
        return view.feasible.argmax(axis=1).astype(np.int32)

    outcome = simulate(case, Rule("first", first_that_is_up), stopwatch=frozen)
    assert np.isfinite(outcome.ends_s).all()
    assert (outcome.column == 1).all()
    assert outcome.starts_s.min() >= 4.0


def test_a_closed_backend_starts_nothing():
    windowed = dataclasses.replace(
        (record := fleets.fleet(4, 0)[0]),
        spec=type(record.spec)(
            driver="aer", device=record.spec.device, windows=[Window(start="00:00", end="01:00")]
        ),
    )
    fleet = build_fleet([windowed], BEGIN)
    assert at_moment(fleet, 1800.0).closes_in_s[0] == 1800.0
    assert at_moment(fleet, 4000.0).closes_in_s[0] == 0.0
    changes = fleets.closings([windowed], 2 * 86_400.0)
    assert [(each.kind, each.at_s) for each in changes[:3]] == [
        ("shut", 3600.0), ("open", 86_400.0), ("shut", 90_000.0),
    ]  # fmt: skip


def test_other_peoples_tasks_make_ours_wait():
    ahead = [Change(0.0, 0, "foreign", run_s=500.0)]
    alone, behind = (
        simulate(scenario(1, changes=changes), on(0), stopwatch=frozen) for changes in ((), ahead)
    )
    assert behind.wait_s[0] == pytest.approx(500.0)
    assert alone.wait_s[0] < 2


def test_a_recalibration_changes_the_success_of_what_starts_later():
    base = fleets.fleet(4, 0)[0].quality
    assert base is not None
    worse = Change(50.0, 0, "recalibrated", quality=dataclasses.replace(base, er=3 * base.er))
    outcome = simulate(scenario(2, every_s=100.0, changes=[worse]), on(0), stopwatch=frozen)
    unchanged = simulate(scenario(2, every_s=100.0), on(0), stopwatch=frozen)
    assert outcome.success[0] == unchanged.success[0]
    assert outcome.success[1] < 0.95 * unchanged.success[1]


def test_a_job_that_cannot_be_in_time_ends_unfinished_and_late():
    case = scenario(3, changes=[Change(0.0, column, "down") for column in range(4)])
    case = dataclasses.replace(
        case, jobs=dataclasses.replace(case.jobs, remaining_s=np.full(3, 30, dtype=np.float32))
    )
    later = [*case.changes, *(Change(100.0, column, "up") for column in range(4))]
    metrics = simulate(dataclasses.replace(case, changes=later), load("qsched"), stopwatch=frozen).summary()
    assert metrics["unfinished"] == 3
    assert metrics["deadlines_met"] == 0


BAD = {
    "infeasible": (lambda view: np.full(len(view.names), 3, dtype=np.int32), r"'job-1'.*'lima'.*qubits"),
    "outside": (lambda view: np.full(len(view.names), 9), r"'job-0' on column 9.*0 to 3"),
    "negative": (lambda view: np.full(len(view.names), -2), r"'job-0' on column -2"),
    "shape": (lambda view: np.zeros((len(view.names), 2), dtype=int), r"shape \(\d+, 2\).*'job-0'"),
    "none": (lambda _: None, r"shape \(\).*'job-0'"),
    "fractions": (lambda view: np.zeros(len(view.names)), r"float64.*'job-0'"),
    "raising": (lambda view: view.nothing, r"'job-0'.*AttributeError.*test_simulation.py:\d+"),
    "exiting": (lambda _: sys.exit(3), r"'job-0'.*SystemExit: 3"),
    "ragged": (lambda _: [[0], [0, 1]], r"no array for job 'job-0'"),
    "lazy": (lambda view: np.full(len(view.names), -1), r"left job 'job-0'.*waiting"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_policy_is_named_with_the_job_and_the_others_are_kept(name: str):
    rule, message = BAD[name]
    records = fleets.fleet(4, 0)
    records[3] = dataclasses.replace(records[3], name="lima", quality=quality(load_snapshot("lima")))
    case = dataclasses.replace(scenario(2, every_s=0.1), backends=records)
    found = compare(case, [Rule("mine", rule), load("least-loaded")])
    assert list(found.outcomes) == ["least-loaded"]
    with pytest.raises(PolicyError, match=message):
        raise PolicyError(found.errors["mine"])
    assert "'mine'" in found.errors["mine"]


UNSTOPPABLE = """
import os
def exits(view):
    os._exit(7)
def hangs(view):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
def first(view):
    return view.feasible.argmax(axis=1)
"""


@pytest.mark.slow
def test_a_policy_that_nothing_stops_from_inside_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("benchmarks.simulation.apart._GRACE_S", 0.5)
    path = tmp_path / "own.py"
    path.write_text(UNSTOPPABLE)
    brought = {name: f"{path}:{name}" for name in ("exits", "hangs", "first")}
    found = compare(scenario(2), [*map(load, brought.values()), load("random")], limit_s=0.5, apart=brought)
    assert list(found.outcomes) == ["first", "random"]
    assert "'exits'" in found.errors["exits"]
    assert "'job-0'" in found.errors["exits"]
    assert "exit code 7" in found.errors["exits"]
    assert "'job-0', did not answer within 0.5 s, nor to a signal" in found.errors["hangs"]
    here = simulate(scenario(2), load(brought["first"]))
    np.testing.assert_array_equal(found.outcomes["first"].column, here.column)


@pytest.mark.parametrize("catches", [Exception, BaseException])
def test_a_policy_that_hangs_is_stopped(catches: type[BaseException]):
    def hang(view: Any) -> Any:
        begun = time.monotonic()
        while time.monotonic() - begun < 60:
            try:
                sum(range(100))
            except catches:
                if catches is Exception:
                    return None
                raise
        return None

    found = compare(scenario(2), [Rule("mine", hang), load("random")], limit_s=0.05)
    assert list(found.outcomes) == ["random"]
    assert "'mine'" in found.errors["mine"]
    assert "'job-0'" in found.errors["mine"]
    assert "0.05 s" in found.errors["mine"]


@given(
    name=st.sampled_from(list(ARRIVALS)),
    count=st.integers(1, 400),
    rate=st.floats(0.01, 10),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_arrivals_come_in_order_from_the_beginning_on(name: str, count: int, rate: float, seed: int):
    times = ARRIVALS[name](count, rate, np.random.default_rng(seed))
    assert times.shape == (count,)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0


@pytest.mark.parametrize("name", list(ARRIVALS))
def test_arrivals_have_the_rate_that_is_asked_for(name: str):
    times = ARRIVALS[name](20_000, 0.05, np.random.default_rng(0))
    assert len(times) / times[-1] == pytest.approx(0.05, rel=0.15)


@given(seed=st.integers(0, 1000), count=st.integers(1, 8), choice=st.lists(st.integers(-1, 3), min_size=1))
@settings(max_examples=8, deadline=None)
def test_no_backend_ever_runs_two_tasks_at_once(seed: int, count: int, choice: list[int]):
    picks = iter(choice * 1000)

    def anything(view: Any) -> Any:
        wanted = np.array([next(picks) for _ in view.names])
        return np.where(view.now_s > 40, 0, wanted)  # in the end, somewhere

    case = scenario(count, every_s=0.3, seed=seed)
    outcome = simulate(case, Rule("any", anything, late_binding=bool(seed % 2)), stopwatch=frozen)
    assert np.isfinite(outcome.ends_s).all()
    assert (outcome.starts_s >= outcome.arrives_s).all()
    for column in range(4):
        here = np.flatnonzero(outcome.column == column)
        order = here[np.argsort(outcome.starts_s[here])]
        assert (outcome.starts_s[order][1:] >= outcome.ends_s[order][:-1] - 1e-9).all()


def test_a_policy_may_be_any_object_with_a_place():
    mine = SimpleNamespace(name="mine", late_binding=True, batch_jobs=1, batch_s=0.0, place=on(2).place)
    assert (simulate(scenario(3), mine, stopwatch=frozen).column == 2).all()


def test_a_policy_sees_the_same_numbers_however_they_were_computed():
    case = scenario(8)
    sight = Sight(case, Servers(4))
    nowhere = np.full(8, -1, dtype=np.int32)
    quick = sight.view(0.0, np.arange(8, dtype=np.int32), nowhere, np.empty(0, dtype=np.intp))
    thorough = dataclasses.replace(quick, thorough=True)
    np.testing.assert_array_equal(quick.offers, thorough.offers)
    np.testing.assert_array_equal(quick.run_s, thorough.run_s)
    assert not quick.estimated
    np.testing.assert_array_equal(quick.success, thorough.success)
    assert quick.estimated


def test_a_policy_that_looks_at_success_pays_for_one_scoring_from_its_second_decision_on():
    seen = []

    def faithful(view: Any) -> Any:
        seen.append(view.thorough)
        return view.success.argmax(axis=1).astype(np.int32)

    simulate(scenario(3, every_s=30.0), Rule("mine", faithful), stopwatch=frozen)
    assert seen == [False, True, True]


def test_the_queue_that_is_seen_is_what_is_expected_of_the_tasks_there():
    servers = Servers(2)
    servers.add(0, 7, run_s=12.0, expected_s=10.0, now_s=0.0)
    servers.add(0, 8, run_s=6.0, expected_s=5.0, now_s=0.0)
    servers.add(1, FOREIGN, run_s=100.0, expected_s=100.0, now_s=0.0)
    servers.start(0, 0.0)
    strangers_s = np.array([20.0, 30.0])
    assert servers.ahead_s(4.0, strangers_s).tolist() == [6 + 5, 30]
    assert servers.ahead_s(11.0, strangers_s).tolist() == [5, 30]  # it runs longer than it should
    servers.withdraw(0, 8)
    assert servers.ahead_s(4.0, strangers_s).tolist() == [6, 30]
    servers.stop(0, 12.0)
    assert servers.ahead_s(12.0, strangers_s).tolist() == [0, 30]
    assert servers.depth.tolist() == [0, 1]
    assert servers.own.tolist() == [0, 0]
    assert servers.busy_s.tolist() == [12, 0]
