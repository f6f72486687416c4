from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from qsched.api.job import Money, Placement, Verdict
from qsched.cli.render_explain import explanation, placement_sentence, ranked, sentence

Make = Callable[..., Verdict]
Show = Callable[..., str]

REFUSED = Verdict(
    backend="manila", feasible=False, score=0.0, reasons=["5 qubits, the job needs 7", "offline"]
)


def test_the_sentence_names_the_winner_its_advantage_and_what_it_gives_up(verdict: Make) -> None:
    fast = verdict("kyoto", success=0.78, wait=0.95, wait_s=12)
    good = verdict("ideal", success=0.90, wait=0.2, wait_s=700)
    said = sentence([good, REFUSED, fast])
    assert said.startswith(
        f"kyoto wins: {fast.score:.3f} against {good.score:.3f} for ideal, for an earlier finish"
    )
    assert "(15.1 s, not 11.7 min)" in said
    assert "despite a lower success probability (78.0 %, not 90.0 %)" in said
    assert "cost" not in said, "a part in which both are equal is not worth a word"


def test_twins_are_said_to_be_alike(verdict: Make) -> None:
    assert "little between them" in sentence([verdict("a"), verdict("b")])


def test_a_lone_feasible_backend_wins_for_want_of_others(verdict: Make) -> None:
    assert sentence([REFUSED, verdict("kyoto")]) == (
        "kyoto wins: it is the only one of 2 backends that can take this job."
    )


def test_that_nobody_can_take_the_job_is_said_first() -> None:
    assert sentence([REFUSED]).startswith("No backend can take this job")
    assert sentence([]) == "There are no backends: the fleet is empty."


def test_infeasible_backends_come_last_whatever_their_score(verdict: Make) -> None:
    low = verdict("low", success=0.0, wait=0.0, coherence=0.0, cost=0.0)
    assert [v.backend for v in ranked([REFUSED, low, verdict("high")])] == ["high", "low", "manila"]


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_nothing_important_is_cut_at_any_width(verdict: Make, show: Show, width: int) -> None:
    verdicts = [
        verdict("kyoto"),
        verdict("brisbane-eu-central", success=0.3, wait_s=43_000, price="1210.12"),
        verdict("ideal", price=None),
        REFUSED,
    ]
    shown = show(explanation(verdicts, width), width)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    for needed in (
        "fidelity", "wait", "coherence", "cost", "× 0.40", "× 0.30", "× 0.15", "80.0 %", "12 s / 48 s",
        "11.9 h / 47.8 h", "3.1 s", "0.12 USD", "1,210.12 USD", "free", "4.0 %",
        "manila", "5 qubits, the job needs 7", "offline",
    ):  # fmt: skip
        assert needed in shown, needed


def test_costs_in_two_currencies_are_not_compared(verdict: Make, show: Show) -> None:
    estimate = verdict("h2").estimate
    assert estimate is not None
    in_credits = msgspec.structs.replace(
        verdict("h2", cost=0.95),
        estimate=msgspec.structs.replace(estimate, cost=Money(amount="9.40", currency="HQC")),
    )
    dollars = verdict("forte", cost=0.2, price="30.30")
    assert "a cost that weighs less (9.40 HQC, not 30.30 USD)" in sentence([in_credits, dollars])
    assert "costs in HQC and USD are not converted" in show(explanation([in_credits, dollars], 120), 120)
    free = verdict("ideal", price=None)
    assert "not converted" not in show(explanation([dollars, free], 120), 120)


def test_the_rows_show_the_numbers_that_were_scored(verdict: Make, show: Show) -> None:
    row = next(
        line
        for line in show(explanation([verdict("kyoto")], 120), 120).splitlines()
        if line.startswith("kyoto  ")
    )
    assert row.split()[:6] == ["kyoto", "0.838", "████████▍", "0.80", "0.90", "0.70"]


def placement(chosen: Verdict, *runners_up: Verdict) -> Placement:
    assert chosen.breakdown is not None
    assert chosen.estimate is not None
    return Placement(
        backend=chosen.backend,
        score=chosen.score,
        breakdown=chosen.breakdown,
        estimate=chosen.estimate,
        runners_up=list(runners_up),
    )


def test_a_placement_below_the_best_score_says_that_others_needed_it(verdict: Make) -> None:
    said = placement_sentence(placement(verdict("kyoto", success=0.5), verdict("osaka")))
    assert said.startswith("kyoto was chosen with 0.718; osaka scores 0.838")


def test_a_placement_without_rivals_says_so(verdict: Make) -> None:
    assert placement_sentence(placement(verdict("kyoto"), REFUSED)) == (
        "kyoto was chosen: no other backend can take this job."
    )
