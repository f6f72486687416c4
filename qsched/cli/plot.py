"""Pictures for papers and reports: the counts of a result, and the explanation of a placement."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from qsched.cli import words
from qsched.cli.render_explain import PARTS, ranked, sentence, weighted
from qsched.cli.render_result import top_counts
from qsched.errors import InvalidInput, ResultError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qsched.api.job import CircuitResult, Result, Verdict

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_PART_COLOURS = {"fidelity": "#0072B2", "wait": "#56B4E9", "coherence": "#009E73", "cost": "#E69F00"}
_GREY = "#8a8a8a"
_STYLE: dict[str, object] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "savefig.dpi": 200,
}
MAX_CIRCUITS = 12
_TOP = 24
_VERTICAL_FROM = 6


def plot_counts(job: str, result: Result, path: Path) -> None:
    """Write a bar chart of each circuit's counts.

    Args:
        job: The job's name, for the title.
        result: Where at least one circuit has counts; the first twelve circuits are drawn.
        path: The picture; its suffix chooses the format (png, svg, pdf).

    Raises:
        InvalidInput: If there are no counts to draw, or the suffix is not a picture's.
        ResultError: If the file cannot be written.
    """
    circuits = [circuit for circuit in result.circuits if circuit.counts][:MAX_CIRCUITS]
    if not circuits:
        raise InvalidInput(f"job {job}: there are no counts to plot")
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(_STYLE):
        columns = min(2, len(circuits))
        rows = -(-len(circuits) // columns)
        width = 6.4 if columns == 1 else 10.0
        figure = Figure(figsize=(width, 3.2 * rows + 0.3), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, circuit in zip(axes, circuits, strict=False):
            _draw_counts(axis, circuit)
        for axis in axes[len(circuits) :]:
            axis.set_visible(False)
        simulated = " (simulated)" if result.simulated else ""
        figure.suptitle(f"{job} on {result.backend}{simulated}", fontsize=11)
        _save(figure, path)


def _draw_counts(axis: Axes, circuit: CircuitResult) -> None:
    counts = circuit.counts or {}
    shown, others, others_count = top_counts(counts, _TOP)
    total = sum(counts.values())
    outcomes = sorted(shown)
    labels = [outcome for outcome, _ in outcomes]
    shares = [number / total for _, number in outcomes]
    errors = [(share * (1 - share) / total) ** 0.5 for share in shares]
    if others:
        rest = f"{words.count(others, 'other outcome')}: {words.percent(others_count / total)}"
        axis.text(1, 1.02, rest, transform=axis.transAxes, ha="right", fontsize=8, color=_GREY)
    axis.bar(
        range(len(shares)),
        shares,
        yerr=errors,
        width=0.75,
        color=_PART_COLOURS["fidelity"],
        error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
        capsize=2 if len(shares) <= 16 else 0,
    )
    crowded = len(labels) > _VERTICAL_FROM
    axis.set_xticks(range(len(labels)), labels, rotation=90 if crowded else 0, family="monospace", fontsize=8)
    axis.set_ylabel("share of shots")
    axis.set_xlabel("outcome (bit 0 rightmost)")
    axis.set_ylim(bottom=0)
    axis.set_xlim(-0.7, max(len(labels) - 0.3, 1.7))
    axis.grid(axis="y", alpha=0.3, linewidth=0.6)
    axis.set_title(f"{circuit.name}, {words.count(circuit.shots, 'shot')}")


def plot_explanation(job: str, verdicts: Sequence[Verdict], path: Path) -> None:
    """Write a chart of every backend's score, made of what each part contributes; reasons for the others.

    Raises:
        InvalidInput: If there are no backends to draw, or the suffix is not a picture's.
        ResultError: If the file cannot be written.
    """
    if not verdicts:
        raise InvalidInput(f"job {job}: there are no backends to plot")
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(_STYLE):
        figure = Figure(figsize=(8.0, 1.5 + 0.3 * len(verdicts)), layout="constrained")
        axis = figure.subplots()
        _draw_scores(axis, ranked(verdicts))
        figure.suptitle(f"{job}: where it may run", fontsize=11, x=0.01, ha="left", weight="bold")
        axis.set_title(
            textwrap.fill(sentence(verdicts), 105), fontsize=8.5, weight="normal", loc="left", pad=18
        )
        _save(figure, path)


def _draw_scores(axis: Axes, order: Sequence[Verdict]) -> None:
    for row, verdict in enumerate(order):
        if not verdict.feasible:
            reasons = textwrap.shorten("; ".join(verdict.reasons), 120, placeholder=" …")
            axis.text(0.008, row, reasons, va="center", fontsize=7, color=_GREY)
            continue
        left = 0.0
        for part, value in (weighted(verdict.breakdown) if verdict.breakdown else {}).items():
            axis.barh(row, value, left=left, height=0.68, color=_PART_COLOURS[part])
            left += value
        axis.text(max(left, verdict.score) + 0.008, row, f"{verdict.score:.3f}", va="center", fontsize=8)
    axis.set_yticks(range(len(order)), [verdict.backend for verdict in order])
    for label, verdict in zip(axis.get_yticklabels(), order, strict=True):
        label.set_color("black" if verdict.feasible else _GREY)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.set_xlim(0, 1)
    axis.set_xlabel("score = Σ weight × utility")
    axis.grid(axis="x", alpha=0.3, linewidth=0.6)
    _legend(axis, order)


def _legend(axis: Axes, order: Sequence[Verdict]) -> None:
    from matplotlib.patches import Patch

    weights = next((verdict.breakdown.weights for verdict in order if verdict.breakdown), None)
    if weights is None:
        return
    patches = [
        Patch(color=_PART_COLOURS[part], label=f"{part} × {getattr(weights, part):.2f}") for part in PARTS
    ]
    axis.legend(
        handles=patches,
        ncols=4,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        frameon=False,
        fontsize=8,
        borderpad=0,
        borderaxespad=0.2,
        handlelength=1.0,
        columnspacing=1.4,
    )


def _save(figure: Figure, path: Path) -> None:
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise InvalidInput(
            f"{path}: cannot draw {path.suffix or 'a file without a suffix'}; use .png, .svg or .pdf"
        )
    try:
        figure.savefig(path)
    except OSError as error:
        raise ResultError(f"{path}: cannot write the picture: {error.strerror or error}") from error
