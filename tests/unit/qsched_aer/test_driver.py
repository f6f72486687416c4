"""What the Aer driver does beyond the contract that every driver keeps."""

from __future__ import annotations

import io

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.api.calibration_file import save_calibration
from qsched.drivers import NoCalibration, NotFound, Rejected, Task, TaskCircuit, Warmable
from qsched.drivers.contract import ended
from qsched.errors import InvalidInput
from qsched_aer import AerDriver
from qsched_aer.parameters import AerParameters


@pytest.fixture
async def driver():
    driver = AerDriver({"workers": 1, "threads": 1, "memoryMb": 64})
    yield driver
    await driver.aclose()


def flipped(qubit: int, width: int = 30) -> QuantumCircuit:
    circuit = QuantumCircuit(width, 1)
    circuit.x(qubit)
    circuit.measure(qubit, 0)
    return circuit


def task(device: str, circuit: QuantumCircuit, *, native: bool = True, shots: int = 1000) -> Task:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    it = TaskCircuit(name="it", qpy=buffer.getvalue(), transpiled_hash="abc" if native else None)
    return Task(device=device, circuits=(it,), shots=shots, seed=1)


async def result(driver: AerDriver, it: Task, token: str = "token"):
    remote = await driver.submit(it, token)
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    return await driver.result(remote.remote_id)


@pytest.mark.parametrize("as_uri", [True, False])
async def test_a_calibration_file_is_a_device(driver, uneven, tmp_path, as_uri):
    path = tmp_path / "my device.qcal.json.gz"
    save_calibration(uneven, path)
    device = path.as_uri() if as_uri else str(path)
    assert (await driver.calibration(device)).id == uneven.id
    info = await driver.info(device)
    assert (info.device, info.qubits, info.simulator, info.compiles) == (device, uneven.qubits, True, False)
    out = await result(driver, task(device, flipped(9)))
    assert out.counts[0]["1"] > 850


async def test_twins_do_not_compile_and_the_ideal_simulator_does(driver):
    compiles = {each.device: each.compiles for each in await driver.devices()}
    assert [name for name, it_does in compiles.items() if it_does] == ["ideal"]


async def test_a_file_that_changed_is_read_anew(driver, uneven, tmp_path):
    path = tmp_path / "device.qcal.json.gz"
    save_calibration(uneven, path)
    before = await driver.calibration(str(path))
    save_calibration(await driver.calibration("vigo"), path)
    assert (await driver.calibration(str(path))).id != before.id


async def test_the_run_time_is_the_devices_own(driver, uneven, tmp_path):
    path = tmp_path / "device.qcal.json.gz"
    save_calibration(uneven, path)
    out = await result(driver, task(str(path), flipped(9), shots=1000))
    # A shot is a reset of 100 us, a pulse of 40 ns and a readout of 1 us.
    assert out.run_s == pytest.approx(1000 * 101.04e-6)


async def test_a_missing_or_broken_file_says_so(driver, tmp_path):
    with pytest.raises(NotFound, match=r"no calibration file .*nothing\.gz"):
        await driver.calibration(str(tmp_path / "nothing.gz"))
    (tmp_path / "broken.gz").write_bytes(b"not gzip")
    with pytest.raises(NoCalibration, match=r"broken\.gz cannot be read"):
        await driver.calibration(str(tmp_path / "broken.gz"))


async def test_the_ideal_device_has_no_calibration_and_takes_any_circuit(driver):
    with pytest.raises(NoCalibration):
        await driver.calibration("ideal")
    assert (await result(driver, task("ideal", flipped(0, 3), native=False))).counts == ({"1": 1000},)


async def test_a_twin_takes_only_what_is_transpiled_for_it(driver):
    with pytest.raises(Rejected, match="'it' is not transpiled for vigo"):
        await driver.submit(task("vigo", flipped(0, 5), native=False), "token")
    circuit = flipped(0, 5)
    circuit.cx(0, 4)
    with pytest.raises(Rejected, match="no gate 'cx' on qubits 0, 4"):
        await driver.submit(task("vigo", circuit), "token")


async def test_what_fits_no_memory_is_rejected_when_it_is_submitted(driver):
    circuit = QuantumCircuit(30, 30)
    for layer in range(1, 15):
        for qubit in range(30):
            circuit.rx(0.1, qubit)
            circuit.cx(qubit, (qubit + layer) % 30)
    circuit.measure(range(30), range(30))
    with pytest.raises(Rejected, match="memoryMb is 64; any circuit of up to 22 qubits would fit"):
        await driver.submit(task("ideal", circuit), "token")


@pytest.mark.parametrize(
    ("damage", "message"), [(b"nonsense", "is not QPY"), (b"", "is not QPY"), (b"QISKIT", "is not QPY")]
)
async def test_damaged_circuits_are_rejected(driver, damage, message):
    it = Task(device="ideal", circuits=(TaskCircuit(name="it", qpy=damage),), shots=1)
    with pytest.raises(Rejected, match=message):
        await driver.submit(it, "token")


async def test_a_circuit_without_measurements_is_rejected(driver):
    with pytest.raises(Rejected, match="measures nothing"):
        await driver.submit(task("ideal", QuantumCircuit(2)), "token")


@pytest.mark.slow
async def test_counts_do_not_depend_on_the_number_of_workers(driver):
    tasks = [task("vigo", flipped(qubit, 5)) for qubit in range(5)]
    alone = [await result(driver, it, f"token-{number}") for number, it in enumerate(tasks)]
    many = AerDriver({"workers": 3, "threads": 2})
    remotes = [await many.submit(it, f"token-{number}") for number, it in enumerate(tasks)]
    for remote, one in zip(remotes, alone, strict=True):
        await ended(many, remote.remote_id)
        assert (await many.result(remote.remote_id)).counts == one.counts
    await many.aclose()


def test_workers_and_threads_share_the_processors():
    assert [AerParameters().worker_count(n) for n in (1, 2, 16)] == [1, 2, 2]
    assert [AerParameters().thread_count(n) for n in (1, 2, 16)] == [1, 1, 8]
    assert AerParameters(workers=4).thread_count(2) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"worker": 1}, "did you mean 'workers'"), ({"workers": 0}, ">= 1"), ({"memoryMb": "1G"}, "memoryMb")],
)
def test_wrong_parameters_are_refused(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        AerDriver(parameters)


async def test_every_twin_is_listed(driver):
    infos = {info.device: info for info in await driver.devices()}
    assert infos["vigo"].qubits == 5
    assert infos["ideal"].simulator
    assert all(info.simulator for info in infos.values())


@pytest.mark.slow
async def test_tasks_are_forgotten_long_after_nobody_needs_them(driver):
    first = await result(driver, task("ideal", flipped(0, 1), shots=1), "first")
    for number in range(260):
        remote = await driver.submit(task("ideal", flipped(0, 1), shots=1), f"token-{number}")
        await driver.cancel(remote.remote_id)
        assert len(await driver.poll([remote.remote_id])) == 1
    assert await driver.poll([first.remote_id]) == []


async def test_it_warms_up(driver):
    assert isinstance(driver, Warmable)
    await driver.warm()
