from __future__ import annotations

import asyncio
import io
import json
from collections import Counter

import boto3
import pytest
from msgspec.structs import replace
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy

from qsched.circuits.transpile import transpile
from qsched.drivers import (
    Driver,
    DriverError,
    NoCalibration,
    NotFound,
    RateLimited,
    Rejected,
    Task,
    TaskCircuit,
    Unauthenticated,
    Unavailable,
)
from qsched.drivers.contract import DriverContract
from qsched.drivers.contract_faults import FaultContract
from qsched.drivers.contract_waits import ended
from qsched.fleet.target import to_target
from qsched_braket import BraketDriver
from qsched_emulators.control import Emulator

pytestmark = pytest.mark.slow


FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
ANKAA = "arn:aws:braket:us-west-1::device/qpu/rigetti/Ankaa-3"
AQUILA = "arn:aws:braket:us-east-1::device/qpu/quera/Aquila"
HARMONY = "arn:aws:braket:us-east-1::device/qpu/ionq/Harmony"
ARIA = "arn:aws:braket:us-east-1::device/qpu/ionq/Aria-1"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


@pytest.fixture(scope="module", autouse=True)
def running_emulator():
    with Emulator.start("braket", pace=0.1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """As it is at the start, with a device on which nothing ever ends."""
    running_emulator.reset()
    running_emulator.change(ANKAA, run_s=1e6)
    return running_emulator


def circuit(circuit: QuantumCircuit, name: str, digest: str | None = None) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=name, qpy=buffer.getvalue(), transpiled_hash=digest)


def flips(*qubits: int) -> QuantumCircuit:
    flips = QuantumCircuit(3, 3)
    flips.x(qubits)
    flips.measure(range(3), range(3))
    return flips


def a_task(device: str, *flipped: tuple[int, ...]) -> Task:
    circuits = (circuit(flips(*qubits), f"flips-{number}") for number, qubits in enumerate(flipped))
    return Task(device=device, circuits=tuple(circuits), shots=200)


class TestBraket(FaultContract, DriverContract):
    @pytest.fixture
    def another(self, emulator: Emulator):
        return lambda: BraketDriver({**emulator.parameters, "timeoutSeconds": 2}, emulator.credentials)

    @pytest.fixture
    async def driver(self, another):
        driver = another()
        yield driver
        await driver.aclose()

    @pytest.fixture
    def provider(self, emulator: Emulator) -> Emulator:
        return emulator

    @pytest.fixture
    def lose_answer(self, emulator: Emulator):
        """Drops the answer to the last request: each circuit has one, and the seed spares the first."""

        async def drop(driver: Driver, task: Task, token: str) -> None:
            emulator.fault("drop-after", "submit", probability=0.5, seed=10)
            with pytest.raises(Unavailable):
                await driver.submit(task, token)

        return drop

    @pytest.fixture
    def task(self) -> Task:
        return a_task(GARNET, (0,), (1, 2))

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task(FORTE, (1,))

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task(ANKAA, (2,))

    @pytest.fixture
    def impossible_task(self) -> Task:
        wide = QuantumCircuit(21, 21)
        wide.h(range(21))
        wide.measure(range(21), range(21))
        return Task(device=GARNET, circuits=(circuit(wide, "wide"),), shots=1)


def asymmetric() -> QuantumCircuit:
    """An X on one qubit, measured in crossed order into two registers."""
    circuit = QuantumCircuit(QuantumRegister(4), ClassicalRegister(2, "low"), ClassicalRegister(2, "lambda"))
    circuit.x(1)
    circuit.cx(1, 3)
    circuit.measure(0, circuit.cregs[1][0])
    circuit.measure(1, circuit.cregs[0][1])
    circuit.measure(2, circuit.cregs[0][0])
    return circuit


def client(emulator: Emulator, service: str, region: str = "us-west-1"):
    """boto3's client, as somebody else of the account uses it."""
    endpoint = {"braket": "endpoint", "s3": "s3Endpoint"}[service]
    return boto3.Session(
        aws_access_key_id=emulator.credentials["accessKeyId"],
        aws_secret_access_key=emulator.credentials["secretAccessKey"],
        region_name=region,
    ).client(service, endpoint_url=emulator.parameters[endpoint])


@pytest.fixture
async def driver(emulator: Emulator):
    driver = BraketDriver(emulator.parameters, emulator.credentials)
    yield driver
    await driver.aclose()


