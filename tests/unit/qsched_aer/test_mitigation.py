"""Whether counts without readout errors are what they are called."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import product
from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr

from qsched.api.calibration_file import save_calibration
from qsched.drivers import Rejected, Task, TaskCircuit
from qsched.drivers.contract import ended
from qsched_aer import AerDriver
from qsched_aer.mitigation import (
    MOST_STRINGS,
    assignment_matrix,
    bit_errors,
    mitigate,
    nearest_distribution,
    whole_counts,
)
from qsched_aer.properties import properties
from qsched_aer.snapshots import load_snapshot

unhurried = settings(deadline=None)
chances = st.floats(0, 0.4)
errors_of = st.lists(st.tuples(chances, chances), min_size=1, max_size=5).map(tuple)


@pytest.fixture
async def driver():
    driver = AerDriver({"workers": 1, "threads": 1})
    yield driver
    await driver.aclose()


async def counts_of(driver, device, circuit, *, mitigated, shots=20_000, token="token"):
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    it = TaskCircuit(name="it", qpy=buffer.getvalue(), transpiled_hash="abc")
    task = Task(device=device, circuits=(it,), shots=shots, seed=4, readout_mitigation=mitigated)
    remote = await driver.submit(task, f"{token}-{mitigated}")
    status = await ended(driver, remote.remote_id)
    assert status.state == "Succeeded", status.message
    (counts,) = (await driver.result(remote.remote_id)).counts
    assert sum(counts.values()) == shots
    return counts


def ghz_on_lima(order):
    """Five entangled qubits in lima's gates; qubit ``order[bit]`` is measured into each bit."""
    circuit = QuantumCircuit(5, 5)
    circuit.rz(pi / 2, 1)
    circuit.sx(1)
    circuit.rz(pi / 2, 1)
    for control, target in ((1, 0), (1, 2), (1, 3), (3, 4)):
        circuit.cx(control, target)
    circuit.measure(order, range(5))
    return circuit


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1)])
async def test_a_twins_asymmetric_readout_is_undone(driver, tmp_path, order):
    without = replace(load_snapshot("lima"), readout_p10=np.zeros(5), readout_p01=np.zeros(5))
    perfect = tmp_path / "perfect.qcal.json.gz"
    save_calibration(without, perfect)
    circuit = ghz_on_lima(order)
    truth = await counts_of(driver, str(perfect), circuit, mitigated=False, token="truth")
    raw = await counts_of(driver, "lima", circuit, mitigated=False)
    mitigated = await counts_of(driver, "lima", circuit, mitigated=True)

    for outcomes in (("00000",), ("11111",), ("00000", "11111")):
        true, misread, corrected = (
            sum(counts.get(outcome, 0) for outcome in outcomes) / 20_000 for counts in (truth, raw, mitigated)
        )
        assert true - misread > 0.03
        # Five standard errors of a difference; the correction makes that of the counts a third larger.
        assert corrected == pytest.approx(true, abs=5 * sqrt((1 + 1.33**2) * true * (1 - true) / 20_000))


async def test_registers_stay_apart_and_each_bit_has_its_own_qubits_errors(driver, uneven, tmp_path):
    path = tmp_path / "uneven.qcal.json.gz"
    save_calibration(uneven, path)
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(3, "high")
    circuit = QuantumCircuit(QuantumRegister(30), low, high)
    for qubit in (2, 28):
        circuit.x(qubit)
    for qubit, clbit in ((28, high[2]), (0, low[0]), (2, low[1]), (27, high[0])):
        circuit.measure(qubit, clbit)
    raw = await counts_of(driver, str(path), circuit, mitigated=False)
    mitigated = await counts_of(driver, str(path), circuit, mitigated=True)
    assert raw["100 10"] < 0.8 * 20_000
    assert mitigated["100 10"] > 0.98 * 20_000


