"""The truths of the study, as they ship: made once, in about ten minutes, and looked up after that."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.truth.pairs import Pair, make_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.truth.pairs import Case

FILE = Path(__file__).with_name("pairs.msgpack.xz")


def read_table(file: Path = FILE) -> dict[str, Pair]:
    """The pairs of a file, by key; none if there is no file."""
    if not file.exists():
        return {}
    pairs = msgspec.msgpack.decode(lzma.decompress(file.read_bytes()), type=list[Pair])
    return {pair.key: pair for pair in pairs}


def write_table(pairs: Iterable[Pair], file: Path = FILE) -> None:
    """Write pairs, in the order of their keys, so that equal tables are equal files."""
    ordered = sorted({pair.key: pair for pair in pairs}.values(), key=lambda pair: pair.key)
    file.write_bytes(lzma.compress(msgspec.msgpack.encode(ordered), preset=9))


def missing(cases: Sequence[Sequence[Case]], table: dict[str, Pair]) -> list[Case]:
    """The cases that a table does not have, those of one calibration together."""
    lacking = [case for row in cases for case in row if case.key not in table]
    return sorted(lacking, key=lambda case: (case.known.device, case.known.id))


def pairs_of(cases: Sequence[Sequence[Case]], table: dict[str, Pair]) -> list[list[Pair]]:
    """The pair of each case, from the table, or simulated and added to it."""
    lacking = missing(cases, table)
    if lacking:
        table.update({pair.key: pair for pair in make_pairs(lacking)})
    return [[table[case.key] for case in row] for row in cases]
