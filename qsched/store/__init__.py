"""The store: where jobs, their states, tokens, histories and results are kept."""

from qsched.store.location import default_store
from qsched.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "default_store"]
