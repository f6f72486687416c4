"""What hostile input, files, streams and stores get: a message and an exit code, and never a hang."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.engine.results import read_bytes
from qsched.errors import InvalidInput, ResultError, StoreError
from qsched.sdk import Client
from qsched.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

QSCHED = str(Path(sys.executable).with_name("qsched"))
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q->c;'
FLEET = """
apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: perth}
spec: {driver: aer, device: DEVICE}
"""

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is no plain word."""
    path = tmp_path / "my jobs é%20"
    path.mkdir()
    return path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    fleet = folder / "fleet.yaml"
    fleet.write_text(FLEET.replace("DEVICE", "perth"))
    with Client.local(store=folder / "q.db", fleet=fleet, engine=False) as client:
        yield client


@pytest.fixture
def qsched(folder: Path) -> Run:
    def run(*words: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "XDG_DATA_HOME": str(folder), **more.pop("env", {})}
        options = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
        return subprocess.run(
            [QSCHED, *map(str, words)],
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env=environment,
            **options,
        )

    return run


def problem(client: Client, work: Any, **options: Any) -> str:
    """What is said of work that is refused, and proof that nothing of it was stored."""
    with pytest.raises(InvalidInput) as refused:
        client.submit(work, **options)
    assert not client._store.list()
    return str(refused.value)


# Places


def test_folders_whose_names_are_no_plain_words_work(folder: Path) -> None:
    fleet = folder / "fleet.yaml"
    fleet.write_text(FLEET.replace("DEVICE", "ideal"))
    path = folder / "a circuit.qpy"
    with path.open("wb") as file:
        qpy.dump(bell(), file)
    wide = QuantumCircuit(13)
    wide.h(range(13))
    wide.measure_all()
    with Client.local(store=folder / "q.db", fleet=fleet) as client:
        options = {"requirements": {"simulators": "Required"}, "shots": 2000}
        assert client.submit(path, **options).result(60).circuits[0].shots == 2000
        large = client.submit(wide, **options)
        assert len(large.result(60).circuits[0].counts or {}) > 1000
        held = large.status().result
        assert held is not None
        assert held.circuits[0].counts is None, "it was read from its file"


def test_results_go_into_a_folder_that_is_there_already(client: Client, folder: Path) -> None:
    (folder / "results here").mkdir()
    uri = (folder / "results here").as_uri()
    client.submit(BELL, name="one", result={"uri": uri})
    assert list((folder / "results here").iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file://tmp/results", "write file:///tmp/results"),
        ("memory://results", "gone with this process"),
        ("file:///tmp/a%00b", "null byte"),
        ("file:///proc/results", "no such file"),
        ("file:///etc/passwd/results", "cannot be written"),
        ("gibberish://results", "gibberish"),
    ],
)
def test_a_place_that_holds_no_result_is_refused_before_the_run(client: Client, uri: str, words: str) -> None:
    said = problem(client, BELL, result={"uri": uri})
    assert "spec.result.uri" in said
    assert words in said


def test_a_folder_of_the_results_name_is_refused(client: Client, folder: Path) -> None:
    (folder / "one.json").mkdir()
    assert "it is a folder" in problem(client, BELL, name="one", result={"uri": folder.as_uri()})


def test_circuits_are_read_from_files_only(client: Client, folder: Path) -> None:
    os.mkfifo(folder / "fifo.qpy")
    assert "a pipe or a device" in problem(client, folder / "fifo.qpy")
    with pytest.raises(ResultError, match="a pipe or a device"):
        read_bytes("file:///dev/zero")
    with pytest.raises(ResultError, match=r"write file:///tmp/a\.qasm"):
        read_bytes("file://tmp/a.qasm")


def test_a_pipe_as_calibration_takes_the_backend_out(qsched: Run, folder: Path) -> None:
    os.mkfifo(folder / "fifo.qcal.json.gz")
    (folder / "pipe.yaml").write_text(FLEET.replace("DEVICE", str(folder / "fifo.qcal.json.gz")))
    done = qsched("backends", "--fleet", folder / "pipe.yaml")
    assert done.returncode == 0
    assert b"is a pipe" in b" ".join(done.stdout.split())


# Circuits and options from Python


@pytest.mark.parametrize("length_s", [1e10, 3601.0, float("inf"), float("nan")])
def test_a_delay_that_is_no_length_of_time_is_refused(client: Client, length_s: float) -> None:
    circuit = QuantumCircuit(1)
    circuit.delay(length_s, 0, "s")
    circuit.measure_all()
    assert "delays are from 0 to 3600 s long" in problem(client, circuit)