class TestTasks:
    @pytest.mark.parametrize("device", [FORTE, ARIA, GARNET, ANKAA, SV1])
    async def test_bits_and_registers_are_the_same_everywhere(
        self, driver: BraketDriver, emulator: Emulator, device: str
    ):
        emulator.change(ANKAA, run_s=0.0)
        circuits = [circuit(asymmetric(), "plain")]
        try:
            calibration = await driver.calibration(device)
        except NoCalibration:
            assert device == SV1
        else:
            fit = transpile(asymmetric(), to_target(calibration), level=1, seed=0)
            circuits.append(TaskCircuit(name="native", qpy=fit.qpy, transpiled_hash=fit.hash))
        remote = await driver.submit(Task(device=device, circuits=tuple(circuits), shots=300), "token")
        status = await ended(driver, remote.remote_id)
        assert (status.state, status.message) == ("Succeeded", "")
        result = await driver.result(remote.remote_id)
        assert [max(counts, key=counts.get) for counts in result.counts] == ["00 10"] * len(circuits)
        assert result.shots == (300,) * len(circuits)
        assert result.transpiled_hashes[-1] == (circuits[-1].transpiled_hash or result.transpiled_hashes[-1])
        assert (result.run_s is None) == (device != SV1)
        assert result.cost is None
        assert result.finished_at is not None

    async def test_a_task_that_failed_says_why(self, driver: BraketDriver, emulator: Emulator):
        emulator.change(GARNET, failing=True)
        remote = await driver.submit(a_task(GARNET, (0,), (1,)), "token")
        status = await ended(driver, remote.remote_id)
        assert status.state == "Failed"
        assert status.message == "0 of 2 circuits succeeded; the device failed"
        with pytest.raises(NotFound):
            await driver.result(remote.remote_id)

    async def test_circuits_of_a_task_that_cannot_succeed_are_stopped(
        self, driver: BraketDriver, emulator: Emulator
    ):
        remote = await driver.submit(a_task(ANKAA, (0,), (1,), (2,)), "token")
        somebody = client(emulator, "braket")
        victim = next(each["id"] for each in emulator.tasks() if each["id"] != remote.remote_id)
        somebody.cancel_quantum_task(quantumTaskArn=victim)
        assert (await ended(driver, remote.remote_id)).state == "Cancelled"
        assert {each["state"] for each in emulator.tasks()} == {"Cancelled"}

    async def test_circuits_that_were_taken_are_stopped_when_another_never_will_be(
        self, driver: BraketDriver, emulator: Emulator
    ):
        wide = QuantumCircuit(90, 1)
        for qubit in range(90):
            wide.h(qubit)
        wide.measure(0, 0)
        task = a_task(ANKAA, (0,), (1,))
        task = replace(task, circuits=(circuit(wide, "wide"), *task.circuits))
        with pytest.raises(Rejected, match="90"):
            await driver.submit(task, "token")
        assert [each["state"] for each in emulator.tasks()] == ["Cancelled", "Cancelled"]

    async def test_a_newer_calibration_makes_no_second_task(self, driver: BraketDriver, emulator: Emulator):
        emulator.fault("drop-after", "submit")
        with pytest.raises(Unavailable):
            await driver.submit(a_task(ANKAA, (0,)), "token")
        remote = await driver.submit(a_task(ANKAA, (1,)), "token")  # transpiled anew: another program
        assert [each["id"] for each in emulator.tasks()] == [remote.remote_id]

    async def test_a_newer_calibration_leaves_no_circuit_behind(
        self, driver: BraketDriver, emulator: Emulator
    ):
        emulator.fault("drop-after", "submit", probability=0.5, seed=10)  # the head's, which is created last
        with pytest.raises(Unavailable):
            await driver.submit(a_task(ANKAA, (0,), (1,)), "token")
        first = {each["id"] for each in emulator.tasks()}
        remote = await driver.submit(a_task(ANKAA, (0,), (2,)), "token")
        assert remote.remote_id in first
        states = {each["id"]: each["state"] for each in emulator.tasks()}
        assert [states.pop(each) != "Cancelled" for each in first] == [True, True]
        assert list(states.values()) == ["Cancelled"]

    async def test_circuits_that_were_taken_are_not_sent_again(
        self, driver: BraketDriver, emulator: Emulator
    ):
        task = a_task(ANKAA, (0,), (1,), (2,))
        emulator.fault("429", "submit", probability=0.5, seed=10, seconds=0.01)  # the second request
        with pytest.raises(RateLimited) as caught:
            await driver.submit(task, "token")
        await asyncio.sleep(caught.value.retry_after_s)
        await driver.submit(task, "token")
        assert len(emulator.tasks()) == 3
        assert emulator.calls()["requests"]["POST /quantum-task"] == 4

    async def test_people_see_what_a_quantum_task_is_for(self, driver: BraketDriver, emulator: Emulator):
        task = replace(a_task(ANKAA, (0,)), tags={"qsched-job": "team/vqe"})
        remote = await driver.submit(task, "token")
        told = client(emulator, "braket").get_quantum_task(quantumTaskArn=remote.remote_id)
        assert told["tags"]["qsched-job"] == "team/vqe"
        assert told["tags"]["qsched-token"] == "token"
        assert told["outputS3Directory"].startswith("qsched/token/")

    async def test_connections_are_used_again(self, driver: BraketDriver, emulator: Emulator):
        task = a_task(ANKAA, (0,))
        await driver.submit(task, "first")
        before = Counter(emulator.calls()["requests"]).total()
        remotes = await asyncio.gather(*(driver.submit(task, f"token-{number}") for number in range(40)))
        calls = emulator.calls()
        assert Counter(calls["requests"]).total() - before == len(remotes)
        await driver.poll([each.remote_id for each in remotes])
        assert emulator.calls()["connections"] <= emulator.parameters.get("connections", 16)

    async def test_a_poll_tells_what_it_knows_of_a_task_that_cannot_be_asked_for(
        self, driver: BraketDriver, emulator: Emulator
    ):
        remotes = [await driver.submit(a_task(ANKAA, (0,)), f"token-{number}") for number in range(3)]
        ids = [each.remote_id for each in remotes]
        emulator.fault("500", "poll")
        assert [status.remote_id for status in await driver.poll(ids)] == ids
        emulator.fault("500", "poll", times=3)
        with pytest.raises(Unavailable):
            await driver.poll(ids)

    async def test_a_quantum_task_that_braket_forgot_is_left_out(
        self, driver: BraketDriver, emulator: Emulator
    ):
        remote = await driver.submit(a_task(ANKAA, (0,)), "token")
        emulator.reset()
        assert await driver.poll([remote.remote_id]) == []
        await driver.cancel(remote.remote_id)
        with pytest.raises(NotFound):
            await driver.result(remote.remote_id)

    async def test_a_place_in_the_queue_is_told(self, driver: BraketDriver, emulator: Emulator):
        emulator.change(ANKAA, slots=0)
        first = await driver.submit(a_task(ANKAA, (0,)), "first")
        second = await driver.submit(a_task(ANKAA, (0,)), "second")
        statuses = await driver.poll([first.remote_id, second.remote_id])
        assert [(status.state, status.position) for status in statuses] == [("Queued", 1), ("Queued", 2)]


