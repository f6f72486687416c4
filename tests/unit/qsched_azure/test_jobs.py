from __future__ import annotations

import uuid

import pytest

from qsched.api.job import Money
from qsched_azure.jobs import Job, Note, ids_of, job_ids, remote_id, state_of, together, total


@pytest.mark.parametrize("circuits", [1, 2, 300])
def test_a_remote_id_names_every_job_of_a_task(circuits: int) -> None:
    ids = job_ids("token", circuits)
    assert len({str(uuid.UUID(each)) for each in ids}) == circuits
    assert ids_of(remote_id(ids)) == ids
    assert ids[0] == job_ids("token", 1)[0]
    assert not set(ids) & set(job_ids("other", circuits))


@pytest.mark.parametrize("name", ["", "unknown", "6f1c", f"{uuid.UUID(int=7)}:0", f"{uuid.UUID(int=7)}:x"])
def test_another_name_names_nothing(name: str) -> None:
    assert ids_of(name) == ()


def test_a_note_is_kept_as_texts() -> None:
    note = Note(circuits=2, transpiled_hash="h", shots=100, registers=(2, 1), layout=((0, 4), (2, 1)), seed=5)
    metadata = note.metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert Note.read({**metadata, "other": "x"}) == note
    with pytest.raises(ValueError, match=r"not qsched's"):
        Note.read({"other": "x"})


@pytest.mark.parametrize(
    "changes",
    [
        {"qsched.circuits": "99999999999999999999"},
        {"qsched.circuits": "0"},
        {"qsched.registers": "[9999999999]"},
        {"qsched.registers": "[-1, 4]"},
        {"qsched.registers": "null"},
        {"qsched.layout": "[[3, 0]]"},
        {"qsched.layout": '[["0", 0]]'},
        {"qsched.layout": "[[0, 99999999999]]"},
    ],
)
def test_a_note_that_was_tampered_with_takes_no_memory(changes: dict[str, str]) -> None:
    note = Note(circuits=2, transpiled_hash="h", shots=100, registers=(2, 1), layout=((0, 4), (2, 1)))
    with pytest.raises(ValueError, match=r"."):
        Note.read({**note.metadata(), **changes})


def job(state: str, message: str = "") -> Job:
    return Job(id="id", state=state, message=message)


def test_a_state_that_is_not_known_is_no_end() -> None:
    assert [state_of(word) for word in ("Waiting", "Completed", "Contemplating", "")] == [
        "Queued",
        "Succeeded",
        "Running",
        "Running",
    ]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["Queued", "Queued"], "Queued"),
        (["Queued", "Succeeded"], "Running"),
        (["Succeeded", "Running"], "Running"),
        (["Failed", "Running"], "Running"),
        (["Succeeded", "Succeeded"], "Succeeded"),
        (["Succeeded", "Cancelled"], "Cancelled"),
        (["Failed", "Cancelled"], "Failed"),
    ],
)
def test_a_task_ends_when_all_of_its_jobs_have(states: list[str], expected: str) -> None:
    assert together([job(state) for state in states])[0] == expected


def test_a_failure_says_of_which_circuit() -> None:
    assert together([job("Succeeded"), job("Failed", "too hot")]) == ("Failed", "circuit 2 of 2: too hot")
    assert together([job("Failed", "too hot")]) == ("Failed", "too hot")
    assert "no longer in the workspace" in together([job("Succeeded"), None])[1]


def test_costs_are_added_as_decimals_of_one_currency() -> None:
    dollars = [Money(amount=amount, currency="USD") for amount in ("0.1", "0.2", "12.4166")]
    assert total(dollars) == Money(amount="12.7166", currency="USD")
    assert total([*dollars, None]) is None
    assert total([*dollars, Money(amount="1", currency="EUR")]) is None
