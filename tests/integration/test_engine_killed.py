"""``kill -9`` of the engine at random moments: every job ends, and the provider sees none twice."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from qsched.api.base import ObjectMeta
from qsched.api.job import Circuit, JobSpec, QuantumCircuitJob
from qsched.drivers.fake import FakeDriver
from qsched.sdk import Client
from qsched.store.sqlite import SqliteStore

KILLS = 100
JOBS = 150
SEED = 20261120

FLEET = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {{name: {name}}}
spec:
  driver: fake
  device: {name}
  maxInFlight: 2
  parameters:
    path: {path}
    latencySeconds: 0.01
    lostAnswer: 0.05
    devices:
      - {{name: left, runSeconds: 0.3, waitSeconds: 0.1}}
      - {{name: right, runSeconds: 0.2, waitSeconds: 0.2, twoQubitError: 0.012}}
"""
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_job_ends_once_although_the_engine_is_killed_a_hundred_times(tmp_path: Path) -> None:
    store, fleet, provider = tmp_path / "qsched.db", tmp_path / "fleet.yaml", tmp_path / "provider.db"
    fleet.write_text("---\n".join(FLEET.format(name=name, path=provider) for name in ("left", "right")))
    jobs = [
        QuantumCircuitJob(
            metadata=ObjectMeta(name=f"job-{index}"),
            spec=JobSpec(circuits=[Circuit(name="bell", qasm=BELL)], shots=10, backoff_limit=50),
        )
        for index in range(JOBS)
    ]
    with Client.local(store=store, fleet=fleet, engine=False) as client:
        client.submit_all(jobs)

    rng = random.Random(SEED)
    for _ in range(KILLS):
        engine = _serve(store, fleet)
        time.sleep(rng.uniform(0.0, 1.5))  # the moment is the experiment, not a wait for something
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    phases = _run_to_the_end(store, fleet)

    assert phases == {"Complete": JOBS}
    seen = Counter(each.tags["qsched-job"] for each in FakeDriver({"path": str(provider)}).submissions())
    assert seen == {f"default/job-{index}": 1 for index in range(JOBS)}


def _serve(store: Path, fleet: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "qsched.cli", "serve", "--store", str(store), "--fleet", str(fleet)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run_to_the_end(store_path: Path, fleet: Path) -> Counter[str]:
    engine, store = _serve(store_path, fleet), SqliteStore(store_path)
    try:
        while any(job.finished_at is None for job in store.list(limit=2 * JOBS)):
            assert engine.poll() is None, "the engine ended by itself"
            time.sleep(0.1)
        return Counter(job.phase for job in store.list(limit=2 * JOBS))
    finally:
        store.close()
        engine.terminate()
        engine.wait(timeout=20)
