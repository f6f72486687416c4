"""500 jobs over three clouds that fail every fifth call: every job ends, none runs twice, no cent is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, Execution, JobSpec, QuantumCircuitJob, Requirements
from qsched.drivers.registry import Drivers
from qsched.engine.settings import Settings
from qsched.lifecycle import backoff, tasks
from qsched.sdk import Client
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from pathlib import Path

    from qsched.api.job import Result
    from qsched.sdk.job import Job

JOBS = 500
SEED = 20261121
SHOTS = 50
LIMIT_S = 230

DEVICES = {
    "ibm": ("lagos", "torino"),
    "braket": ("ionq", "iqm"),
    "azure": ("ionq.qpu", "rigetti.qpu"),
}
"""A part of the name of each device that is used."""

FAULTS = {
    "429": 0.02,
    "500": 0.03,
    "503": 0.02,
    "500-after": 0.03,
    "drop-before": 0.03,
    "drop-after": 0.03,
    "truncated": 0.02,
    "slow-body": 0.01,
    "expired": 0.01,
}
"""The share of all requests that meet each; together a fifth."""

PRICES = {"ibm": ("USD", "0.11"), "braket": ("USD", "0.37"), "azure": ("EUR", "0.23")}
"""What a task costs and nothing else, by the manifests of these backends."""

QUICK = Settings(workers=1, status_every_s=5.0, cycle_every_s=2.0, poll_least_s=0.1, call_timeout_s=30.0)


def cat(width: int, flipped: int) -> str:
    """A cat state of a few qubits, one of them flipped."""
    gates = [f"cx q[{i}], q[{i + 1}];" for i in range(width - 1)]
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{width}] q;", f"bit[{width}] c;", "h q[0];"]
    return "\n".join([*lines, *gates, f"x q[{flipped}];", "c = measure q;"])


def a_job(number: int, backends: list[str]) -> QuantumCircuitJob:
    """A job of one or two circuits for one of the backends; all but IBM's take circuits one by one."""
    backend = backends[number % len(backends)]
    circuits = [Circuit(name="one", qasm=cat(2 + number % 2, number % 2))]
    if number % 4 < 2:
        circuits.append(Circuit(name="two", qasm=cat(2, 1)))
    return QuantumCircuitJob(
        metadata=ObjectMeta(name=f"job-{number}"),
        spec=JobSpec(
            circuits=circuits,
            shots=SHOTS,
            backoff_limit=50,
            execution=Execution(optimization_level=1, seed=1),
            requirements=Requirements(backends=[backend]),
        ),
    )


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch):
    # What fails often is tried often here, and no request lasts longer than its two seconds.
    monkeypatch.setattr(backoff, "_BASE_S", 0.25)
    monkeypatch.setattr(backoff, "LONGEST_S", 2.0)
    monkeypatch.setattr(tasks, "SETTLE_S", 5.0)
    with ExitStack() as running:
        started = {name: running.enter_context(Emulator.start(name, pace=0.1)) for name in DEVICES}
        for each in started.values():
            for name, value in each.environment.items():
                monkeypatch.setenv(name, value)
        yield started


def fleet_of(clouds: dict[str, Emulator]) -> list[dict[str, Any]]:
    """A backend for each device."""
    return [
        {
            "apiVersion": "qsched.io/v1alpha1",
            "kind": "QuantumBackend",
            "metadata": {"name": f"{cloud}-{number}"},
            "spec": {
                "driver": cloud,
                "device": device,
                "maxInFlight": 24,
                "parameters": clouds[cloud].parameters | {"timeoutSeconds": 2},
                "pricing": {"currency": PRICES[cloud][0], "perTask": PRICES[cloud][1]},
            },
        }
        for cloud in clouds
        for number, device in enumerate(asyncio.run(devices_of(clouds[cloud])))
    ]


