"""A home for fake parts, which the harness runs like its own."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

import benchmarks.parts
from benchmarks.command import Places
from benchmarks.machine import Code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


class Home:
    """A folder with parts of a test's own, and their ranges."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "rangespec.yaml", folder / "parts", folder / "results")
        self.places.parts.mkdir()
        self.places.spec.write_text("")

    def add(self, name: str, body: str, ranges: str = "{}") -> None:
        """A part, whose ``run`` is the body's if it has one."""
        text = f'"""The {name} of a test.\n\nMore words."""\nSEED = 3\n{textwrap.dedent(body)}'
        (self.places.parts / f"{name}.py").write_text(text)
        with self.places.spec.open("a") as spec:
            spec.write(f"{name}: {ranges}\n")

    @property
    def runs(self) -> list[Path]:
        """The folders of the runs, oldest first."""
        return sorted(self.places.results.glob("*"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Home]:
    before = _loaded()
    for name in before:
        del sys.modules[name]
    monkeypatch.setattr(benchmarks.parts, "__path__", list(benchmarks.parts.__path__))
    monkeypatch.setattr("benchmarks.record.code", lambda: Code("0123abc"))  # others may edit the checkout
    yield Home(tmp_path)
    for name in _loaded():
        del sys.modules[name]
        delattr(benchmarks.parts, name.rpartition(".")[2])
    for name, module in before.items():
        sys.modules[name] = module
        setattr(benchmarks.parts, name.rpartition(".")[2], module)


def _loaded() -> dict[str, ModuleType]:
    """The parts that this process has imported; a fake one may have the name of a real one."""
    return {name: each for name, each in sys.modules.items() if name.startswith("benchmarks.parts.")}
