"""The explanation of a placement: who wins and why, every backend's numbers, who cannot and why not."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from qsched.api.job import Verdict
from qsched.cli import words
from qsched.cli.render_style import bar, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from qsched.api.job import Breakdown, Estimate, Placement

PARTS = ("fidelity", "wait", "coherence", "cost")
_ANY_WIDTH = 10_000
_PRAISE = {
    "fidelity": "a higher success probability",
    "wait": "an earlier finish",
    "coherence": "more room in its coherence time",
    "cost": "a lower cost",
    "foreign cost": "a cost that weighs less",
}
_BLAME = {
    "fidelity": "a lower success probability",
    "wait": "a later finish",
    "coherence": "less room in its coherence time",
    "cost": "a higher cost",
    "foreign cost": "a cost that weighs more",
}
_COMPILED = (
    "estimates are of qsched's own transpilation; what runs is what the provider compiles "
    "(execution.transpile: Provider)"
)
_MIXED = (
    "costs in {} are not converted: the same number weighs the same in each; maxCost keeps to one currency"
)
# A difference in weighted utility below this is not worth a word.
_NOTABLE = 0.005


def ranked(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts in reading order: feasible ones by falling score, then the infeasible ones by name."""
    return sorted(verdicts, key=lambda verdict: (not verdict.feasible, -verdict.score, verdict.backend))


def weighted(breakdown: Breakdown) -> dict[str, float]:
    """What each part contributes to the score: weight times utility; they add up to the score."""
    return {part: getattr(breakdown.weights, part) * getattr(breakdown, part) for part in PARTS}


def sentence(verdicts: Sequence[Verdict]) -> str:
    """One sentence that says which backend wins, and against which one for what reasons."""
    order = ranked(verdicts)
    feasible = [verdict for verdict in order if verdict.feasible]
    if not order:
        return "There are no backends: the fleet is empty."
    if not feasible:
        return f"No backend can take this job: {_none_of(len(order))} fits."
    winner = feasible[0]
    if len(feasible) == 1:
        others = f"the only one of {len(order)} backends" if len(order) > 1 else "the only backend"
        return f"{winner.backend} wins: it is {others} that can take this job."
    runner_up = feasible[1]
    return f"{winner.backend} wins: {_comparison(winner, runner_up)}."


def placement_sentence(placement: Placement) -> str:
    """One sentence that says why a job was placed where it is.

    A placement serves all waiting jobs at once, so a backend may be left to others although it scores
    higher for this job.
    """
    chosen = Verdict(
        backend=placement.backend,
        feasible=True,
        score=placement.score,
        estimate=placement.estimate,
        breakdown=placement.breakdown,
    )
    others = [verdict for verdict in ranked(placement.runners_up) if verdict.feasible]
    if not others:
        return f"{chosen.backend} was chosen: no other backend can take this job."
    best = others[0]
    if best.score > chosen.score + _NOTABLE:
        return (
            f"{chosen.backend} was chosen with {chosen.score:.3f}; {best.backend} scores {best.score:.3f} "
            "for this job alone, but other jobs need it more."
        )
    return f"{chosen.backend} wins: {_comparison(chosen, best)}."


def _none_of(backends: int) -> str:
    return "the only one" if backends == 1 else f"none of {backends}"


def _comparison(winner: Verdict, runner_up: Verdict) -> str:
    scores = f"{winner.score:.3f} against {runner_up.score:.3f} for {runner_up.backend}"
    if winner.breakdown is None or runner_up.breakdown is None:
        return scores
    ours, theirs = weighted(winner.breakdown), weighted(runner_up.breakdown)
    gains = {part: ours[part] - theirs[part] for part in PARTS}
    better = sorted((part for part in PARTS if gains[part] > _NOTABLE), key=lambda part: -gains[part])
    worse = [part for part in PARTS if gains[part] < -_NOTABLE]
    if not better:
        return f"{scores}, and little between them"
    text = f"{scores}, for " + words.listed(_detail(_PRAISE, part, winner, runner_up) for part in better)
    if worse:
        text += ", despite " + words.listed(_detail(_BLAME, part, winner, runner_up) for part in worse)
    return text


def _detail(phrases: dict[str, str], part: str, winner: Verdict, runner_up: Verdict) -> str:
    if winner.estimate is None or runner_up.estimate is None:
        return phrases[part]
    ours, theirs = _measure(part, winner.estimate), _measure(part, runner_up.estimate)
    foreign = part == "cost" and len(_currencies([winner, runner_up])) > 1
    phrase = phrases["foreign cost" if foreign else part]
    return phrase if ours == theirs else f"{phrase} ({ours}, not {theirs})"


def _measure(part: str, estimate: Estimate) -> str:
    """The physical quantity behind a utility."""
    if part == "fidelity":
        return words.percent(estimate.success)
    if part == "wait":
        return words.duration(estimate.wait_s + estimate.run_s)
    if part == "coherence":
        return _window_share(estimate)
    return words.money(estimate.cost)


def _window_share(estimate: Estimate) -> str:
    """How much of the coherence window the longest circuit takes."""
    if not estimate.window_s:
        return "no limit"
    return f"{words.percent(estimate.critical_path_s / estimate.window_s)} used"


