"""Plain values to YAML text that reads back to the same values, here and in kubectl."""

from __future__ import annotations

from typing import Any

import yaml

from qsched.api.scalars import plain_scalar

_DUMPER: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def yaml_text(plain: object) -> str:
    """The YAML text of plain values, in the order of their keys, with long texts as blocks.

    Args:
        plain: Strings, finite numbers, booleans, null, lists and dicts.

    Returns:
        The text, ending in a line break.
    """
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(_DUMPER):  # type: ignore[misc,valid-type]
    """Repeats a value instead of writing an alias, and quotes whatever a reader would take for no text."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """The quotes of a text: a block for printable lines, quotes where needed, else the writer's choice."""
    if "\n" in text and text.replace("\n", "").replace("\t", "").isprintable():
        return "|"
    try:
        return None if plain_scalar(text) == text else '"'
    except ValueError:
        return '"'


_Dumper.add_representer(str, _represent_text)
