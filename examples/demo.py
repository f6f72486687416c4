"""The demo: real circuits, scheduled over a fleet with real calibrations, run with that noise, explained.

Run it with ``make demo``. It takes about a minute, needs no account and no network, and leaves its
pictures and results in ``demo-output/``.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from mqt.bench import BenchmarkLevel, get_benchmark
from rich.console import Console
from rich.rule import Rule

from qsched import Client
from qsched.api.manifest import manifest_yaml
from qsched.cli.plot import plot_counts, plot_explanation
from qsched.cli.progress import follow
from qsched.cli.render_backends import backend_table
from qsched.cli.render_explain import explanation
from qsched.cli.render_jobs import outcome_table, status_row, tally
from qsched.cli.render_result import result_view
from qsched.fleet.fleet_file import load_fleet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.job import QuantumCircuitJob
    from qsched.cli.render_jobs import JobRow
    from qsched.sdk import Job

OUTPUT = Path("demo-output")
DOWN = "torino"
WIDTH = 118
FAMILIES = ("ghz", "dj", "wstate", "graphstate", "qft", "qpeexact", "bv", "vqe_real_amp", "qnn")
SIZES = (3, 5, 7)
OBJECTIVES = ("fidelity", "balanced", "speed", "cost")
SHOTS = 8192


def main(arguments: Sequence[str]) -> int:
    """Run the demo; ``--svg FILE`` also draws what it printed."""
    console = Console(width=WIDTH, record=True, highlight=False)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with Client.local(store=OUTPUT / "qsched.db", fleet=_fleet()) as client:
        console.print(Rule(f"The fleet: twins of real devices; {DOWN} is down today"))
        console.print(backend_table(client.backends(), dt.datetime.now(dt.UTC)))

        console.print(
            Rule("The jobs: MQT Bench circuits with mixed objectives, a budget, a deadline, a fallback")
        )
        jobs = [*_batch(client), *_special(client)]

        def rows() -> list[JobRow]:
            client.check()
            return [status_row(job.namespace, job.name, job.status()) for job in jobs]

        follow(rows, console)
        done = [job.manifest() for job in jobs]
        console.print(outcome_table(done))
        console.print(tally(done))

        console.print(Rule("One job explained: every backend, with the numbers that the scheduler used"))
        fallback = jobs[-1]
        explained = jobs[-2]
        verdicts = explained.explain()
        console.print(
            f"[bold]{explained.name}[/bold]: at most 3.00 USD, success weighs twice as much as cost"
        )
        console.print(explanation(verdicts, WIDTH))

        console.print(Rule(f"The fallback: {DOWN} is down, so its twin did the work, and the result says so"))
        console.print(result_view(fallback.name, fallback.result()))
        plot_explanation(explained.name, verdicts, OUTPUT / "explanation.png")
        plot_counts(fallback.name, fallback.result(), OUTPUT / "counts.png")
    console.print(f"\nresults and pictures are in {OUTPUT}/; next: .venv/bin/qsched run examples/ghz.yaml")
    if "--svg" in arguments:
        console.save_svg(arguments[arguments.index("--svg") + 1], title="make demo")
    return _verdict(done)


def _fleet() -> Path:
    """The default fleet with one backend out of order."""
    backends = [
        msgspec.structs.replace(each, spec=msgspec.structs.replace(each.spec, paused=True))
        if each.metadata.name == DOWN
        else each
        for each in load_fleet()
    ]
    path = OUTPUT / "fleet.yaml"
    path.write_text("---\n".join(map(manifest_yaml, backends)), encoding="utf-8")
    return path


def _batch(client: Client) -> list[Job]:
    """MQT Bench circuits, each under one of the objectives."""
    objectives = cycle(OBJECTIVES)
    return [
        client.submit(
            get_benchmark(family, BenchmarkLevel.INDEP, size, random_parameters=True),
            name=f"{family.replace('_', '-')}-{size}",
            shots=SHOTS,
            objective=next(objectives),
            execution={"seed": 7},
        )
        for size in SIZES
        for family in FAMILIES
    ]


def _special(client: Client) -> list[Job]:
    """A deadline, a budget, and a fallback."""
    ghz = get_benchmark("ghz", BenchmarkLevel.INDEP, 5)
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    return [
        client.submit(ghz, name="deadline", shots=SHOTS, requirements={"completeBy": soon}),
        client.submit(
            ghz,
            name="budget",
            shots=SHOTS,
            weights={"fidelity": 2, "cost": 1},
            requirements={"maxCost": {"amount": "3.00", "currency": "USD"}},
        ),
        client.submit(
            ghz,
            name="fallback",
            shots=SHOTS,
            requirements={"backends": [DOWN]},
            fallback={"policy": "OnUnavailable"},
        ),
    ]


def _verdict(jobs: Sequence[QuantumCircuitJob]) -> int:
    """0 if the demo showed what it is meant to show."""
    complete = [job for job in jobs if job.status.phase == "Complete"]
    backends = {job.status.result.backend for job in complete if job.status.result is not None}
    if len(complete) == len(jobs) and len(backends) >= 4:
        return 0
    print(f"expected every job on at least 4 backends; {len(complete)} of {len(jobs)} on {len(backends)}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
