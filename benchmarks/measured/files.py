"""Where the measured data are, and reading them.

They are condensed from the artifact of Qonductor (arXiv:2408.04312, MIT licence) and are no part of the
project: a folder ``shared/data`` beside the checkout holds them, or it does not.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.findings import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


class Executions(NamedTuple):
    """N real jobs. Sums are over the circuits of a job.

    Attributes:
        two_qubit_gates: (N,) sum.
        depth: (N,) sum of layers.
        qubits: (N,) sum.
        shots: (N,) of each circuit.
        circuits: (N,) how many.
        seconds: (N,) that the job ran.
    """

    two_qubit_gates: Floats
    depth: Floats
    qubits: Floats
    shots: Floats
    circuits: Floats
    seconds: Floats


class Queues(NamedTuple):
    """Queue depths of Q devices on every minute of M, gaps in the record included.

    Attributes:
        devices: Q names.
        minute: (M,) minutes since 1970.
        depth: (M, Q) tasks; not-a-number where nothing was read, -1 where the device was closed.
    """

    devices: list[str]
    minute: Ints
    depth: Floats

    @property
    def day(self) -> Ints:
        """(M,) the day of each minute, the first being 0 (UTC)."""
        day: Ints = self.minute // 1440
        since: Ints = day - day[0]
        return since


def read_executions() -> Executions:
    """Execution times of several thousand jobs on IBM's devices.

    Raises:
        LeftOut: If the data are not here.
    """
    rows = list(csv.DictReader(lines("ibm-execution-times.csv.gz")))
    return Executions(*(np.array([float(row[name]) for row in rows]) for name in Executions._fields))


def read_queues() -> Queues:
    """Queue depths of 12 QPUs, 16 to 23 November 2023.

    Raises:
        LeftOut: If the data are not here.
    """
    header, *rows = csv.reader(lines("ibm-pending-jobs-2023-11.csv.gz"))
    read_at = np.array([int(_time(row[0]).timestamp()) // 60 for row in rows])
    read = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in rows])
    minute = np.arange(read_at[0], read_at[-1] + 1)
    depth = np.full((len(minute), read.shape[1]), np.nan)
    depth[read_at - read_at[0]] = read
    return Queues(header[1:], minute, depth)


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def lines(name: str) -> Iterator[str]:
    """The lines of a compressed file of the folder.

    Raises:
        LeftOut: If the data are not here.
    """
    try:
        with gzip.open(FOLDER / name, "rt", encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise LeftOut(f"the measured data are not here: shared/data/{name} beside the checkout") from None
