"""The errors that qsched raises at its users.

```text
QschedError
├── InvalidInput            a manifest, circuit, fleet or argument is wrong        (exit 2)
│   └── CircuitError        a circuit cannot be read, or is larger than a limit
├── NotFound                no such job, backend or result                         (exit 2)
├── AlreadyExists           a second job of the same name                          (exit 2)
├── JobFailed               the job ended without a result                         (exit 1)
├── StoreError              the database is locked, corrupt, full or of another version (exit 3)
├── ResultError             a result cannot be written or read                     (exit 3)
└── DriverError             what a driver may raise: see ``qsched.drivers.errors`` (exit 3)
```

A message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class QschedError(Exception):
    """The root of every error that qsched raises on purpose."""

    exit_code: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        where: The field path (``spec.circuits[1].qasm``), or "" for the document as a whole.
        message: What is wrong and what to do.
        file: The file's name as the user gave it, if there is one.
        line: The line in that file, from 1.
    """

    where: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place, where = self.file or "", self.where
        if self.line is not None and place:
            place = f"{place}:{self.line}"
        elif self.line is not None:
            where = f"{where} line {self.line}".lstrip()
        return ": ".join(part for part in (place, where, self.message) if part)


class InvalidInput(QschedError):
    """An input is refused; ``problems`` lists everything that is wrong with it."""

    exit_code = 2

    def __init__(self, problems: str | Problem | list[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        if isinstance(problems, Problem):
            problems = [problems]
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[list[Problem]]]:
        """Keep the problems apart on the way from a worker process."""
        return type(self), (self.problems,)


class CircuitError(InvalidInput):
    """A circuit cannot be read, or is larger than a limit."""


class NotFound(QschedError):
    """There is no such job, backend or result."""

    exit_code = 2


class AlreadyExists(QschedError):
    """A job of this name exists already."""

    exit_code = 2


class JobFailed(QschedError):
    """A job ended without a result."""

    exit_code = 1


class StoreError(QschedError):
    """The store is locked, corrupt, full, or of another version.

    Attributes:
        lasting: Whether asking again is useless until somebody mends the store.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class ResultError(QschedError):
    """A result cannot be written or read."""
