"""Manifests: YAML text to declared types and back.

Reading refuses with everything that is wrong, each problem with its file, line and field. What may be read is
bounded by the limits of ``qsched.api.yaml_source``; a larger file is refused before it is read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.api.backend import QuantumBackend
from qsched.api.base import API_VERSION, Json
from qsched.api.check import check
from qsched.api.findings import Finding, nearest
from qsched.api.job import QuantumCircuitJob
from qsched.api.paths import field_path, shorten
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qsched.api.paths import Path as FieldPath
    from qsched.api.yaml_source import Document

Manifest = QuantumCircuitJob | QuantumBackend

KINDS: dict[str, type[Manifest]] = {"QuantumCircuitJob": QuantumCircuitJob, "QuantumBackend": QuantumBackend}


def read_manifest_file(path: str | Path) -> list[Manifest]:
    """Read the manifests in a file.

    Args:
        path: The file; "-" is standard input.

    Returns:
        The manifests in order.

    Raises:
        InvalidInput: If the file cannot be read, is too large, is not UTF-8, or as ``read_manifests``.
    """
    from qsched.api.manifest_file import read_text

    name = "stdin" if str(path) == "-" else str(path)
    return read_manifests(read_text(path, name), name)


def read_manifests(text: str, file: str) -> list[Manifest]:
    """Read the manifests in a YAML text: several documents, or lists as kubectl writes them.

    Args:
        text: The YAML text.
        file: Its name in messages.

    Returns:
        The manifests in order, at least one.

    Raises:
        InvalidInput: With every problem of every manifest, in the order of their lines.
    """
    from qsched.api.yaml_source import MAX_PROBLEMS, read_documents

    manifests: list[Manifest] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], int] = {}
    for document in read_documents(text, file):
        problems += document.problems
        for path, plain in _items(document.value):
            found = _second_of_its_name(plain, path, document, seen) or _manifest(plain, path, document)
            if isinstance(found, list):
                problems += (_problem(finding, document, file) for finding in found)
            else:
                manifests.append(found)
    if problems:
        first = {(problem.line or 0, problem.where): problem for problem in reversed(problems)}
        shown = [first[place] for place in sorted(first)][:MAX_PROBLEMS]
        more = [Problem("", "and more; mend these first", file)] if len(first) > len(shown) else []
        raise InvalidInput(shown + more)
    if not manifests:
        message = f"holds no manifest; a manifest begins with 'apiVersion: {API_VERSION}'"
        raise InvalidInput(Problem("", message, file))
    return manifests


def to_plain(manifest: Manifest) -> Json:
    """A manifest as plain values, as it stands in YAML: camelCase, without fields at their defaults.

    Raises:
        TypeError: If the manifest was built in Python with values that no manifest can hold.
    """
    fields: Json = msgspec.to_builtins(manifest)
    return {"apiVersion": manifest.api_version, "kind": manifest.kind, **fields}


def manifest_yaml(manifest: Manifest) -> str:
    """The YAML text of a manifest; ``read_manifests`` reads it back to an equal object.

    Raises:
        TypeError: As ``to_plain``.
    """
    from qsched.api.yaml_text import yaml_text

    return yaml_text(to_plain(manifest))


def validate_job(job: QuantumCircuitJob) -> list[Problem]:
    """What is wrong with a job that was built in Python: the same verdicts as for its manifest.

    Args:
        job: The job.

    Returns:
        The problems; none if the job is right.
    """
    try:
        plain = to_plain(job)
        found = list(_unwritable(plain, ())) or check(plain, QuantumCircuitJob)
    except (TypeError, ValueError, RecursionError) as error:
        remedy = "use numbers, text, lists and dicts of Python itself"
        found = [Finding((), f"cannot be written as a manifest: {error}; {remedy}")]
    if not isinstance(found, list):
        return []
    return [Problem(field_path(finding.path), finding.message) for finding in found]


def _items(value: object) -> Iterator[tuple[FieldPath, object]]:
    """The manifests of a document: itself, or the items of a list."""
    items = value.get("items") if isinstance(value, dict) and value.get("kind") == "List" else None
    if isinstance(items, list):
        yield from ((("items", index), item) for index, item in enumerate(items))
    else:
        yield (), value


def _manifest(plain: object, path: FieldPath, document: Document) -> Manifest | list[Finding]:
    """Convert one manifest, or say what is wrong with it, with paths from the document's top."""
    if not isinstance(plain, dict):
        begins = f"apiVersion: {API_VERSION}"
        return [Finding(path, f"is not a manifest; a manifest is a mapping that begins with '{begins}'")]
    wrong = _wrong_kind(plain)
    if wrong:
        return [Finding((*path, *finding.path), finding.message) for finding in wrong]
    _drop_nulls(plain.get("metadata"))
    found = check(
        plain,
        KINDS[plain["kind"]],
        has_null=document.has_null,
        written=lambda below: document.mark((*path, *below)).written,
    )
    if not isinstance(found, list):
        return found
    return [Finding((*path, *finding.path), finding.message) for finding in found]


def _wrong_kind(plain: Json) -> list[Finding]:
    """What is wrong with ``apiVersion`` and ``kind``; the rest means nothing before they are right."""
    version, kind = plain.get("apiVersion"), plain.get("kind")
    found = []
    if version is None:
        found.append(Finding(("apiVersion",), f"is missing; write 'apiVersion: {API_VERSION}'"))
    elif version != API_VERSION:
        shown = shorten(str(version))
        found.append(Finding(("apiVersion",), f"'{shown}' is not known; write 'apiVersion: {API_VERSION}'"))
    if kind is None:
        found.append(Finding(("kind",), f"is missing; write 'kind: {' or '.join(KINDS)}'"))
    elif not isinstance(kind, str) or kind not in KINDS:
        found.append(Finding(("kind",), f"'{shorten(str(kind))}' is not known; {nearest(str(kind), KINDS)}"))
    return found


def _drop_nulls(metadata: object) -> None:
    """Remove what Kubernetes tools write as null in metadata, such as creationTimestamp."""
    if isinstance(metadata, dict):
        for key in [key for key, value in metadata.items() if value is None and key != "name"]:
            del metadata[key]


def _second_of_its_name(
    plain: object, path: FieldPath, document: Document, seen: dict[tuple[str, ...], int]
) -> list[Finding]:
    """Remember a manifest's name, and refuse it if another has it already."""
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(metadata, dict) or "name" not in metadata:
        return []
    kind, name = str(plain.get("kind")), str(metadata["name"])
    where = (*path, "metadata", "name")
    key = (kind, str(metadata.get("namespace") or "default"), name)
    if key not in seen:
        seen[key] = document.mark(where).line
        return []
    return [
        Finding(where, f"a second {kind} '{shorten(name)}'; the first is on line {seen[key]}: rename one")
    ]


def _problem(finding: Finding, document: Document, file: str) -> Problem:
    return Problem(field_path(finding.path), finding.message, file, document.mark(finding.path).line)


def _unwritable(value: Any, path: FieldPath) -> Iterator[Finding]:
    """Numbers and texts that Python can hold and JSON cannot."""
    if isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, f"is {value}; give a finite number")
    elif isinstance(value, str) and not value.isascii():
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield Finding(path, "holds half a character (a lone surrogate); give Unicode text")
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _unwritable(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _unwritable(child, (*path, index))
