from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import Result

from qsched.api.backend import QuantumBackend, Window
from qsched.api.base import Name
from qsched.api.check import check
from qsched.api.manifest import read_manifests
from qsched.cli.discovery import Discovered, ask_devices
from qsched.cli.discovery_inputs import read_credentials, read_output, read_parameter_options
from qsched.cli.discovery_manifests import backend_names, backends_of, fleet_file
from qsched.cli.render_discovery import device_state, discovery_table
from qsched.drivers import DeviceInfo, DeviceStatus, NotFound, RateLimited, Unavailable
from qsched.drivers.fake import FakeDriver
from qsched.errors import InvalidInput

Command = Callable[..., Result]
Show = Callable[..., str]

FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
WEEKDAYS = Window(days=["Mon", "Tue"], start="13:00", end="20:30")
SECRET = "hunter2-planted"


def reached(device: str, **fields: Any) -> Discovered:
    info = {"qubits": 36, "simulator": False} | fields.pop("info", {})
    return Discovered(DeviceInfo(device=device, **info), **{"status": DeviceStatus(online=True)} | fields)


class Cloud(FakeDriver):
    """A provider of whose devices some answer badly."""

    def __init__(self) -> None:
        names = ("good", "down", "retired", "odd", "busy")
        super().__init__({"devices": [{"name": name} for name in names]})
        self.set_online("down", False)
        self.put_off = 2

    async def status(self, device: str) -> DeviceStatus:
        if device == "retired":
            raise NotFound("retired is no longer offered; name another device")
        if device == "odd":
            raise KeyError("paradigm")
        if device == "busy" and self.put_off:
            self.put_off -= 1
            raise RateLimited("too many requests", 0.0)
        return await super().status(device)

    async def calibration(self, device: str) -> Any:
        if device == "down":
            raise Unavailable("down answers nothing")
        return await super().calibration(device)


async def test_every_device_is_listed_and_one_that_fails_holds_no_other_up(show: Show, now: Any) -> None:
    driver = Cloud()
    found = {each.info.device: each for each in await ask_devices(driver)}
    await driver.aclose()

    assert found["good"].trouble == ""
    assert found["good"].calibrated_at is not None
    assert found["busy"].trouble == ""
    assert found["down"].usable
    assert found["down"].trouble == "down answers nothing"
    assert not found["retired"].usable
    assert found["odd"].trouble == "the driver failed: KeyError: 'paradigm'"

    devices = list(found.values())
    shown = show(discovery_table(devices, backends_of("fake", {}, devices), now), width=140)
    assert "retired is no longer offered" in shown
    assert shown.count("see below") == 2
    assert "down is offline" in shown
    assert "ready" in shown


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (DeviceStatus(online=True, queue_depth=0), "ready"),
        (DeviceStatus(online=True, queue_depth=4001), "ready, 4,001 queued"),
        (DeviceStatus(online=True), "ready, queue unknown"),
        (DeviceStatus(online=True, queue_wait_s=90.0), "ready, about 1.5 min to wait"),
        (DeviceStatus(online=True, queue_wait_s=0.0), "ready"),
        (DeviceStatus(online=False, message="in maintenance"), "in maintenance"),
        (DeviceStatus(online=False), "offline"),
    ],
)
def test_a_device_is_shown_as_it_is_now(status: DeviceStatus, said: str) -> None:
    assert device_state(reached(FORTE, status=status)).plain == said


@pytest.mark.parametrize(
    ("driver", "device", "name"),
    [
        ("ibm", "ibm_torino", "ibm-torino"),
        ("braket", FORTE, "braket-ionq-forte-1"),
        ("braket", "arn:aws:braket:::device/quantum-simulator/amazon/sv1", "braket-simulator-amazon-sv1"),
        ("azure", "quantinuum.qpu.h2-1", "azure-quantinuum-h2-1"),
        ("azure", "quantinuum.sim.h2-1e", "azure-quantinuum-sim-h2-1e"),
        ("aer", "torino", "aer-torino"),
        ("fake", "fake", "fake"),
        ("fake", "QPU", "fake-qpu"),
    ],
)
def test_a_name_is_made_of_the_driver_and_the_device(driver: str, device: str, name: str) -> None:
    assert backend_names(driver, [device]) == [name]


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=8))
def test_names_are_unique_and_kubernetes_takes_them(devices: list[str]) -> None:
    names = backend_names("braket", devices)
    assert len(set(names)) == len(devices)
    assert all(check(name, Name) == name for name in names)


