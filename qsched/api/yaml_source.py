"""YAML text to plain values that remember their lines, within limits that hostile text cannot pass.

The parser's events are read in one flat loop: no recursion, no intermediate tree. An alias refers to the
value that was built for its anchor, so that a bomb of aliases costs nothing; its values are counted all the
same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from qsched.api.paths import Path, field_path, shorten
from qsched.api.scalars import Scalar, plain_scalar
from qsched.errors import InvalidInput, Problem

MAX_BYTES = 8_000_000
MAX_DEPTH = 64
MAX_VALUES = 250_000
MAX_PROBLEMS = 50

Value = Scalar | list["Value"] | dict[str, "Value"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "<<"
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value was written, and, for an unquoted scalar, how."""

    line: int
    written: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a YAML file.

    Attributes:
        value: What it holds.
        line: Its first line, from 1.
        marks: The marks of a container's children, by the id of the container. An aliased container is one
            object in several places, and its children are written in one place.
        has_null: Whether any value in it is null.
        problems: What is wrong with it as YAML that JSON can hold: repeated keys, tags, odd numbers.
    """

    value: Value
    line: int
    marks: dict[int, dict[str | int, Mark]]
    has_null: bool
    problems: list[Problem]

    def mark(self, path: Path) -> Mark:
        """The mark of the value at a path, or of the nearest value above it that was written."""
        value, mark = self.value, Mark(self.line)
        for key in path:
            children = self.marks.get(id(value), {})
            if key not in children:
                return Mark(mark.line)
            mark = children[key]
            value = _child(value, key)
        return mark


def _child(container: Value, key: str | int) -> Value:
    if isinstance(container, dict) and isinstance(key, str):
        return container.get(key)
    return container[key] if isinstance(container, list) and isinstance(key, int) else None


@dataclass(slots=True)
class _Open:
    """A container that is being read."""

    value: list[Value] | dict[str, Value]
    line: int
    anchor: str | None
    values_before: int
    marks: dict[str | int, Mark] = field(default_factory=dict)
    key: str | None = None
    key_line: int = 0
    key_merges: bool = False
    merges: list[dict[str, Value]] = field(default_factory=list)


def read_documents(text: str, file: str) -> list[Document]:
    """Read every document of a YAML text; empty ones are left out.

    Args:
        text: The YAML text.
        file: Its name in messages.

    Returns:
        The documents, in order.

    Raises:
        InvalidInput: If the text is larger than MAX_BYTES, is not YAML, nests deeper than MAX_DEPTH, or
            holds more than MAX_VALUES values with its aliases written out.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise InvalidInput(Problem("", "holds half a character; save it as UTF-8", file, line)) from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(Problem("", too_large(f"{len(data) / 1e6:.1f} MB"), file))
    return _Reader(file).read(data)


def too_large(size: str) -> str:
    """What to say of a manifest of this size."""
    return (
        f"is {size} large: the limit is {MAX_BYTES / 1e6:.0f} MB; "
        "split it into several files, or keep the circuits in files of their own (uri)"
    )


