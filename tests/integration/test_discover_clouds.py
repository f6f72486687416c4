"""What ``qsched discover`` makes of each cloud, through its own client."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from qsched.api.backend import QuantumBackend
from qsched.api.manifest import read_manifest_file
from qsched.cli.app import app
from qsched.cli.commands.emulator import _lines
from qsched.presets.pricing import price_of
from qsched_emulators.control import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

pytestmark = pytest.mark.slow

CLOUDS = ("ibm", "braket", "azure")


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator.start(request.param) as emulator:
        yield emulator


@pytest.fixture
def here(cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An account in the environment, and a folder without any."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def discover(cloud: Emulator, *words: object) -> Result:
    given = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in cloud.parameters.items()
    ]
    return run("discover", cloud.name, *(word for each in given for word in ("-p", each)), *words)


def test_an_account_becomes_a_fleet_that_works(cloud: Emulator, here: Path) -> None:
    file = here / "fleet.yaml"
    done = discover(cloud, "-o", file)
    assert done.exit_code == 0, done.stderr
    backends = [each for each in read_manifest_file(file) if isinstance(each, QuantumBackend)]
    assert len(backends) >= 3
    for backend in backends:
        assert backend.metadata.name in done.stdout
        assert backend.metadata.labels["vendor"]
        assert backend.spec.parameters == cloud.parameters
        assert price_of(backend.spec).preset is not None, backend.spec.device

    listed = run("--fleet", file, "--store", here / "jobs.db", "backends", "-o", "json")
    states = {
        each["metadata"]["name"]: each["status"]["conditions"][0]["reason"]
        for each in json.loads(listed.stdout)
    }
    assert states == {backend.metadata.name: "Answering" for backend in backends}


def test_the_printed_commands_work(cloud: Emulator, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    what = {"name": cloud.name, "url": cloud.url, "devices": [], "environment": {}}
    printed = _lines({**what, "parameters": cloud.parameters})
    for line in printed[-3:-1]:
        assert run("--store", "jobs.db", *shlex.split(line)[1:]).exit_code == 0, line


def test_no_credential_is_shown_or_written(cloud: Emulator, here: Path) -> None:
    secret, file = here / "secret.json", here / "fleet.yaml"
    secret.write_text(json.dumps(cloud.credentials))
    done = discover(cloud, "--credentials", secret, "-o", file)
    assert done.exit_code == 0, done.stderr
    for shown in (done.stdout, done.stderr, file.read_text()):
        for value in cloud.credentials.values():
            assert value not in shown


def test_wrong_credentials_are_one_clear_line(cloud: Emulator, here: Path) -> None:
    secret = here / "secret.json"
    secret.write_text(json.dumps(dict.fromkeys(cloud.credentials, "planted-4711-wrong")))
    done = discover(cloud, "--credentials", secret)
    assert done.exit_code in {2, 3}
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "planted-4711-wrong" not in line
