"""Profiles of MQT Bench's circuits, kept until what makes them changes: making circuits takes seconds."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qsched.circuits
from benchmarks.cache import cached
from benchmarks.scenarios import circuits
from qsched.circuits.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def kept_profiles(kind: str, key: Mapping[str, Any], make: Callable[[], list[Profile]]) -> list[Profile]:
    """What ``make`` returns, made once for each key and each state of the code; see ``cached``."""
    found: list[Profile] = cached(kind, {**key, "made by": _makers()}, make, list[Profile])
    return found


@cache
def _makers() -> list[str]:
    """What a profile depends on beside its circuit's name and seed."""
    digest = hashlib.sha256()
    (folder,) = qsched.circuits.__path__
    for path in (Path(circuits.__file__), *sorted(Path(folder).glob("*.py"))):
        digest.update(path.read_bytes())
    return [digest.hexdigest(), version("qiskit"), version("mqt.bench")]
