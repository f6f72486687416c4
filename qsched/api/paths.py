"""Field paths: where in a manifest something is."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def field_path(path: Path) -> str:
    """The text of a path, such as ``spec.circuits[1].qasm`` or ``metadata.labels["qsched.io/zone"]``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _WORD.match(key):
            text += f".{shorten(key)}" if text else shorten(key)
        else:
            text += f'["{shorten(key)}"]'
    return text


def shorten(text: str, length: int = 60) -> str:
    """A text on one line, cut to a length."""
    line = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return line if len(line) <= length else f"{line[: length - 3]}..."
