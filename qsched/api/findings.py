"""Problems at paths, before it is known in which file and line those are."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from qsched.api.paths import Path

Written = Callable[[Path], str | None]
"""How a scalar was written in its file, for one that was written without quotes."""


class Finding(NamedTuple):
    """A problem at a path."""

    path: Path
    message: str


def not_written(_path: Path) -> str | None:
    """For values that come from no file."""
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown word: the known one that it resembles, or all that are known."""
    names = sorted(known)
    folded = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word[:80].lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    return f"known here: {', '.join(names)}"
