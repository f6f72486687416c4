"""Rows of measured bits as counts in Qiskit's order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qsched.drivers.circuits import in_registers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def counted(
    rows: Mapping[str, int],
    columns: Sequence[int],
    *,
    measured: Sequence[tuple[int, int]],
    registers: Sequence[int],
) -> Counter[str]:
    """Counts of a circuit; bits that it does not measure read 0.

    Args:
        rows: How often each row of bits came, a character for each qubit.
        columns: Where in a row each of ``measured`` is.
        measured: ``Program.measured``.
        registers: ``Program.registers``.

    Raises:
        IndexError: If a row is too short, or there is no such bit.
    """
    size = sum(registers)
    counts: Counter[str] = Counter()
    for row, count in rows.items():
        bits = ["0"] * size
        for (_, bit), column in zip(measured, columns, strict=True):
            bits[size - 1 - bit] = row[column]
        counts[in_registers("".join(bits), registers)] += count
    return counts