async def test_the_ideal_simulator_has_nothing_to_mitigate(driver):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    raw = await counts_of(driver, "ideal", circuit, mitigated=False)
    assert await counts_of(driver, "ideal", circuit, mitigated=True) == raw


async def test_a_dynamic_circuit_is_rejected_when_it_is_submitted(driver):
    with pytest.raises(Rejected, match=r"'it'.* is dynamic .*readoutMitigation to false"):
        await counts_of(driver, "lima", conditioned(), mitigated=True)


def conditioned():
    circuit = QuantumCircuit(5, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


def stored():
    circuit = QuantumCircuit(5, 2)
    circuit.measure(0, 0)
    circuit.store(circuit.clbits[1], expr.lift(circuit.clbits[0]))
    return circuit


def measured_twice():
    circuit = QuantumCircuit(5, 2)
    circuit.measure([0, 1], [1, 1])
    return circuit


def with_a_loose_bit():
    circuit = QuantumCircuit(QuantumRegister(5), [Clbit()], ClassicalRegister(1))
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        (conditioned(), r"dynamic \('if_else'\)"),
        (stored(), r"dynamic \('store'\)"),
        (measured_twice(), "into classical bit 1 more than once"),
        (with_a_loose_bit(), "classical bits outside registers"),
    ],
)
def test_counts_without_one_qubit_behind_each_bit_are_refused(circuit, message):
    with pytest.raises(Rejected, match=message):
        bit_errors("it", circuit, properties(load_snapshot("lima")))


def test_a_qubit_that_reads_at_random_is_refused():
    lima = load_snapshot("lima")
    deaf = replace(lima, readout_p10=np.full(5, 0.3), readout_p01=np.array([0.1, 0.1, 0.7, 0.1, 0.1]))
    circuit = QuantumCircuit(5, 2)
    circuit.measure([0, 1], [0, 1])
    assert bit_errors("it", circuit, properties(deaf)) == ((0.3, 0.1), (0.3, 0.1))
    circuit = QuantumCircuit(5, 1)
    circuit.measure(2, 0)
    with pytest.raises(Rejected, match="qubit 2 of lima, whose readout is no signal"):
        bit_errors("it", circuit, properties(deaf))


def test_a_bit_that_nothing_is_measured_into_and_an_unmeasured_error_are_never_misread():
    lima = load_snapshot("lima")
    unknown = replace(lima, readout_p10=np.full(5, np.nan))
    circuit = QuantumCircuit(5, 3)
    circuit.measure(3, 2)
    p01 = float(lima.readout_p01[3])
    assert bit_errors("it", circuit, properties(unknown)) == ((0, 0), (0, 0), (0, p01))


def confused(distribution, errors):
    """What is read, by the definition: bit by bit, for every string that may be prepared."""
    read = dict.fromkeys(map("".join, product("01", repeat=len(errors))), 0.0)
    for prepared, probability in distribution.items():
        for string in read:
            chance = probability
            for (p10, p01), was, is_ in zip(errors, reversed(prepared), reversed(string), strict=True):
                wrong = p01 if was == "1" else p10
                chance *= 1 - wrong if was == is_ else wrong
            read[string] += chance
    return read


@st.composite
def misread(draw):
    """Readout errors, a sparse distribution, and the counts that it gives with those errors."""
    errors = draw(errors_of)
    strings = st.integers(0, 2 ** len(errors) - 1).map(lambda n: format(n, f"0{len(errors)}b"))
    weights = draw(st.dictionaries(strings, st.integers(1, 100), min_size=1, max_size=4))
    distribution = {string: weight / sum(weights.values()) for string, weight in weights.items()}
    counts = {s: round(1e12 * p) for s, p in confused(distribution, errors).items() if p > 1e-12}
    return errors, distribution, counts


