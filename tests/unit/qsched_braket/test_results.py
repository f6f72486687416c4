from __future__ import annotations

import json

import pytest

from qsched.drivers import Unavailable
from qsched_braket.results import read_results
from qsched_braket.tags import Part

# Qubits 3, 5 and 9 hold bits 2, 0 and 1 of registers of two bits and two, of which bit 3 is not measured.
PART = Part("token", 0, "digest", ((3, 2), (5, 0), (9, 1)), (2, 2))


def results(**content: object) -> bytes:
    metadata = {"id": "it", "shots": 4, "deviceId": "d", "endedAt": "2026-05-01T10:00:00.500Z"}
    return json.dumps({"taskMetadata": metadata, "additionalMetadata": {}, **content}).encode()


def test_bits_go_to_their_registers():
    shots = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    outcome = read_results(results(measurements=shots, measuredQubits=[3, 5, 9]), PART, arn="it")
    assert outcome.counts == {"01 00": 2, "00 01": 1, "00 10": 1}
    assert outcome.shots == 4
    assert outcome.ended_at.isoformat() == "2026-05-01T10:00:00.500000+00:00"


def test_the_order_of_qubits_is_the_devices():
    outcome = read_results(results(measurements=[[0, 0, 1]], measuredQubits=[9, 5, 3]), PART, arn="it")
    assert outcome.counts == {"01 00": 1}


def test_qubits_may_have_other_numbers_of_the_same_order():
    outcome = read_results(results(measurements=[[0, 0, 1]], measuredQubits=[2, 1, 0]), PART, arn="it")
    assert outcome.counts == {"01 00": 1}


def test_a_device_may_measure_more_than_was_asked_for():
    told = results(measurements=[[1, 1, 0, 0]], measuredQubits=[0, 3, 5, 9])
    assert read_results(told, PART, arn="it").counts == {"01 00": 1}


def test_probabilities_are_counts_of_the_shots():
    told = results(measurementProbabilities={"100": 0.75, "010": 0.25, "111": 0.0}, measuredQubits=[3, 5, 9])
    outcome = read_results(told, PART, arn="it")
    assert outcome.counts == {"01 00": 3, "00 01": 1}
    assert outcome.shots == 4


def test_shots_that_are_missing_are_not_made_up():
    outcome = read_results(results(measurements=[[0, 0, 0]], measuredQubits=[3, 5, 9]), PART, arn="it")
    assert (outcome.shots, sum(outcome.counts.values())) == (1, 1)


def test_a_simulator_tells_how_long_it_took():
    metadata = {"simulatorMetadata": {"executionDuration": 1500}}
    told = results(measurements=[[0, 0, 0]], measuredQubits=[3, 5, 9], additionalMetadata=metadata)
    assert read_results(told, PART, arn="it").run_s == 1.5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"measurements": [[0,',
        results(),
        results(measurements=[[0, 1]], measuredQubits=[3, 5]),
        results(measurements=[[0, 1]], measuredQubits=[3, 5, 9]),
        results(measurements="many"),
        results(measurements=[[0, 1, 12]], measuredQubits=[3, 5, 9]),
        results(measurements=[[0, 1, -1]], measuredQubits=[3, 5, 9]),
        results(measurements=[[0, 1, 0], [0, 1, 0, 1]], measuredQubits=[3, 5, 9]),
        results(measurementProbabilities={"01x": 1.0}, measuredQubits=[3, 5, 9]),
        results(measurementProbabilities={"010": -1.0}, measuredQubits=[3, 5, 9]),
        results(measurementProbabilities={"010": 1e999}, measuredQubits=[3, 5, 9]),
    ],
)
def test_a_damaged_file_is_told_of(body: bytes):
    with pytest.raises(Unavailable, match="the results of the-task cannot be read"):
        read_results(body, PART, arn="the-task")
