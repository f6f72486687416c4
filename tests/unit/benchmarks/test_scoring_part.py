"""The part that measures scoring, and the synthetic jobs and fleets that it measures on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.parts import scoring
from benchmarks.scenarios import scale
from benchmarks.score_roofline import Roofline, width
from qsched.circuits.profile import Profile
from qsched.scoring import estimate
from qsched.scoring.features import features


@pytest.fixture(autouse=True)
def few_profiles(monkeypatch):
    """Two circuits, since reading all takes seconds."""
    small = Profile(
        hash="s",
        qubits=3,
        n1=6,
        n2=4,
        measurements=3,
        depth2=4,
        path1=4,
        path2=4,
        path_m=1,
        idle=5.0,
        interactions=3,
        density=1.0,
        line=False,
        cliffordness=1.0,
        dynamic=False,
    )
    wide = Profile(
        hash="w",
        qubits=12,
        n1=40,
        n2=30,
        measurements=12,
        depth2=12,
        path1=14,
        path2=12,
        path_m=1,
        idle=70.0,
        interactions=20,
        density=0.3,
        line=False,
        cliffordness=0.5,
        dynamic=False,
    )
    monkeypatch.setattr(scale, "profiles", lambda: [small, wide])


def test_jobs_and_fleets_come_from_their_seeds_and_differ():
    jobs, again, other = (scale.jobs(500, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(jobs.shots, again.shots)
    assert (jobs.shots != other.shots).any()
    assert len(scale.fleet(80, 1)) == 80
    fleet = scale.fleet(16, 1)
    assert len(np.unique(fleet.log2)) > 8
    assert len(np.unique(fleet.wait_s)) == 16
    np.testing.assert_array_equal(fleet.log2, scale.fleet(16, 1).log2)
    scores = estimate(jobs, fleet).score
    assert 0.1 < (scores > 0).mean() < 0.9


def test_limits_are_drawn_as_often_as_asked_for():
    assert np.isfinite(scale.jobs(2000, 1, limited=0.3).remaining_s).mean() == pytest.approx(0.3, abs=0.05)
    free = scale.jobs(200, 1, limited=0)
    assert len(free.selections) == 1
    assert not free.min_fidelity.any()


def test_the_roofline_finds_each_row_s_greatest_product():
    roofline = Roofline(jobs=1000, backends=16, features=5)
    roofline.run(threads=2)
    rows = slice(0, 64)
    left, right = roofline._left, roofline._right
    np.testing.assert_array_equal(roofline.best[rows], (left[rows] @ right).argmax(axis=1))


def test_the_roofline_has_as_many_features_as_a_job():
    given = features(scale.jobs(200, 1), np.arange(200), weighted=True)
    assert width(given) > 30


def test_the_part_measures_judges_and_draws(monkeypatch):
    monkeypatch.setattr(scoring, "JOBS", (100, 500, 1000))
    monkeypatch.setattr(scoring, "_LEAST_S", 0.0)
    found = scoring.run(quick=False)
    assert all(np.isfinite(value) and value > 0 for value in found.figures.values())
    assert found.figures["jobs"] == 1000
    (plot,) = scoring.draw(found.data)
    axes = plot.figure.axes[0]
    assert len(found.tables[0].rows) == 9
    assert "ns" in axes.get_ylabel()
