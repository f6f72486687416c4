"""A run as JSON: figures and verdicts, with what they depend on."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.ranges import Verdict
    from benchmarks.runner import Run

PACKAGES = ("qsched", "qiskit", "qiskit-aer", "mqt.bench", "numpy", "msgspec", "scipy")


def write_record(runs: Sequence[tuple[Run, Sequence[Verdict]]], folder: Path, *, quick: bool) -> Path:
    """Write a run into a folder, under the time it ended.

    Args:
        runs: Each part with its verdicts.
        folder: Made if it is missing.
        quick: Whether it was a quick run.

    Returns:
        The file.
    """
    now = dt.datetime.now(dt.UTC)
    record = {
        "at": now.isoformat(timespec="seconds"),
        "quick": quick,
        "commit": _commit(),
        "machine": machine(),
        "versions": versions(),
        "parts": {run.part: _part(run, verdicts) for run, verdicts in runs},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, object]:
    """What the figures were measured on; the load tells whether anything else was running."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1_min": os.getloadavg()[0],
    }


def versions() -> dict[str, str | None]:
    """Python's version and those of the packages that matter; None for one that is not installed."""
    return {"python": sys.version.split()[0], **{name: _version(name) for name in PACKAGES}}


def _part(run: Run, verdicts: Sequence[Verdict]) -> dict[str, object]:
    return {
        "seed": run.seed,
        "seconds": run.seconds,
        "peak_bytes": run.peak_bytes,
        "error": run.error,
        "figures": {
            each.figure: {
                "value": each.value if each.value == each.value else None,  # JSON has no not-a-number
                "unit": each.range.unit,
                "min": each.range.min,
                "max": each.range.max,
                "judged": each.judged,
                "passed": each.passed,
            }
            for each in verdicts
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name; Linux tells it in a file only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str | None:
    """The checkout's commit, with ``-dirty`` behind it when files were changed; None outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
