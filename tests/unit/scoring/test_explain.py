"""Explanations: the scorer's numbers, and words that a user understands."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.api.job import Money
from qsched.fleet.snapshot import build_fleet
from qsched.scoring import Choice, Refined, build_jobs, estimate, explain, placements_of, shortlist, stage1
from qsched.scoring.explain import decimals


def reasons(make, backend, **job):
    [verdict] = explain(make.job(**job), build_fleet([backend], make.now))
    assert verdict.feasible == (not verdict.reasons)
    return verdict.reasons


def test_explanation_and_scorer_are_the_same_bits(make):
    fleet = build_fleet(
        [
            make.backend(
                f"b{i}", quality=make.device(3 + i, e2=0.003 * (i + 1)), pricing=make.price(per_shot="0.0001")
            )
            for i in range(9)
        ],
        make.now,
    )
    records = [make.job(f"j{i}", profiles=[make.circuit(n2=i % 50, qubits=2 + i % 7)]) for i in range(200)]
    jobs = build_jobs(records, make.now)
    table, best = estimate(jobs, fleet), stage1(jobs, fleet)
    for row in range(0, 200, 17):
        verdicts = explain(records[row], fleet)
        assert verdicts[0].backend == fleet.names[best.best[row]]
        for verdict in verdicts:
            column = fleet.index(verdict.backend)
            assert np.float32(verdict.score) == table.score[row, column]
            assert verdict.feasible == (table.reasons[row, column] == 0)
            if verdict.estimate:
                assert np.float32(verdict.estimate.success) == table.success[row, column]
                assert np.float32(verdict.estimate.run_s) == table.run_s[row, column]
                parts = verdict.breakdown
                assert np.float32(parts.fidelity) == table.success[row, column]
                assert np.float32(parts.cost) == table.thrift[row, column]


def test_the_breakdown_adds_up_to_the_score(make):
    [verdict] = explain(make.job(), build_fleet([make.backend()], make.now))
    parts = verdict.breakdown
    names = ("fidelity", "wait", "coherence", "cost")
    total = sum(getattr(parts.weights, name) * getattr(parts, name) for name in names)
    assert verdict.score == pytest.approx(total, abs=1e-6)


def test_feasible_backends_come_first_by_score(make):
    fleet = build_fleet(
        [
            make.backend("off", online=False),
            make.backend("bad", quality=make.device(e2=0.03)),
            make.backend("tiny", quality=make.device(3), paused=True),
            make.backend("good"),
        ],
        make.now,
    )
    assert [verdict.backend for verdict in explain(make.job(), fleet)] == ["good", "bad", "off", "tiny"]


def test_every_reason_says_what_decided_it(make):
    usd = make.price(per_task="12.5")
    assert reasons(make, make.backend(quality=make.device(3))) == ["needs 5 qubits, 3 usable"]
    assert reasons(make, make.backend(online=False, message="maintenance")) == ["is offline: maintenance"]
    assert reasons(make, make.backend(online=False, paused=True)) == ["is offline", "is paused"]
    assert reasons(make, make.backend(pricing=usd), max_cost=Money(amount="5", currency="USD")) == [
        "costs 12.50 USD, maxCost is 5.00 USD"
    ]
    assert reasons(
        make, make.backend(pricing=make.price("EUR")), max_cost=Money(amount="5", currency="USD")
    ) == ["price is in EUR, maxCost in USD"]
    assert reasons(make, make.backend(), min_fidelity=0.9) == [
        "estimated success 0.71 is below minFidelity 0.9"
    ]
    assert reasons(make, make.backend(), backends=["other"]) == ["is not among the requested backends: other"]
    assert reasons(make, make.backend(labels={"zone": "b"}), backend_selector={"zone": "a"}) == [
        "lacks the label zone=a"
    ]
    assert reasons(make, make.backend(simulator=True), simulators="Forbidden") == [
        "is a simulator, and simulators is Forbidden"
    ]
    assert reasons(make, make.backend(), simulators="Required") == [
        "is not a simulator, and simulators is Required"
    ]
    assert reasons(make, make.backend(quality=None)) == ["has no calibration to estimate with"]
    assert reasons(make, make.backend(), max_queue_time="30s") == ["expected wait is 1m, maxQueueTime is 30s"]
    assert reasons(make, make.backend(), max_calibration_age="10m") == [
        "calibration would be 1h1m old at the start, maxCalibrationAge is 10m"
    ]
    soon = make.now + dt.timedelta(seconds=30)
    assert reasons(make, make.backend(), complete_by=soon) == ["would take 1m3s, completeBy is in 30s"]
    assert reasons(make, make.backend(), complete_by=make.now) == ["completeBy has passed"]
    assert reasons(make, make.backend(), profiles=[make.circuit(path2=150)]) == [
        "circuit takes 41.2 µs, the coherence window is 40 µs (half of T2)"
    ]
    dynamic = [make.circuit(dynamic=True)]
    assert reasons(make, make.backend(quality=make.device(dynamic=False)), profiles=dynamic) == [
        "does not take mid-circuit measurement or classical control"
    ]


def test_a_cost_at_the_limit_is_within_it(make):
    pricing = make.price(per_shot="0.00035", per_task="0.3")
    limit = Money(amount="0.65", currency="USD")
    assert reasons(make, make.backend(pricing=pricing), shots=1000, max_cost=limit) == []
    assert reasons(make, make.backend(), max_cost=Money(amount="0", currency="USD")) == []


def test_a_device_that_charges_and_tells_no_price_is_not_held_to_keep_to_a_limit(make):
    unknown = make.backend(charges=True)
    limit = Money(amount="1000000", currency="USD")
    assert reasons(make, unknown, max_cost=limit) == [
        "has no price to hold against maxCost in USD; write spec.pricing"
    ]
    assert reasons(make, unknown) == []


def test_outside_its_windows_a_backend_says_so(make):
    from qsched.api.backend import Window

    assert reasons(make, make.backend(windows=[Window(start="13:00", end="12:00")])) == [
        "is outside its availability windows"
    ]
    assert reasons(make, make.backend(windows=[Window(start="00:00", end="00:00")])) == []


def test_refined_figures_replace_those_of_stage_1_and_nothing_else(make):
    fleet = build_fleet([make.backend("a"), make.backend("b", quality=make.device(e2=0.012))], make.now)
    refined = Refined(log_success=-0.05, path_s=3e-6, longest_s=3e-6, t2_s=60e-6)
    before = {verdict.backend: verdict for verdict in explain(make.job(), fleet)}
    after = {verdict.backend: verdict for verdict in explain(make.job(), fleet, {"b": refined})}
    assert after["a"] == before["a"]
    assert after["b"].estimate.stage == 2
    assert after["b"].estimate.window_s == pytest.approx(30e-6)
    assert after["b"].estimate.success > 0.9 > before["b"].estimate.success
    assert after["b"].score > after["a"].score


def test_a_placement_names_the_choice_and_what_comes_next(make):
    records = [make.backend(f"b{i}", quality=make.device(e2=0.004 * (i + 1))) for i in range(6)]
    fleet = build_fleet([*records, make.backend("off", online=False)], make.now)
    job = make.job()
    jobs = build_jobs([job], make.now)
    table = estimate(jobs, fleet)
    best = shortlist(table.offers()).columns[0].tolist()
    [placement] = placements_of([Choice(job, 0, 1, best)], jobs, fleet, table)
    assert placement.backend == "b1"
    assert placement.score == table.score[0, 1]
    assert [verdict.backend for verdict in placement.runners_up] == ["b0", "b2", "b3"]
    with pytest.raises(ValueError, match="job may not run on off: is offline"):
        placements_of([Choice(job, 0, 6, best)], jobs, fleet, table)


@given(st.floats(width=32, allow_nan=False))
def test_figures_are_told_by_the_shortest_decimal(figure):
    single = np.array([figure], dtype=np.float32)
    assert decimals(single)[0] == float(str(single[0]))
