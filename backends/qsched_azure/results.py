"""The results of jobs as counts."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from qsched.drivers.circuits import in_registers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qsched_azure.jobs import Note

_WHOLE = 1e-3
"""How far from a whole number of shots a share may be that is one but for its decimals."""


def counts(data: bytes, output_format: str, note: Note, *, seed: int | None) -> dict[str, int]:
    """The counts of one job, in Qiskit's order.

    Args:
        data: The result as it was stored.
        output_format: Azure's name for its format.
        note: What the job was told of its circuit.
        seed: To draw shots from a simulator's exact probabilities; None for a device, whose shares of the
            shots are rounded.

    Returns:
        Shots for each bit string; they add up to the shots that were done.

    Raises:
        ValueError: If the data is not a result of this format.
    """
    reader = _READERS.get(output_format)
    if reader is None:
        raise ValueError(f"the format {output_format!r} is not known; update qsched")
    try:
        weights: dict[str, float] = defaultdict(float)
        for outcome, weight in reader(json.loads(data), note).items():
            if outcome < 0 or not 0 <= weight < math.inf:
                raise ValueError(f"an outcome {outcome} that came {weight} times")
            weights[_key(outcome, note)] += weight
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"the result is not in the format {output_format!r}: {error!r}") from error
    if reader is not _ionq:
        return {key: round(weight) for key, weight in sorted(weights.items())}
    return _whole(weights, note.shots, seed)


def _key(outcome: int, note: Note) -> str:
    width = sum(note.registers)
    bits = ["0"] * width
    for bit, position in note.layout:
        if outcome >> position & 1:
            bits[width - 1 - bit] = "1"
    return in_registers("".join(bits), note.registers)


def _ionq(content: Any, _note: Note) -> Mapping[int, float]:
    """A histogram: outcomes of all qubits as numbers, qubit 0 lowest, with their shares of the shots."""
    return {int(outcome): float(share) for outcome, share in content["histogram"].items()}


def _quantinuum(content: Any, note: Note) -> Mapping[int, float]:
    """Bit strings of each register, one a shot, bit 0 last; ``access_token`` may stand beside them."""
    registers: list[Sequence[str]] = []
    while (shots := content.get(f"c{len(registers)}")) is not None:
        registers.insert(0, shots)
    if not registers:
        raise KeyError("c0")
    rows = Counter("".join(bits) for bits in zip(*registers, strict=True))
    _check_widths(map(len, rows), sum(note.registers))
    return {int(row, 2): count for row, count in rows.items()}


def _rigetti(content: Any, note: Note) -> Mapping[int, float]:
    """The values of ``ro``, one list a shot."""
    rows = Counter(map(tuple, content["ro"]))
    _check_widths(map(len, rows), len(note.layout))
    if any(bit not in {0, 1} for row in rows for bit in row):
        raise ValueError("a bit is neither 0 nor 1")
    return {sum(bit << at for at, bit in enumerate(row)): count for row, count in rows.items()}


def _check_widths(found: Iterable[int], width: int) -> None:
    """Raise ``ValueError`` if some shot has not the bits of the program: the others would be misread."""
    others = set(found) - {width}
    if others:
        raise ValueError(f"a shot has {min(others)} bits, and the program {width}")


_READERS: dict[str, Callable[[Any, Note], Mapping[int, float]]] = {
    "ionq.quantum-results.v1": _ionq,
    "honeywell.quantum-results.v1": _quantinuum,
    "rigetti.quil-results.v1": _rigetti,
}


def _whole(shares: Mapping[str, float], shots: int, seed: int | None) -> dict[str, int]:
    """Shares of the shots as whole numbers of them.

    Shares of a device are what was counted, but for their decimals: they are rounded so that the sum stays
    (largest remainders). A simulator may give exact probabilities; shots are drawn from those.
    """
    keys = sorted(shares)
    exact = np.array([max(shares[key], 0.0) for key in keys]) * shots
    total = round(float(exact.sum()))
    if seed is not None and np.abs(exact - np.round(exact)).max(initial=0.0) > _WHOLE:
        drawn = np.random.default_rng(seed).multinomial(total, exact / exact.sum())
        return {key: int(count) for key, count in zip(keys, drawn, strict=True) if count}
    whole = np.floor(exact + _WHOLE).astype(np.int64)
    missing = total - int(whole.sum())
    for at in sorted(range(len(keys)), key=lambda at: (whole[at] - exact[at], keys[at]))[: max(missing, 0)]:
        whole[at] += 1
    assert math.isclose(whole.sum(), total)
    return {key: int(count) for key, count in zip(keys, whole, strict=True) if count}
