"""``python -m benchmarks``: run parts, show every figure with its range, and keep the run as JSON.

Exit codes: 0 every figure is in its range, 1 one is not or a part failed, 2 there is no such part.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.ranges import judge, read_rangespec
from benchmarks.record import write_record
from benchmarks.runner import run_part
from benchmarks.table import verdict_table

HERE = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Run the named parts, or all of them, and return the exit code."""
    spec = read_rangespec(HERE / "rangespec.yaml")
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure qsched against its ranges.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"parts, of {', '.join(spec)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="smaller workloads, about a minute altogether")
    options = parser.parse_args(arguments)
    names: list[str] = options.names or list(spec)
    if unknown := [name for name in names if name not in spec]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(spec)}")

    console, quick = Console(), bool(options.quick)
    runs = []
    for name in names:
        with console.status(f"running {name} ..."):
            run = run_part(name, quick=quick)
        verdicts = judge(run.figures, spec[name], quick=quick)
        console.print(verdict_table(run, verdicts))
        runs.append((run, verdicts))
    path = write_record(runs, HERE / "results", quick=quick)
    console.print(f"written to {path}", soft_wrap=True)
    passed = all(not run.error and all(each.passed for each in verdicts) for run, verdicts in runs)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
