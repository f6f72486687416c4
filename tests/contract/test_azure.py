from __future__ import annotations

import datetime as dt
import io
import logging
import re
import traceback
from math import pi

import msgspec
import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy

from qsched.api.job import Money
from qsched.drivers import NotFound, Rejected, Task, TaskCircuit, TaskResult, Unauthenticated, Unavailable
from qsched.drivers.contract import DriverContract
from qsched.drivers.contract_faults import FaultContract
from qsched.drivers.contract_waits import ended
from qsched_azure import AzureDriver
from qsched_emulators.control import Emulator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def running_emulator():
    with Emulator.start("azure", pace=0.1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """As it is at the start, with a device on which nothing ever ends."""
    running_emulator.reset()
    running_emulator.change("rigetti.qpu.ankaa-3", run_s=1e6)
    return running_emulator


def circuit(circuit: QuantumCircuit, name: str) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue(), transpiled_hash=f"hash-{name}")


def flips(*qubits: int) -> QuantumCircuit:
    """Native to the devices of IonQ and Rigetti."""
    flips = QuantumCircuit(3, 3)
    flips.x(qubits)
    flips.measure(range(3), range(3))
    return flips


def a_task(device: str, *flipped: tuple[int, ...]) -> Task:
    circuits = tuple(circuit(flips(*qubits), f"flips-{number}") for number, qubits in enumerate(flipped))
    return Task(device=device, circuits=circuits, shots=200)


class TestAzure(FaultContract, DriverContract):
    measured = False

    @pytest.fixture
    def another(self, emulator: Emulator):
        return lambda: AzureDriver({**emulator.parameters, "timeoutSeconds": 2}, emulator.credentials)

    @pytest.fixture
    async def driver(self, another):
        driver = another()
        yield driver
        await driver.aclose()

    @pytest.fixture
    def provider(self, emulator: Emulator) -> Emulator:
        return emulator

    @pytest.fixture
    def task(self) -> Task:
        return a_task("ionq.qpu.aria-1", (0,), (1, 2))

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task("ionq.qpu.forte-1", (1,))

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task("rigetti.qpu.ankaa-3", (2,))

    @pytest.fixture
    def impossible_task(self) -> Task:
        again = QuantumCircuit(1, 1)
        again.measure(0, 0)
        again.x(0)
        return Task(device="ionq.qpu.aria-1", circuits=(circuit(again, "again"),), shots=1)


@pytest.fixture
async def driver(emulator: Emulator):
    driver = AzureDriver({**emulator.parameters, "timeoutSeconds": 5}, emulator.credentials)
    yield driver
    await driver.aclose()


async def run(driver: AzureDriver, task: Task, token: str = "token") -> TaskResult:
    remote = await driver.submit(task, token)
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    return await driver.result(remote.remote_id)


async def test_what_a_task_cost_and_when_it_ran_is_told(driver: AzureDriver) -> None:
    result = await run(driver, a_task("ionq.qpu.aria-1", (0,), (1,)))
    assert result.cost == Money(amount="24.8332", currency="USD")
    assert result.started_at is not None
    assert result.finished_at is not None
    assert result.started_at.tzinfo is dt.UTC
    assert result.started_at < result.finished_at
    assert result.run_s is not None
    assert result.run_s > 0


async def test_a_simulator_costs_nothing_that_is_told(driver: AzureDriver) -> None:
    assert (await run(driver, a_task("ionq.simulator", (0, 2)))).cost is None


async def test_a_task_of_one_circuit_takes_few_requests(driver: AzureDriver, emulator: Emulator) -> None:
    def requests() -> int:
        return sum(emulator.calls()["requests"].values())

    task = a_task("ionq.qpu.forte-1", (1,))
    await run(driver, task)
    counted = [requests()]
    remote = await driver.submit(task, "another")
    counted.append(requests())
    await ended(driver, remote.remote_id)
    counted.append(requests())
    await driver.poll([remote.remote_id])
    counted.append(requests())
    await driver.result(remote.remote_id)
    counted.append(requests())
    submit, _, poll, result = np.diff(counted)
    assert (submit, poll, result) == (3, 0, 3)