def test_a_delay_of_ages_in_a_text_is_refused(client: Client) -> None:
    text = "OPENQASM 3.0; qubit q; bit c; delay[1000000000s] q; c = measure q;"
    assert "delays are from 0 to 3600 s long" in problem(client, text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": -1}, "spec.shots: is -1; it must be at least 1"),
        ({"objective": "fast"}, "spec.objective: 'fast' is not allowed; known here: balanced"),
        ({"requirements": {"min_fidelity": 95}}, "spec.requirements.minFidelity: is 95"),
    ],
)
def test_a_wrong_option_is_explained_as_in_a_manifest(
    client: Client, options: dict[str, Any], words: str
) -> None:
    assert words in problem(client, BELL, **options)


def test_what_is_no_job_is_refused_by_its_type(client: Client) -> None:
    assert "type is no work" in problem(client, QuantumCircuit)
    wrong: Any = bell()
    with pytest.raises(InvalidInput, match="QuantumCircuit is no QuantumCircuitJob"):
        client.submit_all([wrong])
    with pytest.raises(InvalidInput, match="QuantumCircuit is no QuantumCircuitJob"):
        client.explain(wrong)


def test_a_closed_client_says_so(client: Client) -> None:
    job = client.submit(BELL, name="one")
    client.close()
    with pytest.raises(StoreError, match="was closed"):
        job.status()


def test_a_job_that_needs_a_younger_calibration_than_any_simulator_has_is_refused(client: Client) -> None:
    said = problem(client, BELL, requirements={"max_calibration_age": "1s"})
    assert "maxCalibrationAge is 1s" in said


# Stores


def test_a_damaged_store_ends_the_engine_at_once(folder: Path, qsched: Run) -> None:
    with Client.local(store=folder / "q.db", engine=False) as client:
        client.submit(BELL, name="one")
    with sqlite3.connect(folder / "q.db") as database:
        database.execute("UPDATE declarations SET body = x'7b'")
    database.close()
    done = qsched("serve", "--store", folder / "q.db")
    assert done.returncode == 3
    assert b"job default/one" in done.stderr
    assert b"trying again" not in done.stderr + done.stdout


def test_a_store_is_not_carried_over_a_fork(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "q.db")
    child = os.fork()
    if child == 0:
        try:
            store.list()
        except StoreError:
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    store.close()


# Streams and the command line


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_traceback(folder: Path, closed: str) -> None:
    words = "run -" if closed == "<&-" else "get"
    script = f'"$QSCHED" {words} {closed}'
    environment = {**os.environ, "QSCHED": QSCHED, "XDG_DATA_HOME": str(folder)}
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, timeout=60, check=False, env=environment
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if closed == "<&-" else 0)


def test_a_full_disk_behind_the_output_is_no_traceback(qsched: Run) -> None:
    with Path("/dev/full").open("wb") as full:
        done = qsched("crds", stdout=full)
    assert done.returncode == 3
    assert done.stderr == b"the output cannot be written: No space left on device; make room for it\n"


def test_an_error_that_nobody_reads_keeps_its_exit_code(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([QSCHED, "run", folder / "none.yaml"], stderr=writer, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 2


def test_output_that_a_locale_cannot_write_is_replaced(qsched: Run) -> None:
    done = qsched("doctor", env={"PYTHONIOENCODING": "ascii"})
    assert b"Traceback" not in done.stderr
    assert b"qiskit" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["get", "--limit", "99999999999999999999"],
        ["get", b"\xff".decode(errors="surrogateescape")],
        ["get", "-n", b"\xff".decode(errors="surrogateescape")],
    ],
)
def test_odd_words_on_the_command_line_are_refused(qsched: Run, words: list[str]) -> None:
    done = qsched(*words)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_picture_that_cannot_be_written_is_an_error_like_any_other(qsched: Run) -> None:
    done = qsched("--svg", "/nonexistent/a.svg", "get")
    assert done.returncode == 3
    assert done.stderr.endswith(b"/nonexistent/a.svg: cannot write the picture: No such file or directory\n")


def test_log_lines_stay_off_standard_output() -> None:
    script = (
        "import asyncio, pathlib, structlog, sys, tempfile\n"
        "from qsched.engine.assembly import workshop\n"
        "from qsched.store import SqliteStore\n"
        "async def main():\n"
        "    folder = pathlib.Path(tempfile.mkdtemp())\n"
        "    async with workshop(SqliteStore(folder / 'q.db'), [], folder=folder):\n"
        "        structlog.get_logger().warning('something')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert done.stdout == b""
    assert b"something" in done.stderr