class TestBucket:
    @pytest.fixture
    def s3(self, emulator: Emulator):
        s3 = client(emulator, "s3", "us-east-1")
        yield s3
        s3.create_bucket(Bucket=emulator.parameters["bucket"])

    async def test_a_bucket_that_is_gone(self, driver: BraketDriver, emulator: Emulator, s3):
        remote = await driver.submit(a_task(SV1, (0,)), "token")
        await ended(driver, remote.remote_id)
        s3.delete_bucket(Bucket=emulator.parameters["bucket"])
        with pytest.raises(NotFound, match="the bucket amazon-braket-emulator, which holds"):
            await driver.result(remote.remote_id)
        with pytest.raises(Rejected, match="amazon-braket-emulator or it doesn't exist"):
            await driver.submit(a_task(SV1, (0,)), "another")

    async def test_a_bucket_that_may_not_be_read(self, driver: BraketDriver, emulator: Emulator, s3):
        remote = await driver.submit(a_task(SV1, (0,)), "token")
        await ended(driver, remote.remote_id)
        s3.put_bucket_policy(Bucket=emulator.parameters["bucket"], Policy=json.dumps({"Effect": "Deny"}))
        with pytest.raises(Unauthenticated, match=r"credentials are good for Braket.*s3:GetObject"):
            await driver.result(remote.remote_id)

    async def test_credentials_that_s3_refuses(self, driver: BraketDriver, emulator: Emulator):
        remote = await driver.submit(a_task(SV1, (0,)), "token")
        await ended(driver, remote.remote_id)
        emulator.fault("revoked", "result")
        with pytest.raises(Unauthenticated, match="AWS does not accept the credentials: GetObject"):
            await driver.result(remote.remote_id)

    async def test_the_region_is_part_of_the_name_if_wanted(self, emulator: Emulator):
        parameters = {**emulator.parameters, "bucket": "results-in-{region}"}
        driver = BraketDriver(parameters, emulator.credentials)
        try:
            with pytest.raises(Rejected, match="access to results-in-us-west-1"):
                await driver.submit(a_task(ANKAA, (0,)), "token")
        finally:
            await driver.aclose()


