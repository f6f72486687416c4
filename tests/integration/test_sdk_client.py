"""Clients on a store: one, several, and one whose engine dies."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from qiskit import QuantumCircuit

from qsched.engine import patience
from qsched.engine.settings import Settings
from qsched.errors import AlreadyExists, InvalidInput, JobFailed, StoreError
from qsched.sdk import Client
from qsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qsched.api.job import Result

pytestmark = pytest.mark.slow

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
FLEET = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: quick}
spec:
  driver: fake
  device: quick
  maxInFlight: 4
  parameters: &provider
    path: PATH
    devices:
      - {name: quick}
      - {name: endless, waitSeconds: 1000000, twoQubitError: 0.05}
      - {name: bad, twoQubitError: 0.06}
---
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: endless}
spec:
  driver: fake
  device: endless
  maxInFlight: 4
  parameters:
    path: PATH
    devices:
      - {name: quick}
      - {name: endless, waitSeconds: 1000000, twoQubitError: 0.05}
"""
QUICK = Settings(workers=1, status_every_s=0.2, cycle_every_s=0.5)
ENDLESS = {"backends": ["endless"]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with connect(tmp_path) as client:
        yield client


def connect(folder: Path, *, engine: bool = True) -> Client:
    fleet = folder / "fleet.yaml"
    fleet.write_text(FLEET.replace("PATH", str(folder / "provider.db")))
    return Client.local(store=folder / "qsched.db", fleet=fleet, settings=QUICK, engine=engine)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def test_jobs_of_every_form_give_their_counts(client: Client) -> None:
    first = client.submit(bell(), shots=10)
    second = client.submit([bell(), BELL], shots=10, name="two")
    assert first.result(60).circuits[0].counts == {"00": 5, "11": 5}
    assert len(second.result(60).circuits) == 2
    assert [each.name for each in second.result().circuits] == ["bell", "circuit-1"]
    assert asyncio.run(second.aresult(60)) == second.result()
    assert client.job("two").done()
    assert {each.backend for each in second.explain()} == {"quick", "endless"}


def test_a_name_is_taken_once(client: Client) -> None:
    client.submit(BELL, name="mine").result(60)
    with pytest.raises(AlreadyExists, match="mine"):
        client.submit(BELL, name="mine")
    job = client.submit(BELL).manifest()
    with pytest.raises(InvalidInput, match="name of two jobs"):
        client.submit_all([job, job])


def test_a_job_that_can_never_run_is_refused_and_not_stored(client: Client, tmp_path: Path) -> None:
    wide = QuantumCircuit(9)
    wide.measure_all()
    with pytest.raises(InvalidInput, match="needs 9 qubits"):
        client.submit(wide, name="wide")
    with pytest.raises(InvalidInput, match="line 1"):
        client.submit("OPENQASM 2.0; nonsense;", name="wrong")
    assert SqliteStore(tmp_path / "qsched.db").list() == []


def test_waiting_for_a_result_ends_in_time_and_the_job_goes_on(client: Client) -> None:
    job = client.submit(BELL, name="long", requirements=ENDLESS)
    with pytest.raises(TimeoutError, match=r"long has not ended in 0\.05 s"):
        job.result(0.05)
    with pytest.raises(TimeoutError, match=r"long has not ended in 0\.05 s"):
        asyncio.run(job.aresult(0.05))
    job.cancel()
    with pytest.raises(JobFailed, match="job long is Cancelled: cancelled by the user"):
        job.result(60)


def test_a_second_client_needs_no_engine_and_takes_over_when_the_first_closes(tmp_path: Path) -> None:
    first, second = connect(tmp_path), connect(tmp_path)
    try:
        first.submit(BELL).result(60)
        assert second.submit(BELL, name="of-second").result(60).backend == "quick"
        left = second.submit(BELL, name="left", requirements=ENDLESS)
        first.close()
        assert second.submit(BELL).result(60).backend == "quick"
        left.cancel()
        with pytest.raises(JobFailed, match="Cancelled"):
            left.result(60)
    finally:
        first.close()
        second.close()


def test_closing_leaves_jobs_for_the_next_engine(tmp_path: Path) -> None:
    with connect(tmp_path, engine=False) as client:
        client.submit(BELL, name="waits")
    with connect(tmp_path) as client:
        assert client.job("waits").result(60).backend == "quick"


def test_an_engine_that_died_is_told_of_and_not_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = client.submit(BELL, name="done")
    before: Result = done.result(60)
    monkeypatch.setattr(patience, "PATIENCE_S", (0.01,))

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(client._store, "apply", fail)
    job = client.submit(BELL, name="lost")
    with pytest.raises(StoreError, match="the disk is full"):
        job.result(60)
    with pytest.raises(StoreError, match="the disk is full"):
        client.backends()
    assert done.result() == before  # what is stored can still be read
    job.cancel()


def test_a_client_that_is_used_in_several_threads_gives_each_its_job(client: Client) -> None:
    def run(index: int) -> int:
        return sum((client.submit(BELL, shots=index + 2).result(60).circuits[0].counts or {}).values())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [index + 2 for index in range(8)]
    engines = [each for each in threading.enumerate() if each.name == "qsched-engine"]
    assert len(engines) == 1


def test_a_client_without_a_fleet_chooses_among_the_backends_of_the_running_engine(
    client: Client, tmp_path: Path
) -> None:
    client.submit(BELL, name="first").result(timeout_s=30)
    with Client.local(store=tmp_path / "qsched.db", engine=False) as second:
        assert {backend.metadata.name for backend in second.backends()} >= {"quick", "endless"}
        second.submit(BELL, name="second", requirements={"backends": ["quick"]})
        with pytest.raises(InvalidInput, match="there is no backend 'quikc'; did you mean 'quick'"):
            second.submit(BELL, requirements={"backends": ["quikc"]})
    assert client.job("second").result(timeout_s=30).backend == "quick"
