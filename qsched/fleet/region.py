"""Where on a device a circuit is likely to be put: the best connected groups of a few qubits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

GATES_PER_LINK = 4.0
"""Two-qubit gates on a coupler for each measurement of a qubit, in a circuit as a layout pass meets it."""

_BEAM = 200
"""Unfinished groups that are kept, the best; a device of 156 qubits has a few thousand groups of five."""


class Groups(NamedTuple):
    """M connected groups of n qubits, the best first.

    Attributes:
        qubits: (M, n) the members.
        log_links: (M,) mean log(1 - e) of the couplers that join each group, its best ones; 0 for n = 1.
    """

    qubits: Ints
    log_links: Floats


def best_groups(log_gate2: Floats, log_readout: Floats, size: int, count: int) -> Groups:
    """The connected groups of qubits in which a circuit fares best.

    Noise-aware layouts (mapomatic, and Qiskit's since) choose by the product of (1 - e) over gates and
    measurements. Here the circuit is a tree with ``GATES_PER_LINK`` gates on each link. Groups grow by one
    neighbour at a time, and the best are kept.

    Args:
        log_gate2: (Q, Q) symmetric log(1 - e) of the two-qubit gate; minus infinity where there is none.
        log_readout: (Q,) the same of a measurement; minus infinity where a qubit cannot be used.
        size: Qubits of a group; fewer where not so many are connected.
        count: How many groups at most.

    Returns:
        The groups; none if there is no qubit to be used.
    """
    members = np.flatnonzero(np.isfinite(log_readout))[:, None]
    logs, links = log_readout[members[:, 0]], np.zeros(len(members))
    for _ in range(1, size):
        nearest = log_gate2[members].max(axis=1)
        np.put_along_axis(nearest, members, -np.inf, axis=1)
        rows, added = np.nonzero(np.isfinite(nearest + log_readout))
        if not rows.size:
            break
        members = np.sort(np.concatenate([members[rows], added[:, None]], axis=1), axis=1)
        links = links[rows] + nearest[rows, added]
        logs = logs[rows] + GATES_PER_LINK * nearest[rows, added] + log_readout[added]
        # The same group is found once for each order of its members: the best of them stays.
        best = np.argsort(-logs, kind="stable")
        names = members[best] @ (len(log_readout) ** np.arange(members.shape[1]))
        best = best[np.sort(np.unique(names, return_index=True)[1])[:_BEAM]]
        members, links, logs = members[best], links[best], logs[best]
    best = np.argsort(-logs, kind="stable")[:count]
    return Groups(members[best], links[best] / max(members.shape[1] - 1, 1))
