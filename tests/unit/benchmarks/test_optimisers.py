from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.optimize import minimize

from benchmarks import nsga2
from benchmarks.nsga2 import Front, front, objectives, pick
from benchmarks.parts.optimisers import Comparison, draw
from benchmarks.scenarios.two_objectives import FALCONS, MIXED, Instance, Size
from benchmarks.sweep import FIRST, sweep


def _instance(jobs: int, backends: int, seed: int, *, infeasible: float = 0.0) -> Instance:
    rng = np.random.default_rng(seed)
    run_s = (rng.lognormal(3, 0.8, (jobs, 1)) * rng.uniform(0.5, 2, (1, backends))).astype(np.float32)
    success = rng.uniform(0.1, 0.9, (jobs, backends)).astype(np.float32)
    queue_s = rng.uniform(0, 300, backends).astype(np.float32)
    feasible = rng.random((jobs, backends)) >= infeasible
    feasible[:, 0] = True
    return Instance(run_s, success, queue_s, feasible)


def _by_hand(choice: np.ndarray, instance: Instance) -> tuple[float, float]:
    """Qonductor's objectives, word for word."""
    load = [0.0] * len(instance.queue_s)
    for job, backend in enumerate(choice):
        load[backend] += float(instance.run_s[job, backend])
    completion = [load[backend] + float(instance.queue_s[backend]) for backend in choice]
    error = [1 - float(instance.success[job, backend]) for job, backend in enumerate(choice)]
    return float(np.mean(completion)), float(np.mean(error))


@given(jobs=st.integers(1, 12), backends=st.integers(1, 5), seed=st.integers(0, 1000))
def test_the_objectives_are_those_of_qonductor(jobs, backends, seed):
    instance = _instance(jobs, backends, seed)
    choices = np.random.default_rng(seed).integers(0, backends, (4, jobs)).astype(np.int32)
    found = objectives(choices, instance.run_s, instance.success, instance.queue_s)
    assert found == pytest.approx(np.array([_by_hand(choice, instance) for choice in choices]), rel=1e-5)


@pytest.fixture
def short_search(monkeypatch):
    """NSGA-II for a few generations instead of a thousand."""
    monkeypatch.setattr(nsga2, "minimize", lambda *args, **options: minimize(*args, ("n_gen", 15), **options))


def test_nsga2_keeps_to_feasible_pairs_and_is_repeatable(short_search):
    instance = _instance(20, 4, 1, infeasible=0.1)
    found, again = (front(*instance, seed=3) for _ in range(2))
    assert len(found.choices)
    assert instance.feasible[np.arange(20), found.choices].all()
    np.testing.assert_array_equal(found.choices, again.choices)
    assert found.objectives == pytest.approx(objectives(found.choices, *instance[:3]))


def test_without_a_feasible_schedule_the_front_is_empty_and_nothing_can_be_picked(short_search):
    instance = _instance(20, 3, 1)
    found = front(*instance[:3], np.zeros((20, 3), dtype=bool), seed=0)
    assert found.choices.shape == (0, 20)
    with pytest.raises(ValueError, match="no feasible schedule"):
        pick(found)


def test_pseudo_weights_pick_the_end_of_the_front_that_matters():
    worth = np.array([[1.0, 9.0], [4.0, 4.0], [9.0, 1.0]])
    found = Front(np.array([[0], [1], [2]], dtype=np.int32), worth)
    assert [pick(found, weights)[0] for weights in ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))] == [0, 1, 2]


def test_a_front_of_one_point_is_picked():
    assert pick(Front(np.array([[2, 1]], dtype=np.int32), np.array([[1.0, 0.5]]))).tolist() == [2, 1]


@pytest.mark.parametrize(("jobs", "backends"), [(30, 3), (600, 4)])
def test_a_sweep_goes_from_the_best_success_to_the_shortest_time(jobs, backends):
    instance = _instance(jobs, backends, 2, infeasible=0.2)
    found = sweep(instance, len(FIRST) + 2, seed=0)
    completion_s, error = found.objectives.T
    assert (np.diff(completion_s) > 0).all()
    assert (np.diff(error) < 0).all()
    assert instance.feasible[np.arange(jobs), found.choices].all()
    best = np.where(instance.feasible, instance.success, 0).max(axis=1).mean()
    assert 1 - error[-1] >= 0.99 * best
    alone = objectives(np.zeros((1, jobs), dtype=np.int32), *instance[:3])[0, 0]
    assert completion_s[0] < alone


def test_a_sweep_has_more_hypervolume_than_a_short_search(short_search):
    instance = _instance(40, 4, 5)
    fronts = sweep(instance, 12, seed=0), front(*instance, seed=0)
    points = (found.objectives.tolist() for found in fronts)
    ours, theirs = Comparison(Size(40, 4), *points, 1.0, 1.0, 1.0, 1.0).hypervolumes
    assert ours > theirs


def test_the_hypervolume_counts_what_lies_between_a_front_and_the_reference():
    size = Size(1, 2)
    compared = Comparison(size, [(0.0, 1.0), (1.0, 0.0)], [(1.0, 1.0)], 1.0, 200.0, 1.0, 200.0)
    ours, theirs = compared.hypervolumes
    assert theirs == pytest.approx(0.01)
    assert ours == pytest.approx(2 * 0.1 * 1.1 - 0.01)


def test_the_fronts_are_drawn_from_plain_data():
    plain = {"size": [100, 4, False], "qsched": [[60.0, 0.2], [120.0, 0.1]], "nsga2": [[90.0, 0.2]]}
    times = {"qsched_s": 0.1, "nsga2_s": 20.0, "qsched_cpu_s": 0.1, "nsga2_cpu_s": 20.0}
    (plot,) = draw({"compared": [plain | times]})
    assert plot.figure.axes[0].get_xlabel() == "mean completion time (min)"


def test_every_narrow_device_has_room_for_every_narrow_circuit():
    from qsched.fleet.quality import quality
    from qsched_aer.snapshots import load_snapshot

    assert min(quality(load_snapshot(name)).qubits for name in FALCONS) >= 7
    widths = [quality(load_snapshot(name)).qubits for name in MIXED]
    assert (min(widths), sum(width >= 27 for width in widths) >= 5) == (5, True)
