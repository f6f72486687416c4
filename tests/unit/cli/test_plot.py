from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from qsched.api.job import Result, Verdict
from qsched.cli.plot import plot_counts, plot_explanation
from qsched.errors import InvalidInput, ResultError

if TYPE_CHECKING:
    from pathlib import Path

MakeResult = Callable[..., Result]
MakeVerdict = Callable[..., Verdict]

REFUSED = Verdict(backend="manila", feasible=False, score=0.0, reasons=["5 qubits, the job needs 7"])


def drawn(path: Path) -> str:
    """The texts of an SVG picture whose text is kept as text."""
    return path.read_text()


@pytest.fixture(autouse=True)
def _text_as_text() -> None:
    from matplotlib import rcParams

    rcParams["svg.fonttype"] = "none"


def test_counts_are_drawn_with_all_that_is_left_out(result: MakeResult, tmp_path: Path) -> None:
    counts = {f"{outcome:06b}": 10 + outcome for outcome in range(40)}
    plot_counts("ghz", result(counts, {"0": 5}), tmp_path / "counts.svg")
    text = drawn(tmp_path / "counts.svg")
    assert "ghz on kyoto (simulated)" in text
    assert "100111" in text
    assert "16 other outcomes" in text


def test_an_explanation_is_drawn_with_scores_and_reasons(verdict: MakeVerdict, tmp_path: Path) -> None:
    plot_explanation("ghz", [REFUSED, verdict("osaka", success=0.5), verdict("kyoto")], tmp_path / "why.svg")
    text = drawn(tmp_path / "why.svg")
    for needed in ("kyoto wins", "0.838", "0.718", "fidelity × 0.40", "5 qubits, the job needs 7"):
        assert needed in text, needed


def test_a_picture_when_nobody_can_take_the_job(tmp_path: Path) -> None:
    plot_explanation("ghz", [REFUSED], tmp_path / "why.svg")
    assert "No backend can take this job" in drawn(tmp_path / "why.svg")


def test_there_must_be_something_to_draw(result: MakeResult, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no counts to plot"):
        plot_counts("ghz", result(None, {}), tmp_path / "counts.svg")
    with pytest.raises(InvalidInput, match="no backends to plot"):
        plot_explanation("ghz", [], tmp_path / "why.svg")


def test_pictures_go_to_places_that_exist_in_formats_that_do(result: MakeResult, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"use \.png, \.svg or \.pdf"):
        plot_counts("ghz", result({"0": 1}), tmp_path / "counts.bmp")
    with pytest.raises(ResultError, match="cannot write the picture"):
        plot_counts("ghz", result({"0": 1}), tmp_path / "absent" / "counts.png")
