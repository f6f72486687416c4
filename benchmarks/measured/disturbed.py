"""Queues as providers show them: with readings missing, cut off at a cap, or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.measured.files import Queues

CAP = 100.0
"""A provider that shows no more than this many tasks."""

_SPELL_MIN = 60
_SHARE = 0.2


def unread(queues: Queues, seed: int) -> Queues:
    """The same, of which a fifth of the hours of each device were not read."""
    return queues._replace(depth=_in_spells(queues, np.nan, seed))


def closed(queues: Queues, seed: int) -> Queues:
    """The same, of which each device is closed in a fifth of the hours."""
    return queues._replace(depth=_in_spells(queues, -1.0, seed))


def capped(queues: Queues) -> Queues:
    """The same, cut off at ``CAP``."""
    return queues._replace(depth=np.minimum(queues.depth, CAP))


def _in_spells(queues: Queues, value: float, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    minutes, devices = queues.depth.shape
    hours = -(-minutes // _SPELL_MIN)
    hit = np.random.default_rng(seed).random((hours, devices)) < _SHARE
    return np.where(np.repeat(hit, _SPELL_MIN, axis=0)[:minutes], value, queues.depth)
