"""What ``qsched doctor`` looks at: what is installed, which drivers load, and whether the store is sound."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from rich.text import Text

from qsched.cli import words
from qsched.cli.render_style import grid
from qsched.errors import QschedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.table import Table

Verdict = Literal["ok", "missing", "problem"]
_MARKS = {"ok": ("✓", "green"), "missing": ("-", "dim"), "problem": ("✗", "bold red")}
_REQUIRED = ("qiskit", "numpy", "msgspec", "fsspec")
_OPTIONAL = {
    "qiskit-aer": "aer",
    "qiskit-ibm-runtime": "ibm",
    "amazon-braket-sdk": "braket",
    "azure-quantum": "azure",
    "kubernetes": "kubernetes",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        subject: What.
        verdict: ``missing`` is no problem: an extra that is not installed.
        detail: A version, a number or the remedy.
    """

    subject: str
    verdict: Verdict
    detail: str


def checks(store: Path | None, fleet: Path | None) -> Iterator[Check]:
    """Look at everything, cheapest first."""
    from qsched import __version__

    yield Check("qsched", "ok", f"{__version__} on Python {platform.python_version()}")
    yield from _packages()
    yield from _drivers()
    yield _store(store)
    yield _fleet(fleet)


def _packages() -> Iterator[Check]:
    for package in _REQUIRED:
        found = _version(package)
        remedy = "is required; install qsched again"
        yield Check(package, "ok" if found else "problem", found or remedy)
    for package, extra in _OPTIONAL.items():
        found = _version(package)
        remedy = f"not installed; for it: pip install 'qsched[{extra}]'"
        yield Check(package, "ok" if found else "missing", found or remedy)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _drivers() -> Iterator[Check]:
    from qsched.drivers.registry import Drivers

    for report in Drivers().describe():
        detail = report.problem or f"{report.target} ({report.distribution})"
        yield Check(f"driver {report.name}", "problem" if report.problem else "ok", detail)


def _store(path: Path | None) -> Check:
    from qsched.cli import stored

    place = stored.store_path(path)
    if not place.exists():
        return Check("store", "ok", f"{place} does not exist yet; the first job makes it")
    try:
        with stored.reading(path) as source:
            jobs = len(source.list(limit=100_000))
    except QschedError as error:
        return Check("store", "problem", str(error))
    size = place.stat().st_size / 1e6
    return Check("store", "ok", f"{place}: {words.count(jobs, 'job')}, {size:.1f} MB")


def _fleet(path: Path | None) -> Check:
    from qsched.fleet.fleet_file import load_fleet

    try:
        backends = load_fleet(path)
    except QschedError as error:
        return Check("fleet", "problem", str(error))
    return Check("fleet", "ok", f"{words.count(len(backends), 'backend')} in {path or 'the built-in fleet'}")


def check_table(found: Iterable[Check]) -> Table:
    """One line a check: a mark, the subject, the detail."""
    table = grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in found:
        mark, style = _MARKS[check.verdict]
        table.add_row(Text(mark, style=style), check.subject, check.detail)
    return table
