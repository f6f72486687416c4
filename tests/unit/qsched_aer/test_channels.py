"""The mathematics of noise, against Qiskit's own quantum information tools."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.quantum_info import Kraus, SuperOp, average_gate_fidelity
from qiskit_aer.noise import thermal_relaxation_error

from qsched_aer.channels import depolarizing_weight, gate_noise, relaxation, relaxation_fidelity

times = st.floats(1e-6, 1e-2)
ratios = st.floats(0.01, 2.0)


@given(duration_s=st.floats(0, 1e-3), t1_s=times, ratio=ratios)
def test_relaxation_keeps_the_trace(duration_s, t1_s, ratio):
    kraus = relaxation(duration_s, t1_s, ratio * t1_s)
    assert np.allclose(sum(k.conj().T @ k for k in kraus), np.eye(2), atol=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.4, 2.0])
def test_relaxation_is_that_of_qiskit_aer(ratio):
    ours = SuperOp(Kraus(relaxation(30e-6, 100e-6, ratio * 100e-6)))
    assert ours == SuperOp(thermal_relaxation_error(100e-6, ratio * 100e-6, 30e-6))


def test_an_unmeasured_t1_and_t2_leave_the_qubit_alone():
    assert np.allclose(relaxation(1.0, math.inf, math.inf), [np.eye(2)])


@given(duration_s=st.floats(0, 1e-4), t1_s=times, ratio=ratios)
def test_relaxation_fidelity_is_that_of_the_channel(duration_s, t1_s, ratio):
    channel = Kraus(relaxation(duration_s, t1_s, ratio * t1_s))
    expected = average_gate_fidelity(channel)
    assert relaxation_fidelity(duration_s, [t1_s], [ratio * t1_s]) == pytest.approx(expected)


@given(error=st.floats(0.002, 0.3), t1_s=st.floats(5e-4, 1e-3), ratio=ratios.filter(lambda r: r > 0.5))
def test_a_two_qubit_gate_has_exactly_its_calibrated_error(error, t1_s, ratio):
    channel = Kraus(gate_noise(error, 300e-9, [t1_s, 2 * t1_s], [ratio * t1_s, t1_s]))
    assert channel.is_cptp()
    assert 1 - average_gate_fidelity(channel) == pytest.approx(error)


@given(error=st.floats(1e-4, 0.3))
def test_a_one_qubit_gate_has_exactly_its_calibrated_error(error):
    channel = Kraus(gate_noise(error, 35e-9, [1e-3], [1e-3]))
    assert 1 - average_gate_fidelity(channel) == pytest.approx(error)


def test_a_gate_better_than_its_relaxation_only_relaxes():
    assert depolarizing_weight(1e-6, relaxation_fidelity(1e-6, [1e-5], [1e-5]), 1) == 0


def test_the_first_qubit_of_a_pair_is_the_less_significant():
    only_the_first_decays = Kraus(gate_noise(0.0, 1e-5, [1e-5, math.inf], [2e-5, math.inf]))
    state = np.zeros((4, 4))
    state[3, 3] = 1
    populations = np.real(np.diag(sum(k @ state @ k.conj().T for k in only_the_first_decays.data)))
    assert populations == pytest.approx([0, 0, 1 - math.exp(-1), math.exp(-1)])
