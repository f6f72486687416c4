"""The worker processes of the Aer driver: killed, crashed, orphaned."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import ended, running
from qsched_aer import AerDriver

pytestmark = pytest.mark.slow


def as_task(circuit: QuantumCircuit, *, shots: int) -> Task:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return Task(device="ideal", circuits=(TaskCircuit(name="c", qpy=buffer.getvalue()),), shots=shots)


def quick() -> Task:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    return as_task(bell, shots=100)


def endless() -> Task:
    hard = QuantumCircuit(22)
    for _ in range(200):
        for qubit in range(21):
            hard.rx(0.3, qubit)
            hard.cx(qubit, qubit + 1)
            hard.reset(qubit)
    hard.measure_all()
    return as_task(hard, shots=1_000_000)


@pytest.fixture
async def driver():
    driver = AerDriver({"workers": 2, "threads": 1})
    yield driver
    await driver.aclose()


@pytest.fixture
def workers():
    """Lists the processes that were started since the test began."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [each for each in psutil.Process().children(recursive=True) if each not in before]


async def test_cancelling_a_running_task_kills_its_process_and_no_other(workers, driver):
    await driver.warm()
    before = {process.pid for process in workers()}
    remote = await driver.submit(endless(), "long")
    other = await driver.submit(endless(), "other")
    await running(driver, remote.remote_id)
    await running(driver, other.remote_id)
    await driver.cancel(remote.remote_id)
    after = {process.pid for process in workers()}
    assert len(before) == 2
    assert len(after) == 1
    assert after < before
    quick_one = await driver.submit(quick(), "quick")
    assert (await ended(driver, quick_one.remote_id)).state == "Succeeded"
    assert (await driver.poll([other.remote_id]))[0].state == "Running"


async def test_a_worker_that_is_killed_fails_its_task_and_no_other(workers, driver):
    remote = await driver.submit(endless(), "long")
    await running(driver, remote.remote_id)
    while not workers():
        pass
    os.kill(workers()[0].pid, signal.SIGKILL)
    status = await ended(driver, remote.remote_id)
    assert status.state == "Failed"
    assert "signal 9" in status.message
    tasks = [await driver.submit(quick(), f"quick-{number}") for number in range(3)]
    assert {(await ended(driver, task.remote_id)).state for task in tasks} == {"Succeeded"}


def test_no_worker_outlives_a_killed_engine(tmp_path):
    task_file = tmp_path / "circuit.qpy"
    task_file.write_bytes(endless().circuits[0].qpy)
    program = textwrap.dedent(
        f"""
        import asyncio, pathlib
        from qsched.drivers import Task, TaskCircuit
        from qsched.drivers.contract import running
        from qsched_aer import AerDriver

        async def main():
            driver = AerDriver({{"workers": 1, "threads": 1}})
            await driver.warm()
            qpy = pathlib.Path({str(task_file)!r}).read_bytes()
            task = Task(device="ideal", circuits=(TaskCircuit(name="c", qpy=qpy),), shots=1_000_000)
            await running(driver, (await driver.submit(task, "long")).remote_id)
            print("running", flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    engine = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert engine.stdout is not None
    with engine.stdout:
        assert engine.stdout.readline() == b"running\n"
        (worker,) = psutil.Process(engine.pid).children()
        busy_s = worker.cpu_times().user + 1
        while worker.cpu_times().user < busy_s:
            pass  # Aer's own loop must have it, not Python's.
        engine.kill()
        engine.wait()
    assert worker.wait(timeout=20) is None