async def test_requests_share_connections(driver: AzureDriver, emulator: Emulator) -> None:
    for number in range(5):
        await run(driver, a_task("ionq.simulator", (0,)), f"token-{number}")
    assert emulator.calls()["connections"] == 1


async def test_a_failed_task_says_why_and_stops_what_is_left_of_it(
    driver: AzureDriver, emulator: Emulator
) -> None:
    emulator.change("ionq.qpu.aria-1", slots=1, failing=True, run_s=1.0)
    remote = await driver.submit(a_task("ionq.qpu.aria-1", (0,), (1,)), "token")
    status = await ended(driver, remote.remote_id)
    assert status.state == "Failed"
    assert re.fullmatch(r"circuit [12] of 2: ExecutionFailed: the device failed", status.message)
    assert sorted(task["state"] for task in emulator.tasks()) == ["Cancelled", "Failed"]


async def test_tasks_of_a_poll_that_cannot_be_asked_about_are_where_they_were(
    driver: AzureDriver, emulator: Emulator
) -> None:
    task = a_task("rigetti.qpu.ankaa-3", (0,))
    ids = {(await driver.submit(task, f"token-{number}")).remote_id for number in range(5)}
    emulator.fault("500", "poll", times=2)
    assert {status.remote_id for status in await driver.poll([*ids])} == ids
    emulator.fault("500", "poll", times=None)
    with pytest.raises(Unavailable):
        await driver.poll([*ids])


async def test_circuits_that_branch_run_on_quantinuum(driver: AzureDriver) -> None:
    register = ClassicalRegister(1, "first")
    dynamic = QuantumCircuit(QuantumRegister(2), register, ClassicalRegister(1, "second"))
    dynamic.r(pi, 0, 0)
    dynamic.measure(0, 0)
    with dynamic.if_test((register[0], 1)):
        dynamic.r(pi, 0, 1)
    dynamic.measure(1, 1)
    task = Task(device="quantinuum.sim.h2-1e", circuits=(circuit(dynamic, "dynamic"),), shots=100)
    (counts,) = (await run(driver, task)).counts
    assert max(counts, key=counts.__getitem__) == "1 1"


async def test_devices_are_those_that_take_gates(driver: AzureDriver) -> None:
    devices = {info.device: info for info in await driver.devices()}
    assert sorted(devices) == [
        "ionq.qpu.aria-1",
        "ionq.qpu.forte-1",
        "ionq.simulator",
        "quantinuum.qpu.h2-1",
        "quantinuum.sim.h2-1e",
        "rigetti.qpu.ankaa-3",
        "rigetti.sim.qvm",
    ]
    aria = devices["ionq.qpu.aria-1"]
    assert (aria.qubits, aria.simulator, aria.provider, aria.location) == (25, False, "ionq", "eastus")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("pasqal.qpu.fresnel", "takes analogue programs of neutral atoms, not gate circuits"),
        ("toshiba.sbm.ising", "takes optimisation problems, not gate circuits"),
        ("ionq.qpu.aria", r"did you mean ionq.qpu.aria-1\?"),
    ],
)
async def test_a_device_that_is_none_is_said(driver: AzureDriver, device: str, words: str) -> None:
    for call in (driver.status, driver.calibration):
        with pytest.raises(NotFound, match=words):
            await call(device)
    with pytest.raises(NotFound, match=words):
        await driver.submit(a_task(device, (0,)), "token")


async def test_a_device_that_is_retired_is_offline_and_refuses(driver: AzureDriver) -> None:
    status = await driver.status("ionq.qpu.aria-2")
    assert not status.online
    assert "retired" in status.message
    with pytest.raises(Rejected, match="retired"):
        await driver.submit(a_task("ionq.qpu.aria-2", (0,)), "token")