class TestBadInput:
    async def failure(self, driver: BraketDriver) -> DriverError:
        try:
            with pytest.raises(DriverError) as caught:
                await driver.devices()
            return caught.value
        finally:
            await driver.aclose()

    async def test_a_wrong_access_key(self, emulator: Emulator):
        wrong = {"accessKeyId": "AKIAPLANTEDWRONG", "secretAccessKey": "planted/secret"}
        error = await self.failure(BraketDriver(emulator.parameters, wrong))
        assert type(error) is Unauthenticated
        assert "AWS does not accept the credentials" in str(error)
        assert "planted" not in str(error).lower()

    async def test_a_wrong_secret(self, emulator: Emulator):
        wrong = {**emulator.credentials, "secretAccessKey": "planted/secret"}
        error = await self.failure(BraketDriver(emulator.parameters, wrong))
        assert type(error) is Unauthenticated
        assert "signature" in str(error)
        assert "planted" not in str(error)

    async def test_no_log_tells_a_session_token(self, emulator: Emulator, caplog: pytest.LogCaptureFixture):
        caplog.set_level("DEBUG")
        credentials = {**emulator.credentials, "sessionToken": "planted-token"}
        driver = BraketDriver(emulator.parameters, credentials)
        try:
            remote = await driver.submit(a_task(SV1, (0,)), "token")
            await ended(driver, remote.remote_id)
            await driver.result(remote.remote_id)
        finally:
            await driver.aclose()
        assert caplog.text
        assert not any(secret in caplog.text for secret in ("planted-token", credentials["secretAccessKey"]))

    @pytest.fixture
    def nothing(self, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
        """No credentials anywhere."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    @pytest.mark.usefixtures("nothing")
    async def test_no_credentials_at_all(self, emulator: Emulator):
        error = await self.failure(BraketDriver(emulator.parameters))
        assert type(error) is Unauthenticated
        assert "put accessKeyId and secretAccessKey into the Secret" in str(error)

    @pytest.mark.usefixtures("nothing")
    async def test_boto3_finds_credentials_and_addresses_itself(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ):
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        driver = BraketDriver()
        try:
            assert SV1 in {info.device for info in await driver.devices()}
            remote = await driver.submit(a_task(SV1, (0,)), "token")
            assert (await ended(driver, remote.remote_id)).state == "Succeeded"
            assert (await driver.result(remote.remote_id)).counts == ({"001": 200},)
            told = client(emulator, "braket", "us-east-1").get_quantum_task(quantumTaskArn=remote.remote_id)
            assert told["outputS3Bucket"] == "amazon-braket-us-east-1-123456789012"
        finally:
            await driver.aclose()

    async def test_nobody_is_there(self, emulator: Emulator):
        parameters = {**emulator.parameters, "endpoint": "http://127.0.0.1:9"}
        error = await self.failure(BraketDriver(parameters, emulator.credentials))
        assert type(error) is Unavailable
        assert "http://127.0.0.1:9" in str(error)

    @pytest.mark.parametrize(
        ("device", "kind", "words"),
        [
            (AQUILA, Rejected, "Aquila of quera runs no circuits: it takes braket.ir.ahs.program"),
            (HARMONY, NotFound, "Harmony was retired"),
            (GARNET.replace("eu-north-1", "us-east-1"), NotFound, "qpu/iqm/Garnet not found"),
            ("Garnet", NotFound, "a device is named by its ARN"),
        ],
    )
    async def test_a_device_that_cannot_be_used(
        self, driver: BraketDriver, device: str, kind: type[DriverError], words: str
    ):
        for call in (
            lambda: driver.status(device),
            lambda: driver.calibration(device),
            lambda: driver.submit(a_task(device, (0,)), "token"),
        ):
            with pytest.raises(kind, match=words):
                await call()
        assert (await driver.status(SV1)).online

    async def test_devices_that_cannot_be_used_are_not_listed(self, driver: BraketDriver):
        listed = {info.device: info for info in await driver.devices()}
        assert set(listed) == {FORTE, ARIA, GARNET, ANKAA, SV1}
        assert (listed[GARNET].provider, listed[GARNET].location) == ("iqm", "eu-north-1")
        assert (listed[GARNET].qubits, listed[ANKAA].qubits, listed[SV1].simulator) == (20, 82, True)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"shots": 20_001}, "takes 1 to 20000 shots, not 20001"),
            ({"circuits": ()}, "has no circuit"),
            ({"readout_mitigation": True}, "readoutMitigation"),
            ({"dynamical_decoupling": True}, "dynamicalDecoupling"),
        ],
    )
    async def test_what_braket_cannot_do_is_refused(self, driver: BraketDriver, changes, words: str):
        with pytest.raises(Rejected, match=words):
            await driver.submit(replace(a_task(GARNET, (0,)), **changes), "token")


async def test_what_is_too_much_for_its_tags_is_refused_before_any_of_it_runs(
    driver: Driver, emulator: Emulator
) -> None:
    with pytest.raises(Rejected, match="split the job"):
        await driver.submit(a_task(SV1, *((0,),) * 320), "token")
    assert emulator.tasks() == []
