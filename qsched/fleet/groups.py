"""Where on a device a circuit of n qubits is likely to be put, for every n.

A circuit whose qubits interact in a line is put on the best line of couplers, and needs no routing. Any other
one is routed on a compact part of the device. Both times noise-aware layouts (mapomatic, and Qiskit's since)
choose by the product of (1 - e) over gates and measurements. Groups of qubits grow by one neighbour at a
time, and the best are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Names = NDArray[np.uint64]

LINE_GATES = 1.0
NET_GATES = 4.0
"""Two-qubit gates on each link for each measurement of a qubit, as a layout pass meets them: a circuit that
is routed has more of them."""

SPREAD = 1.15
"""Qubits are a compact set when their distances add up to at most this times the least that is possible."""

_LINES, _NETS = 1, 5
"""How many of the best groups are taken. Layouts try every line; which compact set they find is chance."""

_BEAM = 32
"""Unfinished groups that are kept, the best."""


class Couplings(NamedTuple):
    """What lives of a device of Q qubits.

    Attributes:
        log_gate2: (Q, Q) symmetric log(1 - e) of the two-qubit gate; minus infinity where there is none.
        log_readout: (Q,) log(1 - e) of a measurement.
        distance: (Q, Q) couplers on the shortest path.
    """

    log_gate2: Floats
    log_readout: Floats
    distance: Floats


class Groups(NamedTuple):
    """M connected groups of n qubits, the best first.

    Attributes:
        qubits: (M, n) the members.
        log_links: (M,) mean log(1 - e) of the couplers that join each group, its best ones; 0 for n = 1.
    """

    qubits: Ints
    log_links: Floats


def lines(device: Couplings, largest: int) -> Iterator[Groups]:
    """The best line of n coupled qubits, for n = 1, 2, ... as long as one is found.

    Args:
        device: With at least one qubit.
        largest: The last n.
    """
    names = _names(len(device.log_readout))
    grown = _single(device, sources=2)
    yield _best(grown, _LINES)
    for _ in range(1, largest):
        ways = _ways(grown, device, LINE_GATES)
        if not ways.rows.size:
            return
        kept = np.take_along_axis(grown.ends[ways.rows], 1 - ways.places[:, None], axis=1)[:, 0]
        ways = _distinct(ways, ways.names + names[kept] * names[ways.added])
        reach = grown.reach[ways.rows]
        reach[np.arange(len(reach)), ways.places] = device.log_gate2[ways.added]
        grown = _larger(grown, ways, device, reach)
        yield _best(grown, _LINES)


def nets(device: Couplings, largest: int) -> Iterator[Groups]:
    """The best compact sets of n connected qubits, for n = 1, 2, ...

    Args:
        device: With at least one qubit; all are connected.
        largest: The last n, not more than Q.
    """
    grown = _single(device, sources=1)
    yield _best(grown, _NETS)
    for _ in range(1, largest):
        ways = _ways(grown, device, NET_GATES)
        compact = ways.spread <= SPREAD * ways.spread.min()
        ways = ways.at(compact)
        ways = _distinct(ways, ways.names)
        reach = np.maximum(grown.reach[ways.rows], device.log_gate2[ways.added, None])
        grown = _larger(grown, ways, device, reach)
        yield _best(grown, _NETS)


class _Grown(NamedTuple):
    """M groups of n qubits of a device of Q.

    Attributes:
        qubits: (M, n) the members.
        ends: (M, 2) the qubits at which a line grows.
        reach: (M, S, Q) the best log(1 - e) with which a coupler joins each other qubit to an end (S = 2),
            or to any member (S = 1).
        inside: (M, Q) which qubits are members.
        far: (M, Q) distance of each qubit from all members.
        spread: (M,) distances of all pairs of members.
        log_links: (M,) log(1 - e) of the links that join the group.
        score: (M,) log(1 - e) of the gates and measurements of a circuit there.
        names: (M,) sums of the members' names.
    """

    qubits: Ints
    ends: Ints
    reach: Floats
    inside: NDArray[np.bool_]
    far: Floats
    spread: Floats
    log_links: Floats
    score: Floats
    names: Names


class _Ways(NamedTuple):
    """W ways in which a group may grow by one qubit.

    Attributes:
        rows: (W,) the group.
        places: (W,) the end at which it grows.
        added: (W,) the qubit.
        spread: (W,) distances of all pairs of the larger group.
        log_links: (W,) log(1 - e) of its links.
        score: (W,) log(1 - e) of the gates and measurements of a circuit there.
        names: (W,) sums of its members' names.
    """

    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    added: NDArray[np.intp]
    spread: Floats
    log_links: Floats
    score: Floats
    names: Names

    def at(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> _Ways:
        """Some of the ways."""
        columns: tuple[NDArray[Any], ...] = self
        return _Ways(*(column[rows] for column in columns))


def _single(device: Couplings, sources: int) -> _Grown:
    """Each qubit alone."""
    count = len(device.log_readout)
    qubits = np.arange(count)[:, None]
    nothing = np.zeros(count)
    return _Grown(
        qubits=qubits,
        ends=np.tile(qubits, 2),
        reach=np.repeat(device.log_gate2[:, None], sources, axis=1),
        inside=np.eye(count, dtype=bool),
        far=device.distance,
        spread=nothing,
        log_links=nothing,
        score=device.log_readout,
        names=_names(len(device.log_readout)),
    )


def _ways(grown: _Grown, device: Couplings, gates: float) -> _Ways:
    """All ways in which the groups may grow."""
    rows, places, added = np.nonzero(np.isfinite(grown.reach) & ~grown.inside[:, None])
    log_link = grown.reach[rows, places, added]
    return _Ways(
        rows=rows,
        places=places,
        added=added,
        spread=grown.spread[rows] + grown.far[rows, added],
        log_links=grown.log_links[rows] + log_link,
        score=grown.score[rows] + gates * log_link + device.log_readout[added],
        names=grown.names[rows] + _names(len(device.log_readout))[added],
    )


def _distinct(ways: _Ways, names: Names) -> _Ways:
    """The best ways, and of those to groups with the same name, whose members came in another order, one."""
    best = np.argsort(-ways.score, kind="stable")
    first = np.sort(np.unique(names[best], return_index=True)[1])
    return ways.at(best[first[:_BEAM]])


def _larger(grown: _Grown, ways: _Ways, device: Couplings, reach: Floats) -> _Grown:
    """The groups that these ways lead to."""
    rows, added = ways.rows, ways.added
    ends, inside = grown.ends[rows], grown.inside[rows]
    number = np.arange(len(rows))
    ends[number, ways.places], inside[number, added] = added, True
    return _Grown(
        qubits=np.concatenate([grown.qubits[rows], added[:, None]], axis=1),
        ends=ends,
        reach=reach,
        inside=inside,
        far=grown.far[rows] + device.distance[added],
        spread=ways.spread,
        log_links=ways.log_links,
        score=ways.score,
        names=ways.names,
    )


def _best(grown: _Grown, count: int) -> Groups:
    """The best groups: they are in order, but for single qubits."""
    best = np.argsort(-grown.score, kind="stable")[:count]
    qubits = grown.qubits[best]
    return Groups(qubits, grown.log_links[best] / max(qubits.shape[1] - 1, 1))


@lru_cache(maxsize=64)
def _names(count: int) -> Names:
    """(Q,) odd random numbers: sums of them, and products of two, tell different qubits from each other."""
    names = np.random.default_rng(0).integers(2**63, size=count, dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    names.setflags(write=False)
    return names
