"""``qsched extender``: what it refuses, and how it lives without a cluster."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from qsched_extender.app import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "qsched.cli", "extender"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--listen 0.0.0.0:0",
            "can be reached from other machines: give --tls-cert, --tls-key and --client-ca",
        ),
        ("--listen [::]:0 --tls-cert a --tls-key b", "can be reached from other machines"),
        ("--tls-cert a", "--tls-cert and --tls-key belong together"),
        ("--client-ca a", "--client-ca needs TLS"),
        ("--tls-cert a --tls-key b", "the TLS files a, b cannot be used"),
        ("--nodes-min 40", "--nodes-min 40 is above --nodes-max 32"),
        ("--listen 8888", "'8888' is no address to listen on"),
        ("--listen 127.0.0.1:0 --kubeconfig nowhere.yaml", "the cluster's configuration cannot be read"),
    ],
)
def test_what_it_cannot_run_with(options: str, words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *options.split()], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """The configuration of a cluster that does not answer."""
    path = tmp_path / "kubeconfig"
    named = {"name": "x"}
    path.write_text(
        yaml.safe_dump(
            {
                "clusters": [named | {"cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [named | {"user": {}}],
                "contexts": [named | {"context": {"cluster": "x", "user": "x"}}],
                "current-context": "x",
            }
        )
    )
    return path


@pytest.fixture
def running(kubeconfig: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that answers, and its port."""
    command = [*COMMAND, "--kubeconfig", str(kubeconfig), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(each for each in process.stderr if "answering on" in each)
        yield process, int(line.partition("127.0.0.1:")[2].partition(";")[0])
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_without_a_cluster_it_answers_that_it_cannot_yet_and_ends_when_told(
    running: tuple[subprocess.Popen[str], int], end: signal.Signals
) -> None:
    process, port = running
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = json.dumps({"Pod": {"metadata": {"name": "p"}}, "NodeNames": ["n"]})
    statuses = {}
    for verb in VERBS:
        client.request("POST", f"/{verb}", body)
        answer = client.getresponse()
        statuses[verb] = answer.status
        read = answer.read().decode()
        assert "nodes, quantumbackends, quantumcircuitjobs not listed yet" in read
    assert statuses == {"filter": 200, "prioritize": 503, "preempt": 503}
    for path, status in {"/healthz": 200, "/readyz": 503, "/metrics": 200}.items():
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        assert (path, answer.status) == (path, status)
    client.close()
    process.send_signal(end)
    assert process.wait(timeout=20) == 0