async def devices_of(cloud: Emulator) -> list[str]:
    """The devices that this test uses, as the driver names them."""
    drivers = Drivers()
    try:
        infos = await drivers.get(cloud.name, cloud.parameters, cloud.credentials).devices()
    finally:
        await drivers.aclose()
    return [next(it.device for it in infos if part in it.device.lower()) for part in DEVICES[cloud.name]]


def strike(cloud: Emulator) -> None:
    """Let a fifth of the requests of a cloud fail from now on, and four submissions never be answered."""
    left = 1.0
    for number, (kind, share) in enumerate(FAULTS.items()):
        seconds = {"429": 0.05, "slow-body": 0.2}.get(kind)
        # A request that meets one fault is not offered the next.
        cloud.fault(kind, times=None, probability=share / left, seconds=seconds, seed=SEED + number)
        left -= share
    for kind in ("timeout-before", "timeout-after"):
        cloud.fault(kind, "submit", times=2, probability=0.02, seed=SEED)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_job_ends_once_although_every_fifth_call_fails(
    clouds: dict[str, Emulator], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fleet = fleet_of(clouds)
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump_all(fleet))
    names = [each["metadata"]["name"] for each in fleet]
    with Client.local(store=tmp_path / "qsched.db", fleet=tmp_path / "fleet.yaml", settings=QUICK) as client:
        every = [a_job(number, names) for number in range(JOBS)]
        first = client.submit_all(every[: len(names)])
        ends = time.monotonic() + LIMIT_S
        assert phases(first, ends) == {"Complete": len(names)}  # the clouds are connected
        for cloud in clouds.values():
            strike(cloud)
        jobs = first + client.submit_all(every[len(names) :])
        assert phases(jobs, ends) == {"Complete": JOBS}
        results = [job.result() for job in jobs]
        histories = [job.history() for job in jobs]
    told = f"{capfd.readouterr()} {histories}".encode()
    for name, cloud in clouds.items():
        check_secrets(cloud, told, *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()))
        calls = cloud.calls()
        assert sum(calls["faults"].values()) > 0.18 * sum(calls["requests"].values())
        here = [result for result in results if result.driver == name]
        check_runs(cloud, here)
        check_costs(cloud, here)


def phases(jobs: list[Job], ends: float) -> Counter[str]:
    """How the jobs are once all have ended, or the time is over."""
    for job in jobs:
        try:
            job.result(max(0.0, ends - time.monotonic()), show_progress=False)
        except TimeoutError:
            break
    return Counter(job.status().phase for job in jobs)


def check_secrets(cloud: Emulator, *outputs: bytes) -> None:
    """No credential is in anything that was said or stored."""
    for name, secret in cloud.credentials.items():
        assert name.endswith("Id") or not any(secret.encode() in each for each in outputs), name


def check_runs(cloud: Emulator, results: list[Result]) -> None:
    """The cloud has run what the jobs show, and nothing else: no task twice, none in vain."""
    taken = cloud.tasks()
    assert Counter(task["state"] for task in taken) == {"Succeeded": len(taken)}
    # IBM takes all circuits of a task at once, the others one by one.
    assert len(taken) == sum(1 if cloud.name == "ibm" else len(result.circuits) for result in results)
    for result in results:
        assert all(sum(circuit.counts.values()) == SHOTS for circuit in result.circuits)
    assert len({result.remote_id for result in results}) == len(results)


def check_costs(cloud: Emulator, results: list[Result]) -> None:
    """The jobs cost what the cloud charged; where it does not tell, what the manifests say."""
    currency, price = PRICES[cloud.name]
    charges = [Decimal(task["charge"]) for task in cloud.tasks() if task["charge"]]
    told = [result.cost for result in results if not result.cost_estimated]
    estimated = [result for result in results if result.cost_estimated]
    assert sum(Decimal(cost.amount) for cost in told) == sum(charges)
    assert bool(charges) == (not estimated), "some costs are told, and some estimated"
    for result in estimated:
        assert Decimal(result.cost.amount) == len(result.circuits) * Decimal(price)
        assert result.cost.currency == currency
