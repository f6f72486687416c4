"""Stage 2 against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from qsched.fleet.quality import quality
from qsched.scoring import refine, refined_log_success


@dataclass
class Used:
    couplers: np.ndarray = field(default_factory=lambda: np.array([[0, 1], [2, 1]]))
    coupler_gates: np.ndarray = field(default_factory=lambda: np.array([3, 2]))
    qubits: np.ndarray = field(default_factory=lambda: np.array([0, 1, 2]))
    gates1: np.ndarray = field(default_factory=lambda: np.array([4, 0, 1]))
    measurements: np.ndarray = field(default_factory=lambda: np.array([1, 1, 0]))
    idle_qubit: np.ndarray = field(default_factory=lambda: np.array([2]))
    idle_s: np.ndarray = field(default_factory=lambda: np.array([20e-6]))
    idle_excited: np.ndarray = field(default_factory=lambda: np.array([0.5]))
    idle_coherence: np.ndarray = field(default_factory=lambda: np.array([0.0]))
    critical_path_s: float = 5e-6


def test_the_product_is_over_what_is_really_used(make):
    error2 = np.linspace(0.01, 0.07, 7)
    readout = np.array([0.1, 0.02, 0.4, 0.4, 0.4, 0.4, 0.4])
    device = quality(make.ring(7, gate2_error=error2, readout_p10=readout, readout_p01=readout))
    idle = (1 + math.exp(-20 / 100) + 2 * math.exp(-20 / 80)) / 4
    success = (1 - error2[0]) ** 3 * (1 - error2[1]) ** 2 * (1 - 3e-4) ** 5 * 0.9 * 0.98 * idle
    assert refined_log_success(Used(), device) == pytest.approx(math.log(success), rel=1e-9)


@pytest.mark.parametrize(
    ("excited", "coherence", "kept"),
    [
        (0.0, 0.0, 1.0),
        (1.0, 0.0, math.exp(-20 / 100)),
        (0.5, 0.5, (1 + math.exp(-20 / 80)) / 2),
        (0.5, 0.0, (1 + math.exp(-20 / 100) + 2 * math.exp(-20 / 80)) / 4),
    ],
)
def test_what_waiting_costs_depends_on_what_the_qubit_holds(make, excited, coherence, kept):
    """Nothing in 0, relaxation alone in 1, dephasing alone in an equal superposition, both when entangled."""
    used = Used(idle_excited=np.array([excited]), idle_coherence=np.array([coherence]))
    nothing = Used(idle_s=np.array([0.0]))
    device = quality(make.ring(7))
    lost = refined_log_success(used, device) - refined_log_success(nothing, device)
    assert lost == pytest.approx(math.log(kept), rel=1e-9, abs=1e-12)


def test_a_job_takes_the_mean_success_the_longest_path_and_the_worst_window(make):
    t2_s = np.array([80, 80, 80, 30, 30, 30, 30]) * 1e-6
    device = quality(make.ring(7, t2_s=t2_s))
    other = Used(qubits=np.array([0, 3, 4]), critical_path_s=9e-6)
    refined = refine([Used(), other], device)
    both = [refined_log_success(usage, device) for usage in (Used(), other)]
    assert refined.log_success == pytest.approx(np.mean(both))
    assert refined.path_s == pytest.approx(7e-6)
    assert refined.longest_s == pytest.approx(9e-6 - device.readout_s[0])  # up to the readout
    assert refined.t2_s == pytest.approx(30e-6)


def test_dead_qubits_make_a_hopeless_but_finite_estimate(make):
    device = quality(make.ring(7, gate2_error=np.full(7, 1.0), t1_s=np.array([np.nan] + [1e-4] * 6)))
    value = refined_log_success(Used(idle_qubit=np.array([0])), device)
    assert np.isfinite(value)
    assert value < -100


def test_an_empty_circuit_succeeds(make):
    nothing = np.zeros(0, dtype=np.int64)
    empty = Used(np.zeros((0, 2), dtype=np.int64), *[nothing] * 8, critical_path_s=0.0)
    assert refine([empty], quality(make.ring())).log_success == 0


def test_a_coupler_of_another_device_is_refused_with_a_remedy(make):
    used = Used(couplers=np.array([[0, 3], [1, 2]]))
    with pytest.raises(ValueError, match=r"coupler \(0, 3\).*transpile it for this calibration"):
        refined_log_success(used, quality(make.ring()))
