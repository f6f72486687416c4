from __future__ import annotations

import json

import pytest

from qsched.drivers import NoCalibration
from qsched_aer.snapshots import _ibm_snapshots, load_snapshot
from qsched_ibm.devices import calibration, device_info, device_status


@pytest.fixture
def lagos() -> tuple[dict, dict]:
    """Configuration and properties as the service tells them."""
    folder = _ibm_snapshots()["lagos"]
    return tuple(json.loads((folder / f"{what}_lagos.json").read_bytes()) for what in ("conf", "props"))


def test_a_device_says_how_it_is():
    told = {"state": True, "status": "active", "message": "", "length_queue": 3}
    status = device_status("ibm_x", told)
    assert (status.online, status.queue_depth, status.message) == (True, 3, "")


def test_an_unknown_queue_is_not_an_empty_one():
    assert device_status("ibm_x", {"state": True, "status": "active"}).queue_depth is None
    assert device_status("ibm_x", {"state": True, "status": "active", "length_queue": -1}).queue_depth is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"state": False, "status": "maintenance", "message": "back on Monday"},
            "maintenance: back on Monday",
        ),
        ({"state": True, "status": "internal"}, "internal"),
        ({"state": False}, "ibm_x is offline"),
        ({}, "ibm_x is offline"),
    ],
)
def test_a_device_that_runs_no_jobs_is_offline_and_says_why(told, words):
    status = device_status("ibm_x", told)
    assert not status.online
    assert words in status.message


def test_a_calibration_is_that_of_the_snapshot(lagos):
    configuration, properties = lagos
    made = calibration("lagos", configuration, properties)
    assert made == load_snapshot("lagos")


def test_a_faulty_qubit_or_gate_is_dead_whatever_its_figures(lagos):
    configuration, properties = lagos
    off = {"name": "operational", "value": 0, "unit": ""}
    properties["qubits"][3].append(off)
    coupler = next(each for each in properties["gates"] if each["gate"] == "cx" and each["qubits"] == [0, 1])
    coupler["parameters"].append(off)
    made = calibration("lagos", configuration, properties)
    pairs = [tuple(pair) for pair in made.couplers.tolist()]
    dead = {pair for pair, error in zip(pairs, made.gate2_error.tolist(), strict=True) if error == 1.0}
    assert dead == {pair for pair in pairs if 3 in pair or pair == (0, 1)}
    assert made.gate1_error[3] == 1.0


def test_a_device_without_properties_has_no_calibration(lagos):
    configuration, properties = lagos
    for conf, props in (
        (configuration, {}),
        ({**configuration, "simulator": True}, properties),
        (configuration, {"qubits": "seven"}),
        ({}, properties),
    ):
        with pytest.raises(NoCalibration, match="lagos"):
            calibration("lagos", conf, props)


def test_a_device_of_the_list_is_described():
    entry = {
        "name": "ibm_x",
        "qubits": 156,
        "status": {"name": "offline", "reason": "?"},
        "processor_type": {"family": "Heron", "revision": "2"},
    }
    info = device_info(entry, "us-east")
    assert (info.device, info.qubits, info.simulator) == ("ibm_x", 156, False)
    assert info.description == "Heron 2 processor, offline"
    assert (info.provider, info.location) == ("ibm", "us-east")
    assert device_info({"name": "bare"}, "").description == ""
