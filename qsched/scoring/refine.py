"""Stage 2: the same figures from the qubits, couplers and idle intervals that a transpiled circuit uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from qsched.scoring.blocks import Refined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qsched.fleet.quality import DeviceQuality

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer]

_WORST_ERROR = 1 - 1e-12
_SMALLEST = 1e-12
_QUANTILE = 0.25


class Usage(Protocol):
    """What a transpiled and scheduled circuit uses of its device (``qsched.circuits.usage.Usage``)."""

    @property
    def couplers(self) -> Integers:
        """(U, 2) physical pairs."""
        ...

    @property
    def coupler_gates(self) -> Integers:
        """(U,) two-qubit gates on each."""
        ...

    @property
    def qubits(self) -> Integers:
        """(V,) physical qubits."""
        ...

    @property
    def gates1(self) -> Integers:
        """(V,) pulses on each."""
        ...

    @property
    def measurements(self) -> Integers:
        """(V,) measurements of each."""
        ...

    @property
    def idle_qubit(self) -> Integers:
        """(K,) the qubit of each idle interval."""
        ...

    @property
    def idle_s(self) -> Floats:
        """(K,) its length in seconds."""
        ...

    @property
    def idle_excited(self) -> Floats:
        """(K,) the probability that the qubit holds 1 meanwhile."""
        ...

    @property
    def idle_coherence(self) -> Floats:
        """(K,) the magnitude of the off-diagonal element of its density matrix."""
        ...

    @property
    def critical_path_s(self) -> float:
        """From the start of the first to the end of the last operation, in seconds."""
        ...


def refine(usages: Sequence[Usage], quality: DeviceQuality) -> Refined:
    """Stage 2 figures of one job on one backend.

    Args:
        usages: One for each circuit of the job, transpiled for this calibration.
        quality: The quality of that calibration.

    Returns:
        The figures that replace those of stage 1 for this pair (``estimate(..., refinements=...)``).

    Raises:
        ValueError: If a circuit uses a coupler that the calibration does not have.
    """
    paths_s = [float(usage.critical_path_s) for usage in usages]
    return Refined(
        log_success=float(np.mean([refined_log_success(usage, quality) for usage in usages])),
        path_s=float(np.mean(paths_s)),
        longest_s=max(_until_readout(usage, quality) for usage in usages),
        t2_s=min(_low_t2(usage, quality) for usage in usages),
    )


def refined_log_success(usage: Usage, quality: DeviceQuality) -> float:
    """Log success probability of one transpiled circuit (design section 6, stage 2).

    The product of (1 - e) over every two-qubit gate, pulse and measurement with the error of the coupler or
    qubit that it uses, and of ``idle_fidelity`` over every real idle interval.

    Args:
        usage: What the circuit uses.
        quality: The quality of the calibration it was transpiled for.

    Returns:
        The logarithm, finite and at most 0.

    Raises:
        ValueError: If the circuit uses a coupler that the calibration does not have.
    """
    calibration = quality.calibration
    gates2 = usage.coupler_gates @ _log(calibration.gate2_error[_coupler_rows(usage.couplers, quality)])
    gates1 = usage.gates1 @ _log(calibration.gate1_error[usage.qubits])
    readout = usage.measurements @ _log(calibration.readout_error[usage.qubits])
    t1_s, t2_s = quality.qubit_t1_s[usage.idle_qubit], quality.qubit_t2_s[usage.idle_qubit]
    fidelity = idle_fidelity(usage.idle_s, t1_s, t2_s, usage.idle_excited, usage.idle_coherence)
    idle = np.log(np.maximum(fidelity, _SMALLEST)).sum()
    return float(gates2 + gates1 + readout + idle)


def idle_fidelity(idle_s: Floats, t1_s: Floats, t2_s: Floats, excited: Floats, coherence: Floats) -> Floats:
    """Fidelity of a state in which one qubit waits, before and after, by what that qubit holds.

    With K the Kraus operators of relaxation, rho the qubit's reduced density matrix in a pure state of all
    qubits, and p the probability that it holds 1, the sum of abs(Tr(K rho))^2 over K is

    (1 - p)^2 + p^2 exp(-t/T1) + 2 p (1 - p) exp(-t/T2) + (1 - exp(-t/T1)) abs(rho01)^2.

    For a maximally mixed qubit that is (1 + exp(-t/T1) + 2 exp(-t/T2)) / 4, the entanglement fidelity.

    Args:
        idle_s: (K,) how long, in seconds.
        t1_s: (K,) of the qubit, perhaps infinite.
        t2_s: (K,) likewise, at most 2 T1.
        excited: (K,) p.
        coherence: (K,) abs(rho01), at most sqrt(p (1 - p)).

    Returns:
        (K,) in [0, 1].
    """
    population = np.exp(-idle_s / np.maximum(t1_s, 1e-12))
    phase = np.exp(-idle_s / np.maximum(t2_s, 1e-12))
    ground = 1 - excited
    kept = ground**2 + excited**2 * population + 2 * ground * excited * phase
    fidelity: Floats = kept + (1 - population) * coherence**2
    return fidelity


def _log(errors: Floats) -> Floats:
    """log(1 - e), finite; an error that nobody measured is the worst one."""
    logs: Floats = np.log1p(-np.clip(np.nan_to_num(errors, nan=_WORST_ERROR), 0, _WORST_ERROR))
    return logs


def _until_readout(usage: Usage, quality: DeviceQuality) -> float:
    """Seconds until the last measurements begin; all of them end with the circuit (it is scheduled late)."""
    measured = usage.qubits[usage.measurements > 0]
    readout_s = float(quality.readout_s[measured].min()) if len(measured) else 0.0
    return max(0.0, float(usage.critical_path_s) - readout_s)


def _low_t2(usage: Usage, quality: DeviceQuality) -> float:
    if not len(usage.qubits):
        return float("inf")
    return float(np.quantile(quality.qubit_t2_s[usage.qubits], _QUANTILE, method="inverted_cdf"))


def _coupler_rows(pairs: Integers, quality: DeviceQuality) -> Integers:
    """The calibration's row of each physical pair, in the direction it has, else in the other one."""
    calibration = quality.calibration
    known = calibration.couplers[:, 0].astype(np.int64) * calibration.qubits + calibration.couplers[:, 1]
    rows = {int(key): row for row, key in enumerate(known)}
    found = np.empty(len(pairs), dtype=np.int64)
    for index, (first, second) in enumerate(pairs.tolist()):
        row = rows.get(first * calibration.qubits + second, rows.get(second * calibration.qubits + first))
        if row is None:
            raise ValueError(
                f"the circuit uses the coupler ({first}, {second}), which calibration {calibration.id} of "
                f"{calibration.device} does not have; transpile it for this calibration"
            )
        found[index] = row
    return found
