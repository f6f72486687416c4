"""The store: where jobs, their states, tokens, histories and results are kept."""

from qsched.store.fleet import fleet_in_use
from qsched.store.location import default_store
from qsched.store.lock import has_engine
from qsched.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "default_store", "fleet_in_use", "has_engine"]
