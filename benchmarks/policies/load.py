"""Policies by name, or from a file of one's own."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.policies.qonductor import Qonductor
from benchmarks.policies.qsched import Qsched
from benchmarks.policies.rules import RULES, Rule
from qsched.api.findings import nearest
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.policies.rules import RuleMaker
    from benchmarks.simulation.view import Policy


def _rule(name: str, make: RuleMaker) -> Policy:
    return Rule(name, make())


POLICIES: dict[str, Callable[[], Policy]] = {
    "qsched": Qsched,
    **{name: partial(_rule, name, make) for name, make in RULES.items()},
    "qonductor": Qonductor,
}
"""The policies that come with the harness; each call makes a new one, without memory of an earlier run."""


def load(name: str) -> Policy:
    """A new policy.

    Args:
        name: One of ``POLICIES``, or ``path/to/file.py:function`` for a function that takes a ``View`` and
            returns a column for each job, or a class with ``place`` and what else of ``Policy`` differs.

    Raises:
        InvalidInput: There is no such policy, or the file does not load.
    """
    if name in POLICIES:
        return POLICIES[name]()
    path, colon, attribute = name.rpartition(":")
    if not colon:
        raise InvalidInput(
            f"there is no policy {name!r}; {nearest(name, POLICIES)}; one of your own is file.py:function"
        )
    return _own(Path(path), attribute)


def _own(path: Path, attribute: str) -> Policy:
    """A policy from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidInput(Problem("", "there is no such Python file with a policy", file=str(path)))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        message = f"the policy's file does not load: {type(error).__name__}: {error}"
        raise InvalidInput(Problem("", message, file=str(path))) from error
    found: Any = getattr(module, attribute, None)
    if isinstance(found, type):
        found = found()
    if hasattr(found, "place"):
        return _completed(found, attribute)
    if not callable(found):
        have = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        message = f"it has no policy {attribute!r}; {nearest(attribute, have)}"
        raise InvalidInput(Problem("", message, file=str(path)))
    return Rule(attribute, found)


def _completed(found: Any, attribute: str) -> Policy:
    """An object with ``place``, with the usual pace where it says none."""
    said = {
        name: getattr(found, name)
        for name in ("late_binding", "batch_jobs", "batch_s")
        if hasattr(found, name)
    }
    return Rule(str(getattr(found, "name", attribute)), found.place, **said)