def explanation(verdicts: Sequence[Verdict], width: int) -> RenderableType:
    """The sentence, the table of feasible backends, and the others with their reasons.

    Args:
        verdicts: One a backend, in any order.
        width: Columns of the terminal; where they suffice each backend has one line, else it has two.
    """
    order = ranked(verdicts)
    feasible = [verdict for verdict in order if verdict.feasible]
    infeasible = [verdict for verdict in order if not verdict.feasible]
    parts: list[RenderableType] = [Text(sentence(verdicts), style="bold")]
    if feasible:
        table = _wide(feasible)
        wide = Console(width=_ANY_WIDTH).measure(table).maximum <= width
        parts += [Text(), table if wide else _narrow(feasible), Text(_legend(wide=wide), style="dim")]
        if any(verdict.estimate is not None and verdict.estimate.provider_compiles for verdict in feasible):
            parts.append(Text(_COMPILED, style="dim"))
        if len(currencies := _currencies(feasible)) > 1:
            parts.append(Text(_MIXED.format(words.listed(currencies)), style="dim"))
    if infeasible:
        parts += [
            Text(),
            Text(f"Cannot take this job ({len(infeasible)})", style="bold"),
            reasons(infeasible),
        ]
    return Group(*parts)


def _currencies(feasible: Sequence[Verdict]) -> list[str]:
    """The currencies of whatever costs anything."""
    costs = [verdict.estimate.cost for verdict in feasible if verdict.estimate is not None]
    return sorted({cost.currency for cost in costs if cost is not None and Decimal(cost.amount)})


def _legend(*, wide: bool) -> str:
    if wide:
        return (
            "score = Σ weight × utility; path = share of the coherence window that the longest circuit takes"
        )
    return "below each utility: success, start P50 / P90, coherence window used, cost"


def reasons(infeasible: Sequence[Verdict]) -> Table:
    """Infeasible backends and why, in words, one reason a line."""
    table = grid()
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for verdict in infeasible:
        table.add_row(verdict.backend, "\n".join(verdict.reasons) or "no reason given")
    return table


def _heading(part: str, verdicts: Sequence[Verdict]) -> str:
    """A part's name over its weight; weights belong to the job, so any verdict's will do."""
    weight = next((getattr(v.breakdown.weights, part) for v in verdicts if v.breakdown), None)
    return part if weight is None else f"{part}\n× {weight:.2f}"


def _utility(verdict: Verdict, part: str) -> Text:
    value = None if verdict.breakdown is None else getattr(verdict.breakdown, part)
    return Text(words.number(value), style=_shade(value))


def _shade(utility: float | None) -> str:
    if utility is None:
        return "dim"
    return "green" if utility >= 0.75 else "yellow" if utility >= 0.4 else "red"


def _start(estimate: Estimate) -> str:
    """The median and the 90 % quantile of the wait; "now" if there is none to speak of."""
    if estimate.wait_p90_s < words.NOW_S:
        return "now"
    return f"{words.duration(estimate.wait_s)} / {words.duration(estimate.wait_p90_s)}"


def _wide(feasible: Sequence[Verdict]) -> Table:
    table = grid(header=True)
    table.add_column("backend", overflow="fold")
    table.add_column("score", no_wrap=True)
    for part in PARTS:
        table.add_column(_heading(part, feasible), justify="right", no_wrap=True)
    for heading in ("success", "starts in\nP50 / P90", "runs", "path", "costs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rank, verdict in enumerate(feasible):
        style = "bold" if rank == 0 else ""
        numbers = [_utility(verdict, part) for part in PARTS]
        table.add_row(
            Text(verdict.backend, style=style), _score(verdict), *numbers, *_estimate(verdict.estimate)
        )
    return table


def _score(verdict: Verdict) -> Text:
    return Text.assemble((f"{verdict.score:.3f} ", "bold"), (bar(verdict.score, 10), "cyan"))


def _estimate(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return [words.ABSENT] * 5
    return [
        words.percent(estimate.success),
        _start(estimate),
        words.duration(estimate.run_s),
        _window_share(estimate).removesuffix(" used"),
        words.money(estimate.cost),
    ]


def _narrow(feasible: Sequence[Verdict]) -> Table:
    table = grid(header=True)
    table.add_column("backend", overflow="fold")
    table.add_column("score", no_wrap=True)
    for part in PARTS:
        table.add_column(_heading(part, feasible), justify="right", no_wrap=True)
    for rank, verdict in enumerate(feasible):
        first = Text(verdict.backend, style="bold" if rank == 0 else "")
        below = [""] * 4
        if verdict.estimate is not None:
            estimate = verdict.estimate
            first.append(f"\n runs {words.duration(estimate.run_s)}", style="dim not bold")
            share = _window_share(estimate).removesuffix(" used")
            below = [words.percent(estimate.success), _start(estimate), share, words.money(estimate.cost)]
        cells = [
            Text.assemble(_utility(verdict, part), (f"\n{detail}", "dim"))
            for part, detail in zip(PARTS, below, strict=True)
        ]
        table.add_row(first, Text(f"{verdict.score:.3f}", style="bold"), *cells)
    return table