@unhurried
@given(misread())
def test_confusion_is_inverted_when_every_string_was_observed(case):
    errors, distribution, counts = case
    shots = sum(counts.values())
    corrected = mitigate("it", counts, errors)
    for string in counts.keys() | distribution.keys():
        assert corrected.get(string, 0) / shots == pytest.approx(distribution.get(string, 0), abs=1e-6)


@st.composite
def observed(draw):
    """Any counts at all of a few strings, with registers, and any errors."""
    errors = draw(errors_of)
    width = len(errors)
    split = draw(st.integers(0, width - 1))
    numbers = st.integers(0, 2**width - 1)
    raw = draw(st.dictionaries(numbers, st.integers(1, 1000), min_size=1))
    counts = {}
    for number, count in raw.items():
        string = format(number, f"0{width}b")
        counts[f"{string[:split]} {string[split:]}" if split else string] = count
    return errors, counts


@unhurried
@given(observed(), st.randoms(use_true_random=False))
def test_shots_and_strings_are_kept_and_their_order_is_irrelevant(case, random):
    errors, counts = case
    corrected = mitigate("it", counts, errors)
    assert sum(corrected.values()) == sum(counts.values())
    assert all(type(count) is int and count > 0 for count in corrected.values())
    assert corrected.keys() <= counts.keys()
    shuffled = list(counts.items())
    random.shuffle(shuffled)
    assert list(mitigate("it", dict(shuffled), errors).items()) == sorted(corrected.items())


@unhurried
@given(observed())
def test_without_errors_nothing_changes(case):
    errors, counts = case
    assert mitigate("it", counts, ((0.0, 0.0),) * len(errors)) == counts


@unhurried
@given(errors_of, st.data())
def test_the_reduced_matrix_is_the_renormalised_part_of_the_whole_one(errors, data):
    strings = ["".join(bits) for bits in product("01", repeat=len(errors))]
    some = data.draw(st.lists(st.sampled_from(strings), min_size=1, unique=True))
    bits = np.array([[int(bit) for bit in reversed(string)] for string in some], dtype=np.int8)
    part = np.array([[confused({was: 1.0}, errors)[is_] for was in some] for is_ in some])
    assert np.allclose(assignment_matrix(bits, errors), part / part.sum(axis=0))


@unhurried
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12), st.data())
def test_no_distribution_is_nearer_than_the_nearest(entries, data):
    quasi = np.array(entries)
    quasi += (1 - quasi.sum()) / len(quasi)
    nearest = nearest_distribution(quasi)
    assert nearest.min() >= 0
    assert nearest.sum() == pytest.approx(1)
    other = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=len(quasi), max_size=len(quasi))))
    other /= other.sum()
    assert np.linalg.norm(nearest - quasi) <= np.linalg.norm(other - quasi) + 1e-12


def test_a_distribution_stays_as_it_is():
    assert np.allclose(nearest_distribution(np.array([0.25, 0.0, 0.75])), [0.25, 0.0, 0.75])


def test_left_over_shots_go_to_the_largest_remainders_and_the_earlier_of_equals():
    assert whole_counts(np.array([0.26, 0.5, 0.24]), 10).tolist() == [3, 5, 2]
    assert whole_counts(np.array([0.25, 0.25, 0.5]), 2).tolist() == [1, 0, 1]


def test_more_strings_than_can_be_corrected_are_refused_with_the_remedy():
    counts = {format(number, "013b"): 1 for number in range(MOST_STRINGS + 1)}
    with pytest.raises(Rejected, match=r"'it'.* 4097 distinct bit strings, .*at most 4096 .*fewer shots"):
        mitigate("it", counts, ((0.01, 0.02),) * 13)


def test_as_many_bits_as_any_device_has_are_no_matter():
    ones = "1" * 156
    counts = {"0" * 156: 400, ones: 300, ones[:-1] + "0": 300}
    corrected = mitigate("it", counts, ((0.0, 0.5),) + ((0.01, 0.03),) * 155)
    assert corrected == {"0" * 156: 400, ones: 600}
