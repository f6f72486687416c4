"""The program of a task's pod, against a server that answers as an API server would."""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import trustme
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Task, TaskCircuit
from qsched.drivers.contract import ended
from qsched_aer import AerDriver
from qsched_aer.parcel import pack, unpack_result
from qsched_aer.simulate import Limits
from qsched_aer.task import Surroundings, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Server:
    """Gives the answers that it was told to, then says that all is well."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.crt"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PATCH(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, dict(self.headers), body))
                status, said = outer.answers.pop(0) if outer.answers else (200, b"{}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "namespace").write_text("qsched-system")
    return Surroundings(task=tmp_path / "task", api=tmp_path, message=tmp_path / "message")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def run(server: Server, around: Surroundings) -> int:
    address = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    return main(["aer-1"], address, around)


def noisy() -> Task:
    circuit = QuantumCircuit(5, 5)
    for qubit in range(5):
        circuit.sx(qubit)
    circuit.measure(range(5), range(5))
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    it = TaskCircuit(name="it", qpy=buffer.getvalue(), transpiled_hash="abc")
    return Task(device="vigo", circuits=(it, it), shots=500, seed=3, readout_mitigation=True)


def place(task: Task, around: Surroundings) -> None:
    around.task.write_bytes(pack(task, "aer-1", Limits(threads=1, memory_mb=512)).data)


def refusal(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


async def test_the_result_is_the_one_of_the_embedded_driver(server, around):
    place(noisy(), around)
    assert run(server, around) == 0
    ((path, headers, body),) = server.asked
    assert path == "/api/v1/namespaces/qsched-system/secrets/aer-1"
    assert headers["Authorization"] == "Bearer a-token"
    data = json.loads(body)["data"]
    assert data["task"] is None
    here = unpack_result(base64.b64decode(data["result"]))
    driver = AerDriver({"workers": 1, "threads": 1})
    remote = await driver.submit(noisy(), "1")
    await ended(driver, remote.remote_id)
    there = await driver.result(remote.remote_id)
    await driver.aclose()
    assert (here.remote_id, here.counts, here.shots) == (there.remote_id, there.counts, there.shots)
    assert here.run_s == there.run_s
    assert here.transpiled_hashes == there.transpiled_hashes
    assert here.started_at < here.finished_at


def test_a_server_that_is_busy_is_asked_again(server, around):
    place(noisy(), around)
    server.answers = [(500, b"oops"), (403, refusal("no role yet"))]
    assert run(server, around) == 0
    assert len(server.asked) == 3
    assert len({body for _, _, body in server.asked}) == 1


def test_a_refusal_is_told_in_words(server, around, capsys):
    place(noisy(), around)
    server.answers = [(404, refusal('secrets "aer-1" not found'))]
    assert run(server, around) == 1
    words = around.message.read_text()
    assert words == (
        "the result could not be written into Secret 'aer-1': "
        'the API server answers 404: secrets "aer-1" not found'
    )
    assert words in capsys.readouterr().err


def test_a_task_that_cannot_be_read_is_told_in_words(server, around):
    around.task.write_bytes(b"nonsense")
    assert run(server, around) == 1
    assert "the task cannot be read" in around.message.read_text()
    assert server.asked == []


def test_a_fault_of_ours_is_told_with_its_name_and_logged(server, around, capsys):
    around.task.mkdir()
    assert run(server, around) == 1
    assert around.message.read_text().startswith("the task failed: IsADirectoryError: ")
    assert "Traceback" in capsys.readouterr().err


def test_the_pod_that_stands_in_for_an_evicted_one_finds_the_work_done(server, around):
    assert run(server, around) == 0
    assert server.asked == []
