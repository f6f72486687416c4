"""What a backend's earlier runs took, in the estimates of the next."""

from __future__ import annotations

import dataclasses

import pytest

from qsched.api.job import Execution
from qsched.fleet.snapshot import build_fleet
from qsched.scoring import Reason, Refined, build_jobs, estimate, explain

REFINED = Refined(log_success=-0.5, path_s=4e-6, longest_s=3e-6, t2_s=60e-6)


@pytest.mark.parametrize("refinements", [{}, {(0, 0): REFINED}], ids=["stage1", "stage2"])
def test_the_factor_lengthens_the_run_and_what_follows_from_it(make, refinements):
    def table(factor):
        # Nothing but the seconds on the device is paid for.
        backend = make.backend(run_factor=factor, pricing=make.price(per_second="1.6", quantum="0.000001"))
        jobs = build_jobs([make.job(shots=4000)], make.now)
        return estimate(jobs, build_fleet([backend], make.now), refinements)

    plain, slow = table(1.0), table(3.0)
    assert slow.run_s[0, 0] == pytest.approx(3 * plain.run_s[0, 0], rel=1e-6)
    assert slow.cost[0, 0] == pytest.approx(3 * plain.cost[0, 0], rel=1e-5)
    assert slow.wait[0, 0] < plain.wait[0, 0]
    # The circuits themselves are as long as ever: a pause between shots does not decohere.
    for name in ("success", "critical_path_s", "window_s", "coherence"):
        assert getattr(slow, name)[0, 0] == getattr(plain, name)[0, 0]


def test_the_factor_is_held_against_a_deadline(make):
    def reasons(factor):
        spec = {"complete_by": make.now.replace(minute=2), "shots": 4000}
        fleet = build_fleet([make.backend(run_factor=factor, wait_s=1.0, wait_p90_s=2.0)], make.now)
        return int(estimate(build_jobs([make.job(**spec)], make.now), fleet).reasons[0, 0])

    assert reasons(1.0) == 0
    assert reasons(29.0) == Reason.COMPLETE_BY


def test_an_estimate_says_which_part_of_it_was_learnt(make):
    [verdict] = explain(make.job(), build_fleet([make.backend(run_factor=2.5)], make.now))
    assert verdict.estimate.run_factor == 2.5


def test_one_column_is_replaced_like_any_other(make):
    record = make.backend("b0")
    fleet = build_fleet([record, make.backend("b1")], make.now)
    changed = dataclasses.replace(record, run_factor=4.0, compiles=False)
    again = fleet.with_record(changed)
    assert again.run_factor.tolist() == [4.0, 1.0]
    assert again.compiles.tolist() == [False, True]


def test_a_backend_that_does_not_compile_refuses_what_the_provider_is_to_compile(make):
    fleet = build_fleet([make.backend("native", compiles=False), make.backend("any")], make.now)
    verdicts = {
        transpile: {
            each.backend: each for each in explain(make.job(execution=Execution(transpile=transpile)), fleet)
        }
        for transpile in ("Local", "Provider")
    }
    assert [each.feasible for each in verdicts["Local"].values()] == [True, True]
    assert verdicts["Provider"]["any"].feasible
    assert not verdicts["Provider"]["native"].feasible
    assert verdicts["Provider"]["native"].reasons == [
        "takes native circuits only, and execution.transpile is Provider; set it to Local"
    ]
    assert verdicts["Provider"]["any"].estimate.provider_compiles
    assert not verdicts["Local"]["any"].estimate.provider_compiles
