"""The demo of the clouds: the same manifests on IBM Quantum, Amazon Braket and Azure Quantum, compared.

Run it with ``make demo-clouds``. No account is needed: three emulators on this machine speak the clouds' own
wire formats to the clouds' own client libraries, and run what they get on twins of the devices. It takes
about a minute, and leaves the fleet that it discovered in ``demo-clouds-output/``.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.rule import Rule

from qsched import Client
from qsched.api.job import Fallback, Money, QuantumCircuitJob, Requirements, Weights
from qsched.api.manifest import read_manifest_file
from qsched.cli.accuracy import report
from qsched.cli.discovery import discover
from qsched.cli.discovery_manifests import backends_of, fleet_file
from qsched.cli.progress import follow
from qsched.cli.render_accuracy import accuracy_view
from qsched.cli.render_discovery import discovery_table
from qsched.cli.render_explain import explanation
from qsched.cli.render_jobs import outcome_table, status_row, tally
from qsched.cli.render_result import result_view
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.backend import QuantumBackend
    from qsched.cli.render_jobs import JobRow
    from qsched.sdk import Job

OUTPUT = Path("demo-clouds-output")
EXAMPLES = Path(__file__).parent
CLOUDS = {"ibm": "IBM Quantum", "braket": "Amazon Braket", "azure": "Azure Quantum"}
DOWN = "braket"
"""The cloud of which one device is down today."""
BUSY = {"ibm": ("ibm_torino", 15), "braket": ("arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet", 4)}
"""Devices that other people's tasks wait for, and how many."""
PACE = 0.2
WIDTH = 118


def main() -> int:
    """Run the demo."""
    console = Console(width=WIDTH, highlight=False)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with ExitStack() as stack:
        console.print(Rule("Three clouds: what the account on each can reach"))
        emulators = _start(stack)
        fleet = _discover(console, emulators)
        client = stack.enter_context(Client.local(store=OUTPUT / "qsched.db", fleet=fleet))
        down = _take_one_down(emulators, client.backends())
        console.print(Rule("One job, three clouds: what each device would make of it, and why one wins"))
        verdicts = client.explain(_example("ghz"))
        console.print(explanation(verdicts, WIDTH))

        console.print(Rule(f"The same manifests on each cloud, two that choose freely, and {down} is down"))
        jobs = [client.submit(job) for job in (*_on_each_cloud(), *_free(), _fallback(down))]

        def rows() -> list[JobRow]:
            client.check()
            return [status_row(job.namespace, job.name, job.status()) for job in jobs]

        follow(rows, console)
        done = [job.manifest() for job in jobs]
        console.print(outcome_table(done))
        console.print(tally(done))
        console.print(Rule(f"{down} is down, so its twin did the work, and the result says so"))
        console.print(result_view(jobs[-1].name, jobs[-1].result()))
        console.print(Rule("How good the estimates were"))
        console.print(accuracy_view(report(_results(jobs))))
        console.print(
            "emulated devices are quicker than real ones, so waits and runs end before they are expected to"
        )
        console.print(f"\nthe fleet is in {fleet}; of your own account: qsched discover ibm --output FILE")
        return _verdict(done)


def _start(stack: ExitStack) -> list[Emulator]:
    """The emulators, each in a process, and the credentials that they take in the environment."""
    with ThreadPoolExecutor() as threads:
        emulators = list(threads.map(lambda name: Emulator.start(name, pace=PACE), CLOUDS))
    for emulator in emulators:
        stack.callback(emulator.stop)
        os.environ |= emulator.environment
        if emulator.name in BUSY:
            device, queue = BUSY[emulator.name]
            emulator.change(device, queue=queue)
    return emulators


def _discover(console: Console, emulators: Sequence[Emulator]) -> Path:
    """A fleet file of every device that the three accounts reach."""
    now = dt.datetime.now(dt.UTC)
    parts = []
    for emulator in emulators:
        found = discover(emulator.name, emulator.parameters, None)
        backends = backends_of(emulator.name, emulator.parameters, found)
        console.print(f"[bold]{CLOUDS[emulator.name]}[/bold]: qsched discover {emulator.name}")
        console.print(discovery_table(found, backends, now))
        usable = [(one, of) for one, of in zip(backends, found, strict=True) if of.usable]
        parts.append(
            fleet_file(
                [one for one, _ in usable],
                [of for _, of in usable],
                command=f"qsched discover {emulator.name}",
            )
        )
    path = OUTPUT / "fleet.yaml"
    path.write_text("---\n".join(parts), encoding="utf-8")
    return path


def _take_one_down(emulators: Sequence[Emulator], backends: Sequence[QuantumBackend]) -> str:
    """Take a QPU offline once its calibration was read; its backend's name."""
    (emulator,) = (each for each in emulators if each.name == DOWN)
    (first, *_) = (
        each for each in backends if each.spec.driver == DOWN and each.status.calibration is not None
    )
    emulator.change(first.spec.device, online=False)
    return first.metadata.name


def _example(name: str) -> QuantumCircuitJob:
    """A manifest of this folder."""
    (job,) = read_manifest_file(EXAMPLES / f"{name}.yaml")
    assert isinstance(job, QuantumCircuitJob)
    return job


def _renamed(job: QuantumCircuitJob, name: str, **changes: object) -> QuantumCircuitJob:
    return msgspec.structs.replace(
        job,
        metadata=msgspec.structs.replace(job.metadata, name=name),
        spec=msgspec.structs.replace(job.spec, **changes),
    )


def _on_each_cloud() -> list[QuantumCircuitJob]:
    """Three examples, each on any QPU of each cloud."""
    return [
        _renamed(
            _example(name),
            f"{name}-{cloud}",
            requirements=Requirements(backend_selector={"driver": cloud, "kind": "qpu"}),
        )
        for name in ("ghz", "qft", "deadline")
        for cloud in CLOUDS
    ]


def _free() -> list[QuantumCircuitJob]:
    """Two that may run anywhere: as well as can be, and as well as ten dollars can buy."""
    budget = Requirements(max_cost=Money(amount="10.00", currency="USD"), simulators="Forbidden")
    return [
        _renamed(
            _example("ghz"),
            "ghz-best",
            objective="fidelity",
            requirements=Requirements(simulators="Forbidden"),
        ),
        _renamed(_example("ghz"), "ghz-budget", weights=Weights(fidelity=2, cost=1), requirements=budget),
    ]


def _fallback(down: str) -> QuantumCircuitJob:
    """One that insists on the device that is down, unless its twin stands in."""
    return _renamed(
        _example("ghz"),
        "ghz-fallback",
        requirements=Requirements(backends=[down]),
        fallback=Fallback(policy="OnUnavailable"),
    )


def _results(jobs: Sequence[Job]) -> list[object]:
    return [job.result() for job in jobs if job.status().phase == "Complete"]


def _verdict(jobs: Sequence[QuantumCircuitJob]) -> int:
    """0 if every job is complete, on all three clouds."""
    complete = [job for job in jobs if job.status.phase == "Complete"]
    drivers = {job.status.result.driver for job in complete if job.status.result is not None}
    if len(complete) == len(jobs) and set(CLOUDS) <= drivers:
        return 0
    print(f"expected every job on three clouds; {len(complete)} of {len(jobs)} on {', '.join(drivers)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
