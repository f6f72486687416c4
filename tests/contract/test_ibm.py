from __future__ import annotations

import asyncio
import io

import pytest
from msgspec.structs import replace
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy

from qsched.circuits.transpile import transpile
from qsched.drivers import DriverError, NotFound, Task, TaskCircuit, Unauthenticated, Unavailable
from qsched.drivers.contract import DriverContract
from qsched.drivers.contract_faults import FaultContract
from qsched.drivers.contract_waits import ended
from qsched.fleet.target import to_target
from qsched_emulators.control import Emulator
from qsched_ibm import IbmDriver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def running_emulator():
    with Emulator.start("ibm", pace=0.1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """As it is at the start, with a device on which nothing ever ends."""
    running_emulator.reset()
    running_emulator.change("ibm_perth", run_s=1e6)
    return running_emulator


def circuit(circuit: QuantumCircuit, name: str) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue(), transpiled_hash=f"hash-{name}")


def flips(*qubits: int) -> QuantumCircuit:
    """Native to every device of the emulator."""
    flips = QuantumCircuit(3, 3)
    flips.x(qubits)
    flips.measure(range(3), range(3))
    return flips


def a_task(device: str, *flipped: tuple[int, ...]) -> Task:
    circuits = tuple(circuit(flips(*qubits), f"flips-{number}") for number, qubits in enumerate(flipped))
    return Task(device=device, circuits=circuits, shots=200)


class TestIbm(FaultContract, DriverContract):
    @pytest.fixture
    async def driver(self, emulator: Emulator):
        driver = IbmDriver({**emulator.parameters, "timeoutSeconds": 2}, emulator.credentials)
        yield driver
        await driver.aclose()

    @pytest.fixture
    async def restarted(self, emulator: Emulator):
        driver = IbmDriver({**emulator.parameters, "timeoutSeconds": 2}, emulator.credentials)
        yield driver
        await driver.aclose()

    @pytest.fixture
    def provider(self, emulator: Emulator) -> Emulator:
        return emulator

    @pytest.fixture
    def task(self) -> Task:
        return a_task("ibm_lagos", (0,), (1, 2))

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task("ibm_torino", (1,))

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task("ibm_perth", (2,))

    @pytest.fixture
    def impossible_task(self) -> Task:
        wide = QuantumCircuit(8, 1)
        wide.x(7)
        wide.measure(7, 0)
        return Task(device="ibm_lagos", circuits=(circuit(wide, "wide"),), shots=1)


def asymmetric() -> QuantumCircuit:
    """An X on one qubit, measured in crossed order into two registers."""
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "low"), ClassicalRegister(1, "lambda"))
    circuit.x(1)
    circuit.measure(0, circuit.cregs[1][0])
    circuit.measure(1, circuit.cregs[0][1])
    circuit.measure(2, circuit.cregs[0][0])
    return circuit


def likeliest(counts) -> str:
    return max(counts, key=counts.get)


class TestJobs:
    async def test_a_circuit_runs_as_qsched_transpiled_it(self, driver: IbmDriver):
        calibration = await driver.calibration("ibm_lagos")
        fit = transpile(asymmetric(), to_target(calibration), level=1, seed=0, dynamical_decoupling=True)
        it = TaskCircuit(name="mine", qpy=fit.qpy, transpiled_hash=fit.hash)
        task = Task(device="ibm_lagos", circuits=(it,), shots=300, dynamical_decoupling=True)
        remote = await driver.submit(task, "token")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        result = await driver.result(remote.remote_id)
        assert likeliest(result.counts[0]) == "0 10"
        assert result.transpiled_hashes == (fit.hash,)
        assert result.run_s == pytest.approx(2.0 + 300 * (250e-6 + 5e-6))

    async def test_a_circuit_that_nobody_transpiled_runs_too(self, driver: IbmDriver):
        it = circuit(asymmetric(), "mine")
        task = Task(device="ibm_sherbrooke", circuits=(replace(it, transpiled_hash=None),), shots=300)
        remote = await driver.submit(task, "token")
        assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        assert likeliest((await driver.result(remote.remote_id)).counts[0]) == "0 10"

    async def test_a_job_that_failed_says_why(self, driver: IbmDriver, emulator: Emulator):
        emulator.change("ibm_lagos", failing=True)
        remote = await driver.submit(a_task("ibm_lagos", (0,)), "token")
        status = await ended(driver, remote.remote_id)
        assert (status.state, status.message) == ("Failed", "the device failed (code 9999)")
        with pytest.raises(NotFound, match="it is Failed"):
            await driver.result(remote.remote_id)

    async def test_a_list_that_is_behind_makes_no_second_job(self, driver: IbmDriver, emulator: Emulator):
        emulator.disturb(listed_late_s=1.0)
        emulator.fault("drop-after", "submit")
        remote = await driver.submit(a_task("ibm_perth", (0,)), "token")
        found = await driver.find("token")
        assert found is not None
        assert [remote.remote_id, found.remote_id] == [each["id"] for each in emulator.tasks()] * 2

    async def test_many_jobs_take_few_requests(self, driver: IbmDriver, emulator: Emulator):
        task = a_task("ibm_perth", (0,))
        await driver.submit(task, "first")
        before = sum(emulator.calls()["requests"].values())
        remotes = await asyncio.gather(*(driver.submit(task, f"token-{number}") for number in range(10)))
        submitted = sum(emulator.calls()["requests"].values())
        assert submitted - before == 2 * len(remotes)
        assert len(await driver.poll([each.remote_id for each in remotes])) == len(remotes)
        calls = emulator.calls()
        assert sum(calls["requests"].values()) == submitted + 1
        assert calls["requests"]["POST /identity/token"] == 1
        assert calls["connections"] <= 1 + 8

    async def test_an_account_without_time_left_is_told_before_and_at_a_submission(
        self, driver: IbmDriver, emulator: Emulator
    ):
        emulator.disturb(used_up=True)
        status = await driver.status("ibm_lagos")
        assert not status.online
        assert "has used up its time of 600 s" in status.message
        with pytest.raises(Unavailable, match="Usage exceeds instance limit"):
            await driver.submit(a_task("ibm_lagos", (0,)), "token")

    async def test_a_submission_goes_on_without_its_caller_for_a_while_only(
        self, driver: IbmDriver, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ):
        async def give_up(token: str) -> None:
            call = asyncio.create_task(driver.submit(a_task("ibm_perth", (0,)), token))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        await give_up("one")
        found = await driver.find("one")
        assert found is not None
        monkeypatch.setattr("qsched_ibm.driver._GIVEN_UP_S", 0.0)
        await give_up("two")
        assert await driver.find("two") is None
        assert [each["id"] for each in emulator.tasks()] == [found.remote_id]

    @pytest.mark.parametrize("mode", ["batch", "session"])
    async def test_jobs_of_a_mode_share_one_session_until_it_is_closed(self, emulator: Emulator, mode: str):
        driver = IbmDriver({**emulator.parameters, "mode": mode}, emulator.credentials)
        task = a_task("ibm_perth", (0,))
        try:
            await asyncio.gather(*(driver.submit(task, f"token-{number}") for number in range(4)))
        finally:
            await driver.aclose()
        requests = emulator.calls()["requests"]
        assert requests["POST /api/v1/sessions"] == 1
        assert [call.split(" ")[0] for call in requests if "/sessions/" in call] == ["GET", "PATCH"]
        again = IbmDriver({**emulator.parameters, "mode": mode}, emulator.credentials)
        try:
            found = await again.find("token-0")
            assert found is not None
            assert (await again.submit(task, "token-0")).remote_id == found.remote_id
            await again.submit(task, "another")
        finally:
            await again.aclose()
        assert emulator.calls()["requests"]["POST /api/v1/sessions"] == 2

    @pytest.fixture
    async def driver(self, emulator: Emulator):
        driver = IbmDriver(emulator.parameters, emulator.credentials)
        yield driver
        await driver.aclose()


