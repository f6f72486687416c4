"""Fits to measured data: on data made from known constants, and on a slice of the real data."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.findings import LeftOut
from benchmarks.measured import ageing, executions, files, perth, queues
from benchmarks.measured.disturbed import CAP, capped, closed, unread
from qsched.fleet.drift import DRIFT_PER_SQRT_DAY, drift
from qsched.fleet.forecast import ARRIVALS_PER_H, depth_ahead

MEASURED = pytest.mark.skipif(
    not (files.FOLDER / "ibm-execution-times.csv.gz").exists(),
    reason="the measured data (shared/data beside the checkout) are not here",
)


def made_up_jobs(terms: executions.Terms, count: int = 400) -> files.Executions:
    rng = np.random.default_rng(0)
    circuits = rng.choice([1.0, 20.0, 100.0], count)
    depth = circuits * rng.integers(10, 900, count)
    shots = rng.choice([1000.0, 4000.0, 20_000.0], count)
    jobs = files.Executions(depth / 2, depth, circuits * 5, shots, circuits, np.ones(count))
    return jobs._replace(seconds=executions.predict(terms, jobs))


def test_the_constants_that_made_the_times_are_found_again_in_spite_of_outliers():
    terms = executions.Terms(3.0, 100_000.0, 200e-6, 300e-9)
    jobs = made_up_jobs(terms)
    jobs.seconds[::20] *= 40
    found = executions.fit_terms(jobs, np.ones(400, dtype=bool))
    assert found == pytest.approx(terms, rel=0.01)


def test_jobs_of_the_same_circuits_are_never_on_both_sides():
    jobs = made_up_jobs(executions.SHIPPED)
    twice = files.Executions(*(np.concatenate([each, each]) for each in jobs))
    fold = executions.folds(twice, 5, seed=0)
    assert np.array_equal(fold[:400], fold[400:])
    assert set(fold) == set(range(5))


def test_every_job_is_predicted_by_a_fit_that_did_not_see_it():
    fold = np.array([0, 0, 1, 2])
    unseen = executions.unseen(fold, lambda fit: fit.astype(float))
    assert unseen.tolist() == [0, 0, 0, 0]


def made_up_queues(days: int = 2) -> files.Queues:
    rng = np.random.default_rng(0)
    depth = rng.integers(0, 500, (days * 1440, 3)).astype(float)
    return files.Queues(["a", "b", "c"], np.arange(days * 1440), depth)


def test_a_forecast_starts_from_the_last_reading_and_knows_its_age():
    seen = made_up_queues()
    seen.depth[100:131] = np.nan
    true = made_up_queues()
    found = queues.cases(seen, true, 10, [0])
    stale = found.ahead_s > 600
    assert found.ahead_s[stale].max() == (130 - 99 + 10) * 60
    assert set(found.depth[stale]) == set(true.depth[99])


def test_closed_queues_are_neither_forecast_nor_a_truth():
    true = made_up_queues()
    shut = closed(true, seed=0)
    found = queues.cases(shut, shut, 60, [0, 1])
    assert (shut.depth == -1).mean() == pytest.approx(0.2, abs=0.1)
    assert len(found.depth) < len(queues.cases(true, true, 60, [0, 1]).depth)
    assert found.depth.min() >= 0
    assert found.later.min() >= 0


def test_no_forecast_looks_into_another_day():
    true = made_up_queues()
    for day in (0, 1):
        assert len(queues.cases(true, true, 360, [day]).depth) == (1440 - 360) / 5 * 3


def test_disturbed_queues_are_cut_and_unread():
    true = made_up_queues()
    assert capped(true).depth.max() == CAP
    assert np.isnan(unread(true, seed=0).depth).any()
    assert not np.isnan(true.depth).any()


def test_the_formulas_that_are_fitted_are_those_of_production():
    rates = queues.Rates(ARRIVALS_PER_H, 2.0)
    depth, ahead_s = np.array([0.0, 3.0, 50.0]), np.array([600.0, 7200.0, 21_600.0])
    for index, quantile in enumerate((0.5, 0.9)):
        fitted = queues.with_rates(rates, quantile)(depth, ahead_s)
        assert fitted == pytest.approx(depth_ahead(depth, ahead_s)[index])
    days = np.array([0.1, 1, 30])
    assert ageing.factor(DRIFT_PER_SQRT_DAY, days) == pytest.approx(drift(days * 86_400))


def test_data_that_are_missing_leave_a_part_out(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    with pytest.raises(LeftOut, match="shared/data/ibm-execution-times"):
        files.read_executions()


@MEASURED
def test_the_shipped_constants_predict_real_execution_times():
    jobs = files.read_executions()
    error = np.abs(executions.predict(executions.SHIPPED, jobs) / jobs.seconds - 1)
    assert np.median(error) <= 0.10
    assert np.quantile(error, 0.9) <= 0.60


@MEASURED
@pytest.mark.parametrize("horizon_min", queues.HORIZONS_MIN)
def test_forecasts_of_real_queues_beat_persistence_on_a_day_that_was_not_fitted_to(horizon_min):
    read = files.read_queues()
    fit, test = (queues.cases(read, read, horizon_min, days) for days in (range(4), range(4, 8)))
    p50, p90 = depth_ahead(test.depth, test.ahead_s)
    ratio = queues.fit_ratio(fit, 0.9)
    persistence = queues.pinball((1 + test.depth) * ratio - 1, test.later, 0.9)
    assert queues.pinball(p90, test.later, 0.9) <= 0.8 * persistence
    assert queues.pinball(p50, test.later, 0.5) <= queues.pinball(test.depth, test.later, 0.5)


@MEASURED
def test_the_age_term_takes_most_of_the_bias_of_an_old_calibration():
    device = perth.read_calibrations()
    found = ageing.pairs(device, ageing.choices(device))
    aged = found.success - ageing.SUCCESS ** drift(found.days * 86_400)
    assert abs(aged.mean()) < 0.2 * abs((found.success - ageing.SUCCESS).mean())
    assert found.lost.min() >= 0


@MEASURED
def test_a_device_whose_calibration_is_new_competes_with_what_it_really_does():
    device = perth.read_calibrations()
    found = ageing.entrants(device, ageing.choices(device), 3, 0.1)
    assert len(found.where) == len({each.epoch for each in found.where}) * len(ageing.AGES)
    fresh = np.array([each.age_days == 0 for each in found.where])
    np.testing.assert_allclose(found.knowing[:, fresh], found.truth[:, fresh])
    assert (found.knowing[:, ~fresh] < found.ignoring[:, ~fresh]).all()
    assert found.truth[:, ~fresh].mean() < found.ignoring[:, ~fresh].mean()
