"""Every example does what its first lines promise, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
QSCHED = str(Path(sys.executable).with_name("qsched"))

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user without data of their own."""
    return {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "COLUMNS": "120"}


def call(*words: object, env: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=240, check=False, env=env
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_manifests_run_together(environment: dict[str, str]) -> None:
    files = [EXAMPLES / f"{name}.yaml" for name in ("ghz", "qft", "fallback", "deadline", "budget")]
    jobs = {
        job["metadata"]["name"]: job
        for job in json.loads(call(QSCHED, "run", "-o", "json", *files, env=environment))
    }
    assert {job["status"]["phase"] for job in jobs.values()} == {"Complete"}

    def top(name: str) -> str:
        counts = jobs[name]["status"]["result"]["circuits"][0]["counts"]
        return max(counts, key=counts.get)

    assert top("ghz") in {"00000", "11111"}
    assert top("qft") == "0101"
    assert top("deadline") == "1011"
    assert jobs["fallback"]["status"]["result"]["backend"] == "brisbane"
    assert float(jobs["budget"]["status"]["result"].get("cost", {"amount": "0"})["amount"]) <= 0.10


def test_explaining_a_manifest_stores_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    picture = tmp_path / "why.png"
    shown = call(QSCHED, "explain", "--dry-run", EXAMPLES / "qft.yaml", "--plot", picture, env=environment)
    assert " wins: " in shown.splitlines()[0]
    assert "Cannot take this job" in shown
    assert "lacks the label technology=superconducting" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert call(QSCHED, "get", "-o", "name", env=environment) == ""


def test_the_ten_line_example_prints_counts_and_reasons(environment: dict[str, str]) -> None:
    shown = call(sys.executable, EXAMPLES / "sdk_quickstart.py", env=environment)
    assert shown.startswith("ran on ")
    assert "'111'" in shown
    assert len(shown.splitlines()) >= 10


def test_the_optimiser_beats_chance(environment: dict[str, str]) -> None:
    shown = call(sys.executable, EXAMPLES / "qaoa_maxcut.py", "3", env=environment)
    last_step = shown.splitlines()[-2]
    assert float(last_step.split("mean cut ")[1].split()[0]) > 3.1
    assert "cut 5 of at most 5 edges" in shown


def test_the_batch_prints_a_line_for_each_circuit(environment: dict[str, str]) -> None:
    lines = call(sys.executable, EXAMPLES / "batch.py", "6", env=environment).splitlines()
    assert len(lines) == 7
    assert sum(int(place.rsplit(": ")[1]) for place in lines[-1].split(", ")) == 6


def test_the_demo_ends_with_jobs_on_four_backends(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "30 jobs: 30 complete" in done.stdout
    assert "as a stand-in for torino" in done.stdout
    for picture in ("explanation.png", "counts.png"):
        assert (tmp_path / "demo-output" / picture).read_bytes().startswith(b"\x89PNG")
