"""The part of the policies: its study, its pictures, and a policy, a fleet and traces of one's own."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mqt.bench")
pytest.importorskip("pymoo")

from benchmarks.parts import policies
from benchmarks.policies.load import load
from benchmarks.policies.qonductor import Qonductor
from benchmarks.ranges import read_rangespec
from benchmarks.simulation import exact, fleets, study
from benchmarks.simulation.build import scenario
from benchmarks.simulation.mix import columns
from benchmarks.simulation.study import Duel, Point
from benchmarks.simulation.tables import duel_table
from qsched.errors import InvalidInput

ROOT = Path(__file__).parents[3]
OWN = ROOT / "examples" / "own_policy.py"
TRACE = "seconds,circuit,shots\n0,ghz-3,4000\n1,bv-4,4000\n2,ghz-3,1000\n"


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    policies.configure(parser)
    return parser.parse_args(words)


def test_the_example_is_the_one_of_the_how_to_and_is_compared(tmp_path: Path):
    how_to = (ROOT / "docs" / "how-to" / "compare-your-own-policy.md").read_text()
    first = re.findall(r"^```python\n(.*?)^```$", how_to, re.DOTALL | re.MULTILINE)[0]
    assert first in OWN.read_text()
    trace = tmp_path / "jobs.csv"
    trace.write_text(TRACE)
    found = policies.run(quick=True, options=options("--policy", f"{OWN}:near_best", "--trace", str(trace)))
    assert found.figures["jobs"] == 3
    assert found.figures["failed_policies"] == 0
    assert 0 < found.figures["near_best: mean success"] < 1
    (table,) = found.tables
    assert [row[0] for row in table.rows] == [
        "near_best", "qsched", "best-fidelity", "least-loaded", "round-robin", "random",
    ]  # fmt: skip
    (plot,) = policies.draw(json.loads(json.dumps(found.data)))
    assert plot.name == "policies-gantt"


def test_a_policy_that_fails_is_in_the_report_and_the_others_are_too(tmp_path: Path):
    own, trace = tmp_path / "own.py", tmp_path / "jobs.csv"
    own.write_text("def broken(view):\n    raise RuntimeError('no idea')\n")
    trace.write_text(TRACE)
    found = policies.run(quick=True, options=options("--policy", f"{own}:broken", "--trace", str(trace)))
    assert found.figures["failed_policies"] == 1
    results, failed = found.tables
    assert len(results.rows) == 5
    ((name, why),) = failed.rows
    assert name == "broken"
    assert re.search(r"job 'line-2'.*RuntimeError: no idea.*own.py:2", str(why))


def test_an_unknown_policy_is_refused_before_anything_runs():
    with pytest.raises(InvalidInput, match="no policy 'qsjed'; did you mean 'qsched'"):
        policies.run(quick=True, options=options("--policy", "qsjed"))


def test_every_figure_of_the_part_has_a_range_and_the_pictures_can_be_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(policies, "QUICK_JOBS", 6)
    monkeypatch.setattr(policies, "QUICK_SMALL", 1)
    monkeypatch.setattr(exact, "SETTINGS", (0.05, 0.5))
    monkeypatch.setattr(study, "jobs_for", lambda _: 20)
    found = policies.run(quick=True)
    ranges = read_rangespec(ROOT / "benchmarks" / "rangespec.yaml")["policies"]
    assert set(found.figures) <= set(ranges)
    assert {
        name for name, each in ranges.items() if each.quick and (each.min, each.max) != (None, None)
    } <= set(found.figures)
    data: dict[str, Any] = json.loads(json.dumps(found.data))
    data["points"].append(data["points"][0] | {"policy": "qonductor", "load": 0.9})
    assert [plot.name for plot in policies.draw(data)] == [
        "policies-wait", "policies-trade-off", "policies-gantt",
    ]  # fmt: skip


def test_qonductor_decides_for_a_batch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.nsga2.POPULATION", 4)
    case = scenario(fleets.fleet(4, 0), jobs=3, load=0.9, seed=0)
    from benchmarks.simulation import simulate

    outcome = simulate(case, Qonductor(), stopwatch=lambda: 0.0)
    assert np.isfinite(outcome.ends_s).all()
    assert len(outcome.decisions_s) <= 3
    assert load("qonductor").batch_jobs == 100


def at(time_s: float, success: float, fidelity: float = 0.5, policy: str = "qsched") -> Point:
    metrics = {"completion_mean_s": time_s, "success": success, "decision_ms": 1.0}
    return Point("some jobs", 4, 0.9, policy, fidelity, metrics)


def test_a_point_is_dominated_only_by_what_is_better_in_one_and_worse_in_none():
    assert Duel(at(10, 0.5), [at(10, 0.6)]).winners
    assert Duel(at(10, 0.5), [at(90, 0.9), at(9, 0.5)]).winners == [at(9, 0.5)]
    assert not Duel(at(10, 0.5), [at(10, 0.5)]).winners
    assert not Duel(at(10, 0.5), [at(9, 0.49), at(11, 0.51)]).winners
    assert Duel(at(10, 0.5), [at(9, 0.49), at(20, 0.51)]).best == at(9, 0.49)  # 2 % worse, not twice as slow


def test_a_setting_that_wins_is_looked_for_between_those_that_nearly_do(monkeypatch: pytest.MonkeyPatch):
    tried = []

    def trade_off(_case: Any, _load: float, settings: list[float]) -> list[Point]:
        tried.extend(settings)
        return [at(100 * x, 0.5 + 0.4 * x, x) for x in settings]

    monkeypatch.setattr(study, "trade_off", trade_off)
    theirs: Future[Point] = Future()
    theirs.set_result(at(30.0, 0.61, policy="qonductor"))
    known = [at(100 * x, 0.5 + 0.4 * x, x) for x in (0.0, 0.25, 0.5, 1.0)]
    (duel,) = study.duels([theirs], known, seed=0)
    assert tried == [0.375, 0.3125, 0.28125]
    assert duel.best.fidelity == 0.28125
    (row,) = duel_table([duel])[0].rows
    assert (row[5], row[-1]) == (0.28125, "yes")


def test_a_worker_ends_when_the_harness_is_killed():
    code = """if True:
        import multiprocessing, os, signal
        from concurrent.futures import ProcessPoolExecutor
        from benchmarks.simulation.study import _end_with_the_parent
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_the_parent)
        pool.submit(abs, 1).result()
        pool.submit(signal.pause)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    # The worker has the same standard output, so it ends only when both are gone.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL


def test_load_one_is_all_that_a_fleet_can_do():
    from benchmarks.scenarios.scale import profiles
    from benchmarks.simulation.bounds import capacity, success_in_the_long_run

    case = scenario(fleets.fleet(4, 0), jobs=60, load=1.0, seed=0)
    most = capacity(case.jobs, case.fleet)
    assert success_in_the_long_run(case.jobs, case.fleet, 0.999 * most) > 0
    assert np.isnan(success_in_the_long_run(case.jobs, case.fleet, 1.01 * most))
    light = success_in_the_long_run(case.jobs, case.fleet, 0.01 * most)
    assert light > success_in_the_long_run(case.jobs, case.fleet, 0.9 * most)
    assert len(columns(profiles())) > 20


def test_the_python_of_the_how_to_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    how_to = (ROOT / "docs" / "how-to" / "compare-your-own-policy.md").read_text()
    _, text = re.findall(r"^```python\n(.*?)^```$", how_to, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(ROOT)
    exec(text.replace("jobs=100", "jobs=5"), {})  # fewer jobs, the same code
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["qsched", "near_best"]
