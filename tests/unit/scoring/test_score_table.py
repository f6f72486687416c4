"""Scores that are kept are those that would be computed anew, whatever changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsched.api.backend import Window
from qsched.api.job import Money
from qsched.fleet.snapshot import build_fleet
from qsched.scoring import Scorer, ScoreTable, build_jobs, estimate, shortlist, stage1

pytestmark = pytest.mark.filterwarnings("error")
quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def backends(make, name):
    """A backend that has, or has not, each thing that a score can depend on."""
    wait_s = st.floats(0, 1e5)
    pricing = st.sampled_from(
        [
            None,
            make.price(per_task="0.3", per_shot="0.01", minimum="1", quantum="0.01"),
            make.price(per_second="0.7", per_two_qubit_gate="0.0001"),
            make.price("EUR", per_second="1"),
        ]
    )
    windows = st.sampled_from(
        [[], [Window(start="09:00", end="13:00")], [Window(start="13:00", end="14:00")]]
    )
    quality = st.builds(
        make.device,
        st.sampled_from([3, 7]),
        e1=st.floats(0, 0.01),
        e2=st.floats(0, 0.1),
        t2_s=st.floats(1e-6, 1e-3),
    )
    return st.builds(
        lambda wait_s, pricing, windows, quality, online: make.backend(
            name,
            wait_s=wait_s,
            wait_p90_s=wait_s * 3,
            pricing=pricing,
            windows=windows,
            quality=quality,
            online=online,
        ),
        *(wait_s, pricing, windows, quality, st.booleans()),
    )


def jobs(make):
    """A job that has, or has not, each requirement."""
    limits = {
        "min_fidelity": st.sampled_from([None, 0.4, 0.8]),
        "max_queue_time": st.sampled_from([None, "10m"]),
        "max_calibration_age": st.sampled_from([None, "2h"]),
        "max_cost": st.sampled_from([None, Money(amount="4", currency="USD")]),
        "complete_by": st.sampled_from([None, make.now.replace(hour=13)]),
    }
    circuit = st.builds(
        make.circuit,
        qubits=st.integers(1, 9),
        n2=st.integers(0, 200),
        path2=st.integers(0, 100),
        interactions=st.integers(0, 100),
        density=st.floats(0, 1),
        line=st.booleans(),
    )
    return st.builds(
        lambda profiles, shots, **limits: make.job(profiles=profiles, shots=shots, **limits),
        st.lists(circuit, min_size=1, max_size=2),
        st.sampled_from([1, 1000, 1_000_000]),
        **limits,
    )


@quick
@given(st.data())
def test_changes_leave_the_scores_that_would_be_computed_anew(make, data):
    fleet = build_fleet([data.draw(backends(make, f"b{i}")) for i in range(4)], make.now)
    records = [data.draw(jobs(make)) for _ in range(5)]
    table = ScoreTable(build_jobs(records, make.now), fleet)
    for _ in range(3):
        if data.draw(st.booleans()):
            table.backend_changed(data.draw(backends(make, f"b{data.draw(st.integers(0, 3))}")))
        else:
            rows = np.array(sorted(data.draw(st.sets(st.integers(0, 4), min_size=1))), dtype=np.int32)
            for row in rows:
                records[row] = data.draw(jobs(make))
            table.jobs_changed(build_jobs(records, make.now), rows)
        anew = ScoreTable(build_jobs(records, make.now), table.fleet)
        np.testing.assert_array_equal(table.scores, anew.scores)


@quick
@given(st.data())
def test_scores_offers_and_the_shortlist_are_those_that_are_explained(make, data):
    fleet = build_fleet([data.draw(backends(make, f"b{i}")) for i in range(3)], make.now)
    pending = build_jobs([data.draw(jobs(make)) for _ in range(4)], make.now)
    explained = estimate(pending, fleet)
    scorer = Scorer(pending, fleet)
    scores, run_s = scorer.offers(next(scorer.blocks()))
    np.testing.assert_array_equal(scores, explained.offers())
    np.testing.assert_array_equal(run_s, explained.run_s)
    np.testing.assert_array_equal(ScoreTable(pending, fleet).scores, explained.offers())
    np.testing.assert_array_equal(stage1(pending, fleet).scores, shortlist(explained.offers()).scores)
    np.testing.assert_array_equal(stage1(pending, fleet).columns, shortlist(explained.offers()).columns)


def test_where_narrow_products_have_other_bits_everything_is_scored_again(make, monkeypatch):
    fleet = build_fleet([make.backend(f"b{i}") for i in range(3)], make.now)
    pending = build_jobs([make.job(shots=shots) for shots in (1, 1000)], make.now)
    table = ScoreTable(pending, fleet)
    monkeypatch.setattr(ScoreTable, "_agree", lambda *_: False)
    table.backend_changed(make.backend("b1", wait_s=9000.0))
    np.testing.assert_array_equal(table.scores, ScoreTable(pending, table.fleet).scores)
    assert (table.scores[:, 1] < table.scores[:, 0]).all()


def test_a_table_says_what_it_was_given_wrong(make):
    pending = build_jobs([make.job(), make.job()], make.now)
    table = ScoreTable(pending, build_fleet([make.backend("b0")], make.now))
    with pytest.raises(ValueError, match="2 jobs, and is given 1"):
        table.jobs_changed(pending.take(slice(0, 1)), np.array([0], dtype=np.int32))
    with pytest.raises(KeyError, match="no backend 'other'"):
        table.backend_changed(make.backend("other"))


def test_scores_cannot_be_written_by_their_reader(make):
    table = ScoreTable(build_jobs([make.job()], make.now), build_fleet([make.backend()], make.now))
    with pytest.raises(ValueError, match="read-only"):
        table.scores[0, 0] = 1


def test_a_cost_is_held_against_its_limit_to_the_last_digit(make):
    def feasible(limit):
        job = make.job(shots=1000, max_cost=Money(amount=limit, currency="USD"))
        fleet = build_fleet([make.backend(pricing=make.price(per_shot="0.0033333"))], make.now)
        scorer = Scorer(build_jobs([job], make.now), fleet)
        return np.isfinite(scorer.offers(slice(0, 1))[0][0, 0])

    assert feasible("3.3333")
    assert not feasible("3.333299")


def test_a_limit_that_a_price_meets_after_rounding_up_is_met(make):
    pricing = make.price(per_shot="0.0033333", quantum="0.5")
    fleet = build_fleet([make.backend(pricing=pricing)], make.now)
    for limit, reasons in (("3.5", 0), ("3.4", 1)):
        job = make.job(shots=1000, max_cost=Money(amount=limit, currency="USD"))
        table = estimate(build_jobs([job], make.now), fleet)
        assert table.cost[0, 0] == 3.5
        assert bool(table.reasons[0, 0]) == bool(reasons)


def test_a_long_job_loses_what_a_short_one_has_before_a_backend_closes(make):
    window = [Window(start="09:00", end="14:00")]  # two hours are left
    fleet = build_fleet([make.backend("closes", windows=window), make.backend("open")], make.now)
    shots = [1000, 26_000_000, 40_000_000]
    wait = estimate(build_jobs([make.job(shots=each) for each in shots], make.now), fleet).wait
    share = wait[:, 0] / wait[:, 1]
    assert share[0] == pytest.approx(1, abs=0.01)
    assert share[0] > share[1] > share[2]
    assert share[2] == 0


@pytest.mark.parametrize(("pending", "fleet"), [(0, 2), (2, 0), (0, 0)])
def test_nothing_to_score_is_no_error(make, pending, fleet):
    jobs = build_jobs([make.job() for _ in range(pending)], make.now)
    backends = build_fleet([make.backend(f"b{i}") for i in range(fleet)], make.now)
    assert estimate(jobs, backends).score.shape == ScoreTable(jobs, backends).scores.shape == (pending, fleet)
    assert (stage1(jobs, backends).columns == -1).all()
