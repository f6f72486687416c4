"""What the documentation says is so: its examples run, and what it links to and names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from xml.etree import ElementTree as ET

import pytest
import typer

from qsched.api.job import Phase
from qsched.api.manifest import read_manifests
from qsched.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
TOP = {path.name for path in ROOT.iterdir()}
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]+)+/?")
COMMAND = re.compile(r"^(?:\.venv/bin/)?qsched (.+)")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def code_spans(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`]+)`", prose)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> Iterator[list[str]]:
    """Every ``qsched ...`` of the documentation, as words."""
    for page in PAGES:
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        for text in (*lines, *code_spans(page)):
            if found := COMMAND.match(text.strip()):
                yield re.split(r"[#|]", found[1])[0].split()


def run(arguments: list[str], folder: Path) -> str:
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_manifest_of_the_readme_runs(tmp_path: Path) -> None:
    (manifest,) = blocks(README, "yaml")
    (tmp_path / "bell.yaml").write_text(manifest)
    assert "bell ran on" in run(["-m", "qsched.cli", "run", "bell.yaml"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, ROOT / "docs/how-to/use-the-sdk.md"], ids=lambda page: page.stem)
def test_the_python_example_runs(page: Path, tmp_path: Path) -> None:
    (example,) = blocks(page, "python")
    (tmp_path / "example.py").write_text(example)
    last_line = run(["example.py"], tmp_path).splitlines()[-1]
    assert re.search(r"\{.*'0+': \d+.*\}", last_line)


def test_the_examples_of_the_readme_have_ten_lines() -> None:
    for language in ("yaml", "python"):
        (example,) = blocks(README, language)
        assert len(example.splitlines()) == 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_manifest_is_valid(page: Path) -> None:
    for manifest in blocks(page, "yaml"):
        assert read_manifests(manifest, str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


GENERATED = tuple(line[1:] for line in (ROOT / ".gitignore").read_text().split() if line.startswith("/"))
"""Folders that a command makes, which a fresh checkout has not."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    for span in code_spans(page):
        for path in PATH.findall(span):
            if path.split("/")[0] in TOP:
                made_later = path.startswith(GENERATED)
                assert made_later or list(ROOT.glob(path.rstrip("/"))), path


def test_every_command_and_option_that_is_named_exists() -> None:
    program = typer.main.get_command(app)
    assert isinstance(program, typer.core.TyperGroup)
    everywhere = {option for param in program.params for option in param.opts}
    for words in commands():
        assert words[0].startswith("--") or any(word in program.commands for word in words), words
        options = set(everywhere)
        group: object = program
        for word in words:
            if isinstance(group, typer.core.TyperGroup) and word in group.commands:
                group = group.commands[word]
                options |= {option for param in group.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        code = "\n".join((*blocks(page, "sh"), *code_spans(page)))
        assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets


def test_the_picture_of_a_jobs_life_has_every_phase() -> None:
    drawing = ET.parse(ROOT / "docs/images/life.svg")
    texts = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert set(get_args(Phase)) <= texts


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/images").iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_fetches_nothing(picture: Path) -> None:
    text = picture.read_text()
    assert len(text) < 150_000
    assert "@font-face" not in text
    assert not re.findall(r"(?:href|src)=\"http", text)


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    build = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    run([*build, "--config-file", str(ROOT / "mkdocs.yml")], tmp_path)
    assert (tmp_path / "site/index.html").exists()
