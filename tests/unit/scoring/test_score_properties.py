"""What must hold of any score, on any fleet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsched.fleet.snapshot import build_fleet
from qsched.scoring import build_jobs, estimate, shortlist, stage1

errors = st.floats(0, 1)
times_s = st.one_of(st.floats(1e-9, 10), st.just(float("nan")), st.just(float("inf")))
waits_s = st.floats(0, 1e6)
pytestmark = pytest.mark.filterwarnings("error")
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def backends(draw, make, name="b"):
    wait_s = draw(waits_s)
    quality = make.device(
        draw(st.sampled_from([1, 3, 7])),
        e1=draw(errors),
        e2=draw(errors),
        er=draw(errors),
        t1_s=draw(times_s),
        t2_s=draw(times_s),
    )
    return make.backend(
        name,
        quality=draw(st.sampled_from([quality, None])),
        simulator=draw(st.booleans()),
        online=draw(st.booleans()),
        wait_s=wait_s,
        wait_p90_s=wait_s * draw(st.floats(1, 100)),
        pricing=draw(st.sampled_from([None, make.price(per_task="0.3", per_shot="0.01", quantum="0.01")])),
    )


@st.composite
def jobs(draw, make, name="j"):
    circuits = [
        make.circuit(
            qubits=draw(st.integers(1, 9)),
            n1=draw(st.integers(0, 100_000)),
            n2=draw(st.integers(0, 100_000)),
            path1=draw(st.integers(0, 10_000)),
            path2=draw(st.integers(0, 10_000)),
            idle=draw(st.floats(0, 100_000)),
            interactions=draw(st.integers(0, 100_000)),
            density=draw(st.floats(0, 1)),
            line=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    return make.job(
        name,
        profiles=circuits,
        shots=draw(st.sampled_from([1, 1000, 10_000_000])),
        objective=draw(st.sampled_from(["balanced", "fidelity", "speed", "cost"])),
        min_fidelity=draw(st.sampled_from([None, 0.5, 1.0])),
        max_queue_time=draw(st.sampled_from([None, "1ms", "10m"])),
    )


@quick
@given(st.data())
def test_scores_are_fractions_and_nothing_is_nan_whatever_the_calibration_says(make, data):
    fleet = build_fleet([data.draw(backends(make, f"b{i}")) for i in range(3)], make.now)
    table = estimate(build_jobs([data.draw(jobs(make))], make.now), fleet)
    for utility in (table.score, table.success, table.wait, table.coherence, table.thrift):
        assert np.all((utility >= 0) & (utility <= 1))
    for figure in (table.log_success, table.run_s, table.critical_path_s, table.cost):
        assert np.isfinite(figure).all()
    assert not np.isnan(table.window_s).any()
    assert np.all(table.score[table.reasons != 0] == 0)


@pytest.mark.slow
@quick
@given(st.data())
def test_splitting_a_batch_does_not_change_a_bit_of_a_score(make, data):
    records = [data.draw(jobs(make, f"j{i}")) for i in range(data.draw(st.integers(2, 6)))]
    fleet = build_fleet(
        [data.draw(backends(make, f"b{i}")) for i in range(data.draw(st.integers(1, 20)))], make.now
    )
    together = estimate(build_jobs(records, make.now), fleet)
    for row, record in enumerate(records):
        alone = estimate(build_jobs([record], make.now), fleet)
        for column in ("score", "log_success", "run_s", "cost", "wait", "reasons"):
            np.testing.assert_array_equal(getattr(alone, column)[0], getattr(together, column)[row])


@quick
@given(st.data())
def test_the_order_of_jobs_and_backends_does_not_matter(make, data):
    records = [data.draw(jobs(make, f"j{i}")) for i in range(4)]
    fleet = [data.draw(backends(make, f"b{i}")) for i in range(4)]
    straight = estimate(build_jobs(records, make.now), build_fleet(fleet, make.now))
    turned = estimate(build_jobs(records[::-1], make.now), build_fleet(fleet[::-1], make.now))
    np.testing.assert_allclose(straight.score, turned.score[::-1, ::-1], atol=1e-6)
    np.testing.assert_array_equal(straight.reasons, turned.reasons[::-1, ::-1])


@quick
@given(
    st.sampled_from(["e1", "e2", "er", "wait_s", "per_task", "per_shot", "per_second", "per_two_qubit_gate"]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["balanced", "fidelity", "speed", "cost"]),
)
def test_a_worse_backend_never_scores_better(make, figure, one, other, objective):
    better, worse = sorted((one, other))

    def record(name, value):
        if figure in ("e1", "e2", "er"):
            return make.backend(name, quality=make.device(**{figure: value}))
        if figure == "wait_s":
            return make.backend(name, wait_s=value * 2e5, wait_p90_s=value * 6e5)
        return make.backend(name, pricing=make.price(**{figure: f"{value:.9f}"}))

    fleet = build_fleet([record("better", better), record("worse", worse)], make.now)
    scores = estimate(build_jobs([make.job(objective=objective)], make.now), fleet).score[0]
    assert scores[0] >= scores[1]


@pytest.mark.parametrize("figure", ["e1", "e2", "er"])
def test_each_error_counts(make, figure):
    fleet = build_fleet(
        [
            make.backend("good", quality=make.device(**{figure: 0.001})),
            make.backend("bad", quality=make.device(**{figure: 0.1})),
        ],
        make.now,
    )
    scores = estimate(build_jobs([make.job()], make.now), fleet).score[0]
    assert scores[0] > scores[1] + 0.01


def test_many_blocks_on_two_threads_give_the_shortlist_of_the_whole_table(make):
    fleet = build_fleet(
        [make.backend(f"b{i}", quality=make.device(e2=0.002 * i + 0.001)) for i in range(30)], make.now
    )
    few = build_jobs(
        [make.job(f"j{i}", profiles=[make.circuit(n2=i, qubits=1 + i % 9)]) for i in range(90)], make.now
    )
    many = few.take(np.resize(np.arange(90, dtype=np.int32), 5000))
    whole = shortlist(estimate(many, fleet).offers(), 4)
    streamed = stage1(many, fleet, keep=4, threads=2)
    np.testing.assert_array_equal(whole.columns, streamed.columns)
    np.testing.assert_array_equal(whole.scores, streamed.scores)
    too_wide = np.flatnonzero(many.qubits > 7)
    assert (streamed.best[too_wide] == -1).all()
    assert (streamed.best[many.qubits <= 7] == 0).all()


def test_replacing_one_backend_gives_the_fleet_built_anew(make):
    records = [make.backend(f"b{i}") for i in range(4)]
    changed = make.backend(
        "b2", quality=make.device(9, e2=0.2), queue_depth=7, wait_s=500.0, pricing=make.price("EUR")
    )
    replaced = build_fleet(records, make.now).with_record(changed)
    anew = build_fleet([*records[:2], changed, records[3]], make.now)
    pending = build_jobs([make.job()], make.now)
    np.testing.assert_array_equal(estimate(pending, replaced).score, estimate(pending, anew).score)
    np.testing.assert_array_equal(replaced.ball, anew.ball)
    assert replaced.currencies == anew.currencies