class _Reader:
    """Builds documents from the parser's events; used once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._documents: list[Document] = []
        self._values = 0
        self._begin()

    def _begin(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._marks: dict[int, dict[str | int, Mark]] = {}
        self._has_null = False
        self._problems: list[Problem] = []

    def read(self, data: bytes) -> list[Document]:
        try:
            for event in yaml.parse(data, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            raise InvalidInput(_syntax_problem(error, data, self._file)) from error
        return self._documents

    def _take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event.tag, line)
            self._scalar(event, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._check_tag(event.tag, line)
            self._refuse_as_key(line)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(self._stack.pop())
        elif isinstance(event, yaml.AliasEvent):
            self._refuse_as_key(line)
            self._alias(event.anchor, line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._begin()

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        plain = not event.style and event.tag is None
        if self._wants_key():
            self._key(event.value, line, merge=plain and event.value == _MERGE)
            return
        value: Value = event.value
        if plain:
            try:
                value = plain_scalar(event.value)
            except ValueError as error:
                self._complain(str(error), line)
        self._has_null |= value is None
        self._count(1, line)
        self._add(value, Mark(line, event.value if plain else None), anchor=event.anchor, size=1)

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _key(self, key: str, line: int, *, merge: bool) -> None:
        parent = self._stack[-1]
        parent.key, parent.key_line, parent.key_merges = key, line, merge
        if key in parent.marks and not merge:
            first = parent.marks[key].line
            self._complain(f"is given twice, first on line {first}; keep one of the two", line)

    def _refuse_as_key(self, line: int) -> None:
        if self._wants_key():
            self._complain(
                "a key must be a plain word; quote it if it begins with '[', '{', '?' or '*'", line
            )
            raise InvalidInput(self._problems)

    def _open(self, container: list[Value] | dict[str, Value], anchor: str | None, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            message = f"nests deeper than {MAX_DEPTH} levels; no manifest needs that"
            raise InvalidInput(Problem("", message, self._file, line))
        self._stack.append(_Open(container, line, anchor, self._values))
        self._count(1, line)

    def _close(self, done: _Open) -> None:
        self._marks[id(done.value)] = done.marks
        for source in done.merges:
            assert isinstance(done.value, dict)
            for key in source.keys() - done.value.keys():
                done.value[key] = source[key]
                done.marks[key] = self._marks[id(source)][key]
        self._add(done.value, Mark(done.line), anchor=done.anchor, size=self._values - done.values_before)

    def _alias(self, anchor: str | None, line: int) -> None:
        assert anchor is not None
        if anchor not in self._anchors:
            self._complain(
                f"*{anchor} has no anchor before it; write &{anchor} at the value it stands for", line
            )
        value, size = self._anchors.get(anchor, (None, 1))
        self._count(size, line)
        self._add(value, Mark(line), anchor=None, size=size)

    def _add(self, value: Value, mark: Mark, *, anchor: str | None, size: int) -> None:
        """Put a finished value into the container that is being read, or finish the document with it."""
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            if value is not None or self._problems:
                self._documents.append(
                    Document(value, mark.line, self._marks, self._has_null, self._problems)
                )
            return
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            parent.marks[len(parent.value)] = mark
            parent.value.append(value)
            return
        assert parent.key is not None
        if parent.key_merges:
            self._merge(parent, value, mark.line)
        else:
            parent.value[parent.key] = value
            parent.marks[parent.key] = Mark(parent.key_line, mark.written)
        parent.key = None

    def _merge(self, parent: _Open, value: Value, line: int) -> None:
        for source in value if isinstance(value, list) else [value]:
            if isinstance(source, dict):
                parent.merges.append(source)
            else:
                self._complain("can merge mappings only; name the anchor of a mapping", line)

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag not in _TEXT_TAGS:
            name = tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(f"the YAML tag {shorten(name)} means nothing in a manifest; remove it", line)

    def _count(self, values: int, line: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            message = (
                f"holds more than {MAX_VALUES:,} values (aliases written out); split it into several files"
            )
            raise InvalidInput(Problem("", message, self._file, line))

    def _complain(self, message: str, line: int) -> None:
        path = (o.key if isinstance(o.value, dict) else len(o.value) for o in self._stack)
        where = field_path(tuple(key for key in path if key is not None))
        self._problems.append(Problem(where, message, self._file, line))
        if len(self._problems) >= MAX_PROBLEMS:
            raise InvalidInput(
                [*self._problems, Problem("", "and perhaps more; mend these first", self._file)]
            )


_REMEDIES = {
    "cannot start any token": "indent with spaces, not tabs, and quote text that begins with @, ` or %",
    "mapping values are not allowed": "quote text that contains ': ', and check the indentation",
    "expected key": "check the indentation",
    "expected '-'": "check the indentation",
    "expected ':'": "write 'key: value', and check the indentation",
    "expected ',' or": "close the bracket, and quote text that contains brackets or commas",
    "unexpected end of stream": "close the quotation mark",
    "<document start>": "check the indentation, or put '---' between two manifests",
}


def _syntax_problem(error: yaml.YAMLError, data: bytes, file: str) -> Problem:
    """What the parser has to say, in one line, and what is likely to mend it."""
    if isinstance(error, yaml.reader.ReaderError):
        line = data.count(b"\n", 0, error.position) + 1
        return Problem("", "holds a control character; is it a text file?", file, line)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem("", f"is not YAML: {shorten(str(error))}", file)
    line = error.problem_mark.line + 1
    said = " ".join(part for part in (error.problem, error.context) if part)
    if error.context and error.context_mark and error.context_mark.line + 1 != line:
        said += f" that begins on line {error.context_mark.line + 1}"
    remedy = next(
        (text for sign, text in _REMEDIES.items() if sign in said), "check the text before this line"
    )
    return Problem("", f"is not YAML: {said}; {remedy}", file, line)
