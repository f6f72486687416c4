from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched_azure.jobs import Note
from qsched_azure.results import counts

IONQ, HONEYWELL, QUIL = "ionq.quantum-results.v1", "honeywell.quantum-results.v1", "rigetti.quil-results.v1"


def note(*layout: tuple[int, int], shots: int = 100, registers: tuple[int, ...] = (2, 1)) -> Note:
    return Note(circuits=1, transpiled_hash="h", shots=shots, registers=registers, layout=layout)


def test_all_formats_give_the_same_keys() -> None:
    crossed = note((0, 2), (1, 1), (2, 0))  # bit 0 is read from position 2, and so on
    ionq = {"histogram": {"4": 0.75, "3": 0.25}}
    quil = {"ro": [[0, 0, 1]] * 75 + [[1, 1, 0]] * 25}
    honeywell = {"c0": ["001"] * 75 + ["110"] * 25, "access_token": "x"}
    expected = {"0 01": 75, "1 10": 25}
    assert counts(json.dumps(ionq).encode(), IONQ, crossed, seed=None) == expected
    assert counts(json.dumps(quil).encode(), QUIL, crossed, seed=None) == expected
    straight = note((0, 0), (1, 1), (2, 2))
    assert counts(json.dumps(honeywell).encode(), HONEYWELL, straight, seed=None) == expected


def test_bits_that_are_not_measured_read_0() -> None:
    result = {"histogram": {"7": 1.0}}
    assert counts(json.dumps(result).encode(), IONQ, note((1, 0)), seed=None) == {"0 10": 100}


def test_bits_of_several_registers_are_put_together() -> None:
    result = {"c1": ["1", "0"], "c0": ["0" * 32, "0" * 31 + "1"]}
    found = counts(json.dumps(result).encode(), HONEYWELL, note((0, 0), (32, 32), registers=(33,)), seed=None)
    assert found == {"1" + "0" * 32: 1, "0" * 32 + "1": 1}


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=30), st.integers(1, 10_000), st.booleans())
def test_shares_become_as_many_shots_as_there_were(weights: list[float], shots: int, draw: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    shares = {str(number): weight / sum(weights) for number, weight in enumerate(weights)}
    whole = note(*((bit, bit) for bit in range(5)), shots=shots, registers=(5,))
    data = json.dumps({"histogram": shares}).encode()
    found = counts(data, IONQ, whole, seed=7 if draw else None)
    assert sum(found.values()) == shots
    assert found == counts(data, IONQ, whole, seed=7 if draw else None)
    if not draw:
        assert all(abs(found.get(f"{int(at):05b}", 0) - share * shots) < 1 for at, share in shares.items())


def test_shares_of_counted_shots_are_the_counts_also_of_a_simulator() -> None:
    data = json.dumps({"histogram": {"0": 333 / 1000, "1": 667 / 1000}}).encode()
    assert counts(data, IONQ, note((0, 0), shots=1000), seed=1) == {"0 00": 333, "0 01": 667}


def test_shots_that_are_missing_are_missing() -> None:
    data = json.dumps({"histogram": {"0": 0.25, "1": 0.5}}).encode()
    assert counts(data, IONQ, note((0, 0)), seed=None) == {"0 00": 25, "0 01": 50}


@pytest.mark.parametrize(
    ("content", "output_format"),
    [
        ("{}", IONQ),
        ("[]", IONQ),
        ('{"histogram": {"x": 1}}', IONQ),
        ('{"histogram": {"0": ', IONQ),
        ("{}", HONEYWELL),
        ('{"c0": ["02"]}', HONEYWELL),
        ('{"c0": ["0"], "c1": []}', HONEYWELL),
        ('{"histogram": {"-1": 1}}', IONQ),
        ('{"histogram": {"0": -1}}', IONQ),
        ('{"histogram": {"0": 1e999}}', IONQ),
        ('{"c0": ["0"]}', HONEYWELL),
        ('{"c0": ["0000"]}', HONEYWELL),
        ('{"ro": 1}', QUIL),
        ('{"ro": [[]]}', QUIL),
        ('{"ro": [[0, 1]]}', QUIL),
        ('{"ro": [[2]]}', QUIL),
        ("null", QUIL),
        ("{}", "microsoft.quantum-results.v9"),
    ],
)
def test_a_result_of_another_form_is_a_value_error(content: str, output_format: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        counts(content.encode(), output_format, note((0, 0)), seed=None)