@pytest.mark.parametrize(
    ("parameters", "secret", "kind", "words"),
    [
        ({}, {"clientSecret": "planted"}, Unauthenticated, "AADSTS7000215"),
        ({}, {"tenantId": "11111111-2222-3333-4444-555555555555"}, Unauthenticated, "AADSTS90002"),
        ({}, {"tenantId": "not a tenant"}, Unauthenticated, "tenantId"),
        ({"workspace": "elsewhere"}, {}, NotFound, "'elsewhere'"),
        ({"workspace": "-"}, {}, NotFound, "'-'"),
        ({"workspace": None}, {}, NotFound, "set the parameters"),
        ({"caFile": None}, {}, Unavailable, "CERTIFICATE_VERIFY_FAILED"),
        ({"armEndpoint": "https://127.0.0.1:1"}, {}, Unavailable, "refused"),
    ],
)
async def test_a_workspace_that_cannot_be_reached_is_said(
    emulator: Emulator, parameters, secret, kind, words, monkeypatch
) -> None:
    monkeypatch.delenv("AZURE_QUANTUM_WORKSPACE_NAME", raising=False)
    changed = {**emulator.parameters, **parameters}
    driver = AzureDriver(
        {name: value for name, value in changed.items() if value is not None},
        {**emulator.credentials, **secret},
    )
    with pytest.raises(kind, match=words) as caught:
        await driver.devices()
    assert type(caught.value) is kind
    assert "planted" not in "".join(traceback.format_exception(caught.value))
    await driver.aclose()


async def test_credentials_of_the_environment_do_too(emulator: Emulator, monkeypatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    driver = AzureDriver(emulator.parameters)
    assert await driver.devices()
    await driver.aclose()


async def test_nothing_that_is_logged_holds_the_secret_or_a_signature(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    driver = AzureDriver(emulator.parameters, emulator.credentials)
    await run(driver, a_task("ionq.simulator", (0,)))
    await driver.aclose()
    assert "urllib3" in caplog.text
    assert emulator.credentials["clientSecret"] not in caplog.text
    assert not re.search(r"sig=[0-9a-f]", caplog.text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"readout_mitigation": True}, "readout"), ({"dynamical_decoupling": True}, "echo")],
)
async def test_what_azure_cannot_do_is_refused(driver: AzureDriver, changes, words: str) -> None:
    task = msgspec.structs.replace(a_task("ionq.qpu.aria-1", (0,)), **changes)
    with pytest.raises(Rejected, match=words):
        await driver.submit(task, "token")


async def test_a_submission_that_failed_goes_on_where_it_was(driver: AzureDriver, emulator: Emulator) -> None:
    def signed() -> int:
        return sum(n for path, n in emulator.calls()["requests"].items() if path.endswith("sasUri"))

    task = a_task("ionq.simulator", (0,), (1,), (2,))
    emulator.fault("500", "submit", times=None)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await driver.submit(task, "token")
    emulator.clear()
    await driver.submit(task, "token")
    assert signed() == len(task.circuits)
    assert len(emulator.tasks()) == len(task.circuits)


async def test_what_is_taken_of_a_task_that_is_refused_is_stopped(
    driver: AzureDriver, emulator: Emulator
) -> None:
    """The emulator refuses the first circuit, whose job is made last: the device became narrower."""
    await driver.status("rigetti.qpu.ankaa-3")
    emulator.change("rigetti.qpu.ankaa-3", qubits=2)
    wide, narrow = flips(2), QuantumCircuit(1, 1)
    narrow.x(0)
    narrow.measure(0, 0)
    task = Task(
        device="rigetti.qpu.ankaa-3",
        circuits=(circuit(wide, "wide"), circuit(narrow, "narrow")),
        shots=100,
    )
    with pytest.raises(Rejected, match="InvalidInputData"):
        await driver.submit(task, "token")
    assert [each["state"] for each in emulator.tasks()] == ["Cancelled"]
    assert await driver.find("token") is None
