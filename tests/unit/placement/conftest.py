"""Random instances of placement."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest


class Instance(NamedTuple):
    offers: np.ndarray
    work_s: np.ndarray
    impatience: np.ndarray


def instance(jobs: int, backends: int, seed: int = 0, *, infeasible: float = 0.2) -> Instance:
    """Backends of different quality and speed, jobs of different size, taste and patience."""
    rng = np.random.default_rng(seed)
    quality, speed = rng.uniform(0.2, 1, backends), rng.uniform(0.5, 3, backends)
    offers = quality * rng.uniform(0.5, 1, (jobs, 1)) + rng.normal(0, 0.05, (jobs, backends))
    offers = np.clip(offers, 0, 1).astype(np.float32)
    offers[rng.random((jobs, backends)) < infeasible] = -np.inf
    work_s = (rng.lognormal(3, 1, (jobs, 1)) / speed).astype(np.float32)
    impatience = rng.choice([0.3 / 3600, 0.05 / 21600, 0.65 / 900], jobs).astype(np.float32)
    return Instance(offers, work_s, impatience)


@pytest.fixture(scope="session")
def make_instance():
    return instance