def test_a_manifest_says_what_the_device_tells_and_no_price() -> None:
    device = reached(
        FORTE,
        info={"provider": "IonQ Inc.", "location": "us-east-1", "description": "trapped\nions"},
        status=DeviceStatus(online=False, windows=(WEEKDAYS,)),
    )
    (backend,) = backends_of("braket", {"region": "us-east-1"}, [device])
    text = fleet_file([backend], [device], command="qsched discover braket")
    assert read_manifests(text, "fleet") == [backend]
    assert backend.metadata.labels == {"vendor": "ionq-inc", "driver": "braket", "kind": "qpu"}
    assert backend.spec.device == FORTE
    assert backend.spec.parameters == {"region": "us-east-1"}
    assert backend.spec.location == "us-east-1"
    assert backend.spec.windows == [WEEKDAYS]
    assert backend.spec.pricing is None
    assert "# price: USD 0.30/task + 0.08/shot (preset of " in text
    assert "36 qubits, trapped ions" in text


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=3), st.text(max_size=80))
def test_whatever_a_provider_writes_the_file_reads_back(devices: list[str], words: str) -> None:
    found = [reached(name, info={"description": words, "provider": words}, trouble=words) for name in devices]
    backends = backends_of("acme", {}, found)
    assert read_manifests(fleet_file(backends, found, command="qsched discover acme"), "f") == backends


def test_a_fleet_is_written_and_works(qsched: Command, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    option = f"devices={json.dumps([{'name': 'Alpha_1', 'queueDepth': 3}, {'name': 'beta'}])}"
    done = qsched("discover", "fake", "--parameter", option, "--output", file)
    assert done.exit_code == 0
    assert "ready, 3 queued" in done.stdout
    assert "wrote 2 backends" in done.stderr

    listed = qsched("--fleet", file, "--store", tmp_path / "jobs.db", "backends", "-o", "json")
    backends = json.loads(listed.stdout)
    assert [backend["metadata"]["name"] for backend in backends] == ["fake-alpha-1", "fake-beta"]
    assert backends[0]["status"]["conditions"][0]["reason"] == "Answering"


def test_manifests_are_printed_for_programs(qsched: Command) -> None:
    (backend,) = read_manifests(qsched("discover", "fake", "-o", "yaml").stdout, "stdout")
    assert isinstance(backend, QuantumBackend)
    assert qsched("-o", "name", "discover", "fake").stdout == "fake\n"
    assert json.loads(qsched("discover", "fake", "-o", "json").stdout)[0]["spec"] == {
        "driver": "fake",
        "device": "fake",
    }


def test_credentials_reach_the_driver_and_nothing_else(qsched: Command, tmp_path: Path) -> None:
    secrets, file = tmp_path / "secret.yaml", tmp_path / "fleet.yaml"
    secrets.write_text(f"key: {SECRET}\n")
    options = ["discover", "fake", "-p", f"key={SECRET}-not"]
    refused = qsched(*options, "--credentials", secrets)
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr.count("\n") == 1

    secrets.write_text(f"key: {SECRET}-not\n")
    done = qsched("discover", "fake", "--credentials", secrets, "-o", file)
    assert done.exit_code == 0
    for text in (done.stdout, done.stderr, file.read_text(), refused.stderr):
        assert SECRET not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["fak"], "did you mean 'fake'?"),
        (["fake", "-p", "nonsense"], "write NAME=VALUE"),
        (["fake", "-p", "colour=red"], "no parameter 'colour'"),
        (["fake", "-o", "yml"], "end its name in .yaml"),
        (["fake", "-o", "absent/fleet.yaml"], "cannot be written"),
        (["fake", "--credentials", "absent.yaml"], "absent.yaml: cannot be read"),
        (["fake", "-p", "devices=[]"], "reaches no device that takes tasks"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(qsched: Command, options: Sequence[str], said: str) -> None:
    done = qsched("discover", *options)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_parameters_are_read_as_a_manifest_would_have_them() -> None:
    assert read_parameter_options(
        ["region=us-east-1", "workers=4", "cache=false", 'tags=["a"]', "x=a=b"]
    ) == {
        "region": "us-east-1",
        "workers": 4,
        "cache": False,
        "tags": ["a"],
        "x": "a=b",
    }
    with pytest.raises(InvalidInput) as caught:
        read_parameter_options(["=1", "a={", "b=.nan"])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("text", ["- {}\n", "key: [{}]\n", "key: {{ {}\n", "key: 1{}e\n\x00", "{}", "1: {}"])
def test_a_file_without_credentials_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(text.format(SECRET))
    with pytest.raises(InvalidInput) as caught:
        read_credentials(file)
    assert SECRET not in str(caught.value)
    assert "holds no credentials" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_of_manifests_is_told_from_a_format() -> None:
    assert read_output(None) == (None, None)
    form, file = read_output("yaml")
    assert (form, file) == ("yaml", None)
    assert read_output("fleet.yaml") == (None, Path("fleet.yaml"))
