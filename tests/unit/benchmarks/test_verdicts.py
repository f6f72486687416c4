from __future__ import annotations

import math
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

import benchmarks
from benchmarks.child import Order, Run, measure
from benchmarks.findings import Findings
from benchmarks.ranges import Range, judge, read_rangespec, unbounded
from benchmarks.record import new_folder, new_record, read_record, with_part, write_record
from benchmarks.table import summary, verdict_table
from qsched.errors import InvalidInput

HOME = Path(benchmarks.__file__).parent
SPEED = Range(says="speed", unit="1/s", min=500)


def _passed(value: float, range_: Range, *, quick: bool = False) -> bool:
    return judge({"figure": value}, {"figure": range_}, quick=quick)[0].passed


def _shown(renderable) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def _record(run: Run, ranges: dict[str, Range]):
    record = new_record([run.part], [], quick=False)
    return with_part(record, run, judge(run.findings.figures, ranges, quick=False))


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


def test_a_workload_of_ones_own_is_not_judged():
    (verdict,) = judge({"speed": 1.0}, unbounded({"speed": SPEED}), quick=False)
    assert not verdict.judged
    assert verdict.range.unit == "1/s"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("engine:\n  jobs: {says: jobs, maximum: 3}\n", r"rangespec.yaml:2: engine.jobs: .*maximum"),
        ("engine:\n  jobs: {says: jobs, max: many}\n", r":2: engine.jobs: Expected `float .* `\$.max`"),
        ("engine:\n  jobs:\n    says: jobs\n    min: 3\n    max: 2\n", "engine.jobs: min 3 is above max 2"),
        ("engine:\n  jobs: {says: jobs}\n  jobs: {says: jobs}\n", ":3: engine.jobs: is there twice"),
        ("engine: {}\nplacing: {}\nengine: {}\n", ":3: engine: is there twice"),
        ("engine:\n- jobs\n", ":2: engine: a part has a mapping of figures"),
        ("", ":1: the file has a mapping of parts"),
        ("engine:\n  jobs: {says: [\n", r"rangespec.yaml:3: "),
    ],
)
def test_a_malformed_file_of_ranges_is_refused_with_its_line(tmp_path, text, says):
    path = tmp_path / "rangespec.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_rangespec(path)


def test_every_part_has_ranges_and_every_range_a_part():
    parts = {path.stem for path in (HOME / "parts").glob("*.py")} - {"__init__"}
    assert set(read_rangespec(HOME / "rangespec.yaml")) == parts


@pytest.mark.slow
def test_a_part_measures_what_its_ranges_name():
    run = measure(Order("profile", quick=True))
    assert set(run.findings.figures) == set(read_rangespec(HOME / "rangespec.yaml")["profile"])


def test_the_table_shows_value_range_and_verdict():
    run = Run("engine", "Many jobs", findings=Findings({"speed": 1234.5}))
    shown = _shown(verdict_table("engine", _record(run, {"speed": SPEED}).parts["engine"]))
    assert all(text in shown for text in ("engine: Many jobs", "1,234 1/s", "≥ 500", "pass"))


def test_a_part_that_failed_is_shown_with_its_reason():
    record = _record(Run("engine", error="it broke\n"), {})
    assert "it broke" in _shown(verdict_table("engine", record.parts["engine"]))
    assert "engine: did not run" in _shown(summary(record))
    assert not record.passed


def test_a_part_that_was_left_out_is_named_and_fails_nothing():
    record = with_part(new_record(["drift"], [], quick=False), Run("drift", left_out="no data"), [])
    assert "drift: left out, no data" in _shown(summary(record))
    assert record.passed


def test_the_record_says_what_the_figures_depend_on_and_reads_back(tmp_path):
    record = _record(Run("engine", seed=7, findings=Findings({"speed": 400.0})), {"speed": SPEED})
    read = read_record(write_record(record, tmp_path / "run"))
    assert read == record == read_record(tmp_path / "run")
    assert read.machine.processors
    assert read.versions["qiskit"]
    assert read.parts["engine"].seed == 7
    assert msgspec.to_builtins(read.parts["engine"].figures["speed"]) == {
        "value": 400.0,
        "says": "speed",
        "unit": "1/s",
        "min": 500,
        "max": None,
        "judged": True,
        "passed": False,
    }


def test_a_figure_that_was_not_measured_is_null_in_the_record():
    assert _record(Run("engine"), {"speed": SPEED}).parts["engine"].figures["speed"].value is None


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"format": 2}'])
def test_a_file_that_is_not_a_run_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=r"other.json: not a run of this version"):
        read_record(path)


def test_two_runs_that_begin_in_one_second_have_two_folders(tmp_path):
    record = new_record(["engine"], [], quick=True)
    first = new_folder(record, tmp_path)
    write_record(record, first)
    assert new_folder(record, tmp_path) != first
