from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import main
from benchmarks.child import Run
from benchmarks.findings import Findings, Table
from benchmarks.ranges import Range, judge
from benchmarks.record import new_record, read_record, with_part, write_record
from benchmarks.report import write_report

DRAWS = """
from matplotlib.figure import Figure
from benchmarks.findings import Plot
def draw(data):
    figure = Figure()
    figure.subplots().plot(data["x"], data["y"])
    yield Plot("wait against load", 'Wait & "load"', figure)
    if "broken" in data:
        raise ValueError("the second plot")
"""
TABLE = Table("Policies <all>", ["policy", "wait (s)"], [["a|b", 1234.5], ["none", None]], "Of five seeds.")
SPEED = Range(says="things done", unit="1/s", min=500, max=1e6)
VOID = {"meta", "img"}


def _record(*runs: Run):
    record = new_record([run.part for run in runs], [], quick=True)
    for run in runs:
        ranges = {} if run.error or run.left_out else {"speed": SPEED}
        record = with_part(record, run, judge(run.findings.figures, ranges, quick=True))
    return record


def _written(home, record):
    folder = home.places.results / "run"
    write_record(record, folder)
    write_report(record, folder, home.places.parts)
    return folder


@pytest.fixture
def folder(home):
    home.add("scaling", DRAWS)
    found = Findings({"speed": 400.0}, [TABLE], {"x": [1, 2], "y": [3, 4]})
    record = _record(
        Run("scaling", "How it scales", seed=7, seconds=130, findings=found),
        Run("drift", "Old calibrations", left_out="data is not there"),
        Run("waits", error="Traceback: <it broke>\n"),
    )
    return _written(home, record)


def test_the_part_of_the_how_to_runs_and_is_drawn(home):
    how_to = Path(__file__).parents[3] / "docs" / "how-to" / "run-the-benchmarks.md"
    (body,) = re.findall(r"```python\n(.*?)```", how_to.read_text(encoding="utf-8"), re.DOTALL)
    home.add("nothing", "")
    (home.places.parts / "nothing.py").write_text(body)
    assert main(["--quick"], home.places) == 0
    assert (home.runs[0] / "nothing-histogram.svg").exists()
    assert "How fast nothing is" in " ".join(_page(home.runs[0]).text)


class _Page(HTMLParser):
    """Checks that every element is closed in turn, and keeps what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.addresses += [given[name] for name in ("src", "href") if name in given]
        self.ids |= {given["id"]} if "id" in given else set()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _page(folder) -> _Page:
    page = _Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert not page.open
    return page


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(folder):
    page = _page(folder)
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        else:
            assert address.startswith("data:image/svg+xml;base64,")
            assert b"<svg" in base64.b64decode(address.partition(",")[2])
    assert "url(" not in (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_says_what_was_found_and_what_it_depends_on(folder):
    text = " ".join(_page(folder).text)
    for says in (
        "0 of 1 judged figures are in their ranges. Did not run to the end: waits. Left out: drift.",
        "400 1/s",
        "≥ 500, ≤ 1,000,000",
        "FAIL",
        "things done",
        "How it scales",
        "Table 1.",
        "Policies <all>",
        "1,234",
        "Of five seeds.",
        "Figure 1.",
        'Wait & "load"',
        "2 min 10 s",
        "python -m benchmarks scaling --quick",
        "Left out: data is not there",
        "Traceback: <it broke>",
        "processors",
        "qiskit-aer",
    ):
        assert says in text


def test_markdown_says_the_same_with_the_pictures_beside_it(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", text)
    assert "<svg" in (folder / picture).read_text(encoding="utf-8")
    assert "| speed | 400 1/s | ≥ 500, ≤ 1,000,000 | FAIL | things done |" in text
    assert "| a\\|b | 1,234 |" in text
    assert "**Policies &lt;all>**" in text
    assert "    Traceback: <it broke>" in text
    assert "Left out: data is not there" in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_a_plot_that_cannot_be_drawn_costs_nothing_else(home):
    home.add("scaling", DRAWS)
    home.add("drift", "raise RuntimeError('not importable')")
    data = {"x": [1], "y": [1], "broken": True}
    record = _record(
        Run("scaling", findings=Findings({"speed": 600.0}, data=data)),
        Run("drift", findings=Findings({"speed": 600.0}, data={"x": 1})),
    )
    folder = _written(home, record)
    assert write_report(record, folder, home.places.parts).undrawn == ["scaling", "drift"]
    text = " ".join(_page(folder).text)
    assert "Figure 1." in text
    assert "ValueError: the second plot" in text
    assert "RuntimeError: not importable" in text
    assert "ValueError: the second plot" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_plot_of_very_many_points_becomes_png(home, monkeypatch):
    monkeypatch.setattr("benchmarks.report.pictures.LARGE_BYTES", 100)
    home.add("scaling", DRAWS)
    folder = _written(home, _record(Run("scaling", findings=Findings({}, data={"x": [1], "y": [1]}))))
    (picture,) = folder.glob("scaling-*")
    assert picture.name == "scaling-wait-against-load.png"
    assert any(address.startswith("data:image/png;") for address in _page(folder).addresses)


def test_a_report_is_made_again_from_its_json_alone(home, folder, capsys):
    before = (folder / "report.html").read_bytes()
    for path in folder.glob("report.*"):
        path.unlink()
    assert main(["--report", str(folder / "run.json")], home.places) == 1
    assert (folder / "report.html").read_bytes() == before
    assert str(folder / "report.md") in capsys.readouterr().out
    assert main(["--report", str(folder)], home.places) == 1


def test_a_run_that_was_cut_off_has_a_report_too(home, folder):
    record = read_record(folder)
    cut = msgspec.structs.replace(record, parts={"scaling": record.parts["scaling"]})
    text = " ".join(_page(_written(home, cut)).text)
    assert "Did not run to the end: drift, waits." in text
