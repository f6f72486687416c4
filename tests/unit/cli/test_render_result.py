from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from qsched.api.job import Result
from qsched.cli.render_result import histogram, result_view, top_counts
from qsched.cli.render_style import bar

Show = Callable[..., str]
MakeResult = Callable[..., Result]


@given(
    st.dictionaries(st.text("01", min_size=3, max_size=3), st.integers(1, 10**6), min_size=1),
    st.integers(1, 10),
)
def test_shown_and_other_outcomes_add_up_to_all_shots(counts: dict[str, int], top: int) -> None:
    shown, others, others_count = top_counts(counts, top)
    assert len(shown) + others == len(counts)
    assert sum(number for _, number in shown) + others_count == sum(counts.values())
    assert min(number for _, number in shown) >= max(
        (number for outcome, number in counts.items() if outcome not in dict(shown)), default=0
    )


@given(st.floats(-1, 2), st.integers(1, 40))
def test_a_bar_is_as_wide_as_asked_and_grows_with_its_value(fraction: float, cells: int) -> None:
    drawn = bar(fraction, cells)
    assert len(drawn) == cells
    assert drawn.count("█") <= bar(min(1.0, fraction + 0.1), cells).count("█")


def test_the_histogram_shows_shares_and_sums_up_the_rest(show: Show) -> None:
    lines = show(histogram({"00": 500, "11": 400, "01": 60, "10": 40}, top=2, cells=10)).splitlines()
    assert lines[0].split() == ["00", "██████████", "500", "50.0", "%"]
    assert lines[1].split() == ["11", "████████", "400", "40.0", "%"]
    assert lines[2].split() == ["2", "more", "100", "10.0", "%"]


def test_a_result_says_where_it_comes_from(show: Show, result: MakeResult) -> None:
    shown = show(
        result_view("ghz", result({"0": 1024}, intended="torino", uri="file:///results/ghz.json")), 100
    )
    for needed in (
        "ghz ran on kyoto",
        "simulated",
        "stand-in for torino",
        "0.12 USD",
        "file:///results/ghz.json",
    ):
        assert needed in shown


def test_wide_registers_are_shortened_to_fit_a_narrow_terminal(show: Show, result: MakeResult) -> None:
    outcome = "01" * 78
    lines = show(result_view("ghz", result({outcome: 1024})), 80).splitlines()
    row = next(line for line in lines if "1,024  100.0 %" in line)
    assert row.startswith("0101")
    assert "…" in row
    assert len(row) <= 80


def test_absent_and_empty_counts_are_told_apart(show: Show, result: MakeResult) -> None:
    shown = show(result_view("ghz", result(None, {})), 100)
    assert "too large" in shown
    assert "measures nothing" in shown