class TestBadInput:
    @pytest.fixture
    def account(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """The client's own variables, without a Secret."""
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)

    async def failure(self, driver: IbmDriver) -> DriverError:
        try:
            with pytest.raises(DriverError) as caught:
                await driver.devices()
            return caught.value
        finally:
            await driver.aclose()

    async def test_a_wrong_api_key(self, emulator: Emulator):
        error = await self.failure(IbmDriver(emulator.parameters, {"token": "planted-wrong-key"}))
        assert isinstance(error, Unauthenticated)
        assert "API key could not be found" in str(error)
        assert "planted" not in str(error)

    async def test_an_instance_that_the_account_does_not_have(self, emulator: Emulator):
        instance = "crn:v1:bluemix:public:quantum-computing:eu-de:a/9999::"
        error = await self.failure(
            IbmDriver({**emulator.parameters, "instance": instance}, emulator.credentials)
        )
        assert isinstance(error, Unauthenticated)
        assert "The instance is unknown, or not yours" in str(error)

    async def test_no_credentials_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path):
        from qiskit_ibm_runtime.accounts import management

        monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
        monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "none.json"))
        error = await self.failure(IbmDriver({}))
        assert isinstance(error, Unauthenticated)
        assert "put an API key as 'token' into the backend's Secret" in str(error)

    async def test_nobody_is_there(self, emulator: Emulator):
        parameters = {**emulator.parameters, "url": "http://127.0.0.1:9"}
        error = await self.failure(IbmDriver(parameters, emulator.credentials))
        assert type(error) is Unavailable
        assert "http://127.0.0.1:9" in str(error)

    async def test_a_device_that_does_not_exist(self, emulator: Emulator):
        driver = IbmDriver(emulator.parameters, emulator.credentials)
        try:
            with pytest.raises(NotFound, match="did you mean 'ibm_lagos'"):
                await driver.submit(a_task("ibm_lagoss", (0,)), "token")
            assert await driver.find("token") is None
        finally:
            await driver.aclose()

    @pytest.mark.usefixtures("account")
    async def test_the_clients_own_variables_do_without_a_secret(self):
        driver = IbmDriver({})
        try:
            remote = await driver.submit(a_task("ibm_lagos", (0,)), "token")
            assert (await ended(driver, remote.remote_id)).state == "Succeeded"
        finally:
            await driver.aclose()

    @pytest.mark.usefixtures("account")
    async def test_an_instance_is_found_by_its_name(self):
        driver = IbmDriver({"instance": "emulated"})
        try:
            assert "ibm_lagos" in {info.device for info in await driver.devices()}
        finally:
            await driver.aclose()

    @pytest.mark.usefixtures("account")
    async def test_of_a_name_that_no_instance_has_the_others_are_told(self):
        error = await self.failure(IbmDriver({"instance": "imitated"}))
        assert isinstance(error, Unauthenticated)
        assert "no instance named 'imitated'" in str(error)
        assert "there are: emulated (crn:" in str(error)
