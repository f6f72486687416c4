"""The real ``qsched`` in a process of its own: exit codes, signals, pipes, and what it imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

QSCHED = str(Path(sys.executable).with_name("qsched"))
HEAVY = ("numpy", "qiskit", "matplotlib", "asyncio", "yaml", "qsched.engine", "qsched.fleet")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user without data of their own."""
    return {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}


def qsched(*words: object, env: dict[str, str], program: str = QSCHED) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, env=env
    )


def test_a_new_user_has_no_jobs_and_no_errors(environment: dict[str, str]) -> None:
    done = qsched("get", env=environment)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no jobs" in done.stderr


def test_kubectl_finds_the_same_program(environment: dict[str, str]) -> None:
    done = qsched("--version", env=environment, program=QSCHED.replace("qsched", "kubectl-qsched"))
    assert done.stdout.startswith("qsched ")


def test_bad_input_exits_2_with_a_message_and_no_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "apiVersion: qsched.io/v1alpha1\nkind: QuantumCircuitJob\nmetadata: {name: a}\nspce: {}\n"
    )
    done = qsched("run", wrong, env=environment)
    assert done.returncode == 2
    assert f"{wrong}:4" in done.stderr
    assert "spec" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error_message(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [QSCHED, "crds"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.slow
def test_an_interrupt_ends_the_daemon_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [QSCHED, "serve", "--store", str(tmp_path / "q.db")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        assert "working on" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in {0, 130}
        assert "Traceback" not in process.stderr.read()


def heed_interrupts() -> None:
    """A shell starts its background jobs, and so perhaps this test run, deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
def test_an_interrupted_run_leaves_its_job_in_the_store(environment: dict[str, str], tmp_path: Path) -> None:
    circuit = tmp_path / "bell.qasm"
    circuit.write_text(
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q;\nmeasure q -> c;\n'
    )
    with subprocess.Popen(
        [QSCHED, "run", str(circuit)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - no thread of this test holds a lock
    ) as process:
        assert process.stderr is not None
        name = process.stderr.readline().split()[0]
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "jobs that were submitted stay stored" in said
    assert "Traceback" not in said
    assert qsched("get", "-o", "name", env=environment).stdout.split() == [name]


def test_listing_jobs_imports_nothing_heavy(environment: dict[str, str]) -> None:
    program = (
        "import sys\nfrom qsched.cli.app import app\n"
        "try: app(['get'])\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == "[]"


def test_colours_are_for_terminals(environment: dict[str, str]) -> None:
    plain = qsched("doctor", env=environment)
    assert "\x1b[" not in plain.stdout
