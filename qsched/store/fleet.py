"""The fleet of the engine that works on a store, so that its clients choose among the same backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qsched.api.backend import BackendStatus, QuantumBackend
from qsched.store.lock import has_engine

if TYPE_CHECKING:
    from qsched.store.protocol import Store

FLEET = "fleet"
"""The kind and the key under which an engine keeps its fleet."""


def fleet_in_use(store: Store) -> list[QuantumBackend] | None:
    """The backends of the engine that works on the store now; None if there is none."""
    stored = store.values(FLEET).get(FLEET)
    if stored is None or not has_engine(store):
        return None
    backends = msgspec.json.decode(stored, type=list[QuantumBackend])
    return [msgspec.structs.replace(each, status=BackendStatus()) for each in backends]
