"""Connectivity of a device: components, distances, and how far apart n qubits must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int32]

_MAX_SEEDS = 256
"""Enough starting qubits for today's devices; beyond it they are spread evenly, to bound time and memory."""


def largest_component(alive: Bools, couplers: Ints) -> Bools:
    """The largest connected set of qubits; of equals, the one that holds the lowest index.

    Args:
        alive: (Q,) which qubits may be used.
        couplers: (C, 2) pairs of living qubits, in any direction.

    Returns:
        (Q,) which qubits belong to it; all False when nothing lives.
    """
    label = np.arange(len(alive))
    first, second = couplers[:, 0], couplers[:, 1]
    while couplers.size:
        lowest = np.minimum(label[first], label[second])
        merged = label.copy()
        # A label points at a qubit of the same component, so that following it halves the way.
        np.minimum.at(merged, label[first], lowest)
        np.minimum.at(merged, label[second], lowest)
        merged = merged[merged]
        if np.array_equal(merged, label):
            break
        label = merged
    sizes = np.bincount(label[alive], minlength=1)
    component: Bools = alive & (label == sizes.argmax())
    return component


def distances(couplers: Ints, qubits: int) -> Floats:
    """Numbers of couplers on the shortest paths, by breadth-first search from all qubits at once.

    Args:
        couplers: (C, 2) pairs of indices below ``qubits``, in any direction, each qubit in at least one if
            there are two.
        qubits: Q.

    Returns:
        (Q, Q) distances; infinite between qubits that no path joins.
    """
    if qubits < 2:
        return np.zeros((qubits, qubits))
    source = np.concatenate([couplers[:, 0], couplers[:, 1]])
    target = np.concatenate([couplers[:, 1], couplers[:, 0]])
    order = np.argsort(target, kind="stable")
    source, starts = source[order], np.searchsorted(target[order], np.arange(qubits))
    reached = np.eye(qubits, dtype=bool)
    distance = np.where(reached, 0.0, np.inf)
    for step in range(1, qubits):
        wider = reached | np.logical_or.reduceat(reached[:, source], starts, axis=1)
        new = wider & ~reached
        if not new.any():
            break
        distance[new] = step
        reached = wider
    return distance


def ball_distances(distance: Floats) -> Floats:
    """The mean pairwise distance inside the best connected set of n qubits, for every n.

    A set grows greedily from each qubit: the neighbour nearest to all that are in comes next. The best
    over the starts is kept; one pass serves every n.

    Args:
        distance: (Q, Q) numbers of couplers on the shortest paths; finite.

    Returns:
        (Q + 1,) distances, at least 1; 1 for n below 2.
    """
    count = len(distance)
    ball = np.ones(count + 1)
    if count < 2:
        return ball
    adjacent = distance == 1
    seeds = np.unique(np.linspace(0, count - 1, min(count, _MAX_SEEDS)).astype(int))
    rows = np.arange(len(seeds))
    to_set = distance[seeds]
    frontier = adjacent[seeds]
    outside = np.ones((len(seeds), count), dtype=bool)
    outside[rows, seeds] = False
    total = np.zeros(len(seeds))
    for size in range(2, count + 1):
        chosen = np.where(frontier & outside, to_set, np.inf).argmin(axis=1)
        total += to_set[rows, chosen]
        outside[rows, chosen] = False
        frontier |= adjacent[chosen]
        to_set += distance[chosen]
        ball[size] = total.min() / (size * (size - 1) / 2)
    return ball
