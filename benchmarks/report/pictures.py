"""The plots of a run as files: SVG, or PNG where a plot has so many points that SVG would be too large."""

from __future__ import annotations

import re
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from cycler import cycler

from benchmarks.command import load_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.findings import Plot
    from benchmarks.record import Record

LARGE_BYTES = 1_000_000
_STYLE: Any = {  # matplotlib's stubs want each key as a literal
    "axes.axisbelow": True,
    "axes.grid": True,
    # Okabe and Ito's colours, which colour-blind people can tell apart as well.
    "axes.prop_cycle": cycler(
        color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]
    ),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.size": 9.0,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.bbox": "tight",
    "savefig.dpi": 200,
    "svg.hashsalt": "qsched",  # the same plot is the same file
}


class Picture(NamedTuple):
    """One plot.

    Attributes:
        caption: What one sees, and what it means.
        file: Where it is; None if it could not be drawn.
        error: Why not.
    """

    caption: str
    file: Path | None
    error: str = ""


def draw_all(record: Record, folder: Path, parts: Path) -> dict[str, list[Picture]]:
    """Draw the plots of every part.

    A plot that cannot be drawn says so in the report and costs nothing else.

    Raises:
        OSError: If a file cannot be written.
    """
    load_from(parts)
    return {name: _draw(name, part.data, folder) for name, part in record.parts.items() if part.data}


def _draw(name: str, data: Mapping[str, Any], folder: Path) -> list[Picture]:
    pictures = []
    try:
        module = import_module(f"benchmarks.parts.{name}")
        if not hasattr(module, "draw"):
            return []
        with mpl.rc_context(_STYLE):
            for plot in module.draw(data):
                pictures.append(_save(name, plot, folder))  # noqa: PERF401 - what came before an error counts
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - whatever a part's code raises; results matter more
        pictures.append(Picture("", None, traceback.format_exc()))
    return pictures


def _save(part: str, plot: Plot, folder: Path) -> Picture:
    stem = re.sub(r"[^\w-]+", "-", f"{part}-{plot.name.removeprefix(f'{part}-')}")
    path = folder / f"{stem}.svg"
    plot.figure.savefig(path, format="svg", metadata={"Date": None})
    if path.stat().st_size > LARGE_BYTES:
        path.unlink()
        path = path.with_suffix(".png")
        plot.figure.savefig(path, format="png")
    return Picture(plot.caption, path)
