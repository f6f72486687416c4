from __future__ import annotations

import datetime as dt
import json

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit_ibm_runtime import RuntimeEncoder

from qsched.drivers import Unavailable
from qsched_ibm.results import has_notes, job_state, job_status, last_words, task_result
from qsched_ibm.submission import MARK

NOTES = {MARK: {"hash": "abc", "registers": ["left", "right"]}}
METRICS = {
    "timestamps": {"running": "2026-01-02T03:04:05.5Z", "finished": "2026-01-02T04:04:06+01:00"},
    "usage": {"quantum_seconds": 2, "qpu_charge_time_seconds": 3.5, "status": "final"},
}


def output(metadata: dict) -> str:
    """Two registers that were handed back in the wrong order."""
    data = DataBin(
        shape=(),
        right=BitArray.from_samples(["1", "1", "0"], num_bits=1),
        left=BitArray.from_samples(["01", "01", "10"], num_bits=2),
    )
    return json.dumps(
        PrimitiveResult([SamplerPubResult(data, metadata={"circuit_metadata": metadata})]), cls=RuntimeEncoder
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": "Queued"}, "Queued"),
        ({"status": "Running"}, "Running"),
        ({"status": "Completed"}, "Succeeded"),
        ({"status": "FAILED"}, "Failed"),
        ({"status": "Cancelled"}, "Cancelled"),
        ({"status": "Cancelled", "reason_code": 1305}, "Failed"),
        ({"status": "Cancelled", "reasonCode": 1305}, "Failed"),
        ({"status": "Contemplating"}, "Running"),
        ({}, "Running"),
    ],
)
def test_a_state_of_ibms_is_one_of_qscheds(state, expected):
    assert job_state({"id": "j", "state": state}) == expected


def test_a_failed_job_says_why():
    state = {"status": "Failed", "reason": "The circuit is too long", "reason_code": 8079}
    assert job_status({"id": "j", "state": state}).message == "The circuit is too long (code 8079)"
    assert job_status({"id": "j", "state": {"status": "Failed"}}).message == ""
    assert job_status({"id": "j", "state": {"status": "Running", "reason": "because"}}).message == ""
    assert last_words("Traceback:\n  File x\nValueError: no\n\n") == "ValueError: no"
    assert last_words("") == "IBM Quantum gives no reason"


def test_registers_are_in_the_circuits_order_whatever_the_answers_order():
    result = task_result("j", output(NOTES), METRICS)
    assert result.counts == ({"1 01": 2, "0 10": 1},)
    assert result.shots == (3,)
    assert result.transpiled_hashes == ("abc",)


def test_times_are_utc_and_usage_is_what_is_billed():
    result = task_result("j", output(NOTES), METRICS)
    assert result.started_at == dt.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=dt.UTC)
    assert result.finished_at == dt.datetime(2026, 1, 2, 3, 4, 6, tzinfo=dt.UTC)
    assert result.finished_at.tzinfo is dt.UTC
    assert result.run_s == 3.5
    assert result.cost is None


def test_usage_that_is_not_counted_yet_is_unknown():
    assert task_result("j", output(NOTES), {"usage": {"seconds": 0, "status": "pending"}}).run_s is None
    assert task_result("j", output(NOTES), {}).run_s is None


def test_notes_that_did_not_come_back_are_read_from_the_circuits():
    assert has_notes(output(NOTES))
    assert not has_notes(output({}))
    circuit = QuantumCircuit(3, metadata=NOTES)
    assert task_result("j", output({}), METRICS, [circuit]).transpiled_hashes == ("abc",)


@pytest.mark.parametrize("text", ["", "Traceback", "{}", output(NOTES)[:-20], output({})])
def test_what_is_no_whole_result_is_not_taken_for_one(text):
    with pytest.raises(Unavailable, match="IBM job j"):
        task_result("j", text, METRICS)
