from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

import benchmarks
from benchmarks.__main__ import main
from benchmarks.ranges import Range, judge, read_rangespec
from benchmarks.record import write_record
from benchmarks.runner import Run, measure, run_part
from benchmarks.table import verdict_table

HOME = Path(benchmarks.__file__).parent
SPEED = Range(says="speed", unit="1/s", min=500)


def _passed(value: float, range_: Range, *, quick: bool = False) -> bool:
    return judge({"figure": value}, {"figure": range_}, quick=quick)[0].passed


def test_a_figure_passes_within_its_range_bounds_included():
    both = Range(says="", min=1, max=2)
    assert [_passed(value, both) for value in (0.9, 1, 2, 2.1)] == [False, True, True, False]


def test_a_figure_that_was_not_measured_fails():
    (verdict,) = judge({}, {"speed": SPEED}, quick=False)
    assert verdict.judged
    assert not verdict.passed
    assert not _passed(math.nan, SPEED)


def test_a_figure_without_bounds_is_shown_and_cannot_fail():
    verdicts = judge({"extra": 3.0}, {"jobs": Range(says="jobs")}, quick=False)
    assert [(each.figure, each.judged, each.passed) for each in verdicts] == [
        ("jobs", False, True),
        ("extra", False, True),
    ]


def test_a_bound_for_full_runs_does_not_fail_a_quick_one():
    memory = Range(says="", max=4096, quick=False)
    assert _passed(9000, memory, quick=True)
    assert not _passed(9000, memory, quick=False)


def test_a_misspelt_bound_is_refused(tmp_path):
    path = tmp_path / "rangespec.yaml"
    path.write_text("engine:\n  jobs: {says: jobs, maximum: 3}\n")
    with pytest.raises(msgspec.ValidationError, match="maximum"):
        read_rangespec(path)


def test_every_part_has_ranges_and_every_range_a_part():
    parts = {path.stem for path in (HOME / "parts").glob("*.py")} - {"__init__"}
    assert set(read_rangespec(HOME / "rangespec.yaml")) == parts


def test_a_part_measures_what_its_ranges_name():
    run = measure("profile", quick=True)
    assert set(run.figures) == set(read_rangespec(HOME / "rangespec.yaml")["profile"])


def test_a_part_that_fails_says_why_and_the_run_goes_on():
    run = run_part("no_such_part", quick=True)
    assert "no_such_part" in run.error
    console = Console(file=StringIO(), width=120)
    console.print(verdict_table(run, []))
    assert "failed" in console.file.getvalue()


def test_an_unknown_part_is_bad_input(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["engin"])
    assert ended.value.code == 2
    assert "there is no part engin; there are engine" in capsys.readouterr().err


def test_the_table_shows_value_range_and_verdict():
    verdicts = judge({"speed": 1234.5}, {"speed": SPEED}, quick=False)
    console = Console(file=StringIO(), width=120)
    console.print(verdict_table(Run("engine", "Many jobs."), verdicts))
    shown = console.file.getvalue()
    assert all(text in shown for text in ("engine: Many jobs.", "1,234 1/s", ">= 500", "pass"))


def test_the_record_says_what_the_figures_depend_on(tmp_path):
    run = Run("engine", seed=7, figures={"speed": 400.0})
    path = write_record([(run, judge(run.figures, {"speed": SPEED}, quick=False))], tmp_path, quick=False)
    record = json.loads(path.read_text())
    assert record["machine"]["processors"]
    assert record["versions"]["qiskit"]
    assert record["parts"]["engine"]["seed"] == 7
    assert record["parts"]["engine"]["figures"]["speed"] == {
        "value": 400.0,
        "unit": "1/s",
        "min": 500,
        "max": None,
        "judged": True,
        "passed": False,
    }


def test_a_figure_that_was_not_measured_is_null_in_the_record(tmp_path):
    path = write_record([(Run("engine"), judge({}, {"speed": SPEED}, quick=False))], tmp_path, quick=False)
    assert json.loads(path.read_text())["parts"]["engine"]["figures"]["speed"]["value"] is None
