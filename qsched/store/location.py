"""Where a user's store is when nobody says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def default_store() -> Path:
    """The user's own store, in the platform's place for application data."""
    from platformdirs import user_data_path

    return user_data_path("qsched") / "qsched.db"
