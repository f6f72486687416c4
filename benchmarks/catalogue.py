"""Which parts there are, without importing them: some cost seconds, and one may be broken."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.child import title
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class Card(NamedTuple):
    """What a part's file says about it.

    Attributes:
        name: The part's.
        title: The first line of its docstring.
        full_only: Why a quick run of everything leaves it out; empty if it does not.
        configurable: Whether it has options of its own.
    """

    name: str
    title: str = ""
    full_only: str = ""
    configurable: bool = False


def card(name: str, folder: Path) -> Card:
    """Read a part's file; one that cannot be read has a name only, and says why when it runs."""
    try:
        module = ast.parse((folder / f"{name}.py").read_bytes())
    except (OSError, SyntaxError):
        return Card(name)
    functions = {each.name for each in module.body if isinstance(each, ast.FunctionDef)}
    texts = {
        target.id: each.value.value
        for each in module.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    full_only = str(texts.get("FULL_ONLY", ""))
    return Card(name, title(ast.get_docstring(module)), full_only, "configure" in functions)


def known_parts(sections: Collection[str], folder: Path) -> list[str]:
    """Those with ranges, in their order; then those that have none yet, which run when they are named."""
    files = sorted(path.stem for path in folder.glob("[!_]*.py"))
    return list(dict.fromkeys([*sections, *files]))


def check_names(names: Collection[str], known: Collection[str]) -> None:
    """Refuse parts that do not exist.

    Raises:
        InvalidInput: Names each, with the nearest that there is.
    """
    wrong = [_nearest(name, known) for name in names if name not in known]
    if wrong:
        raise InvalidInput(f"{'; '.join(wrong)}; there are {', '.join(known)}")


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no part {name}" + (f", did you mean {near[0]}?" if near else "")
