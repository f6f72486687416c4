"""Where output goes: results to standard output, progress and messages to standard error."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from qsched.errors import InvalidInput, QschedError, ResultError

if TYPE_CHECKING:
    from pathlib import Path

PIPE_WIDTH = 160
SVG_WIDTH = 118
# Without the fonts that rich's own format fetches from a server.
_SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave the ending to the program, rather than exit with 1, which means that a job failed."""
        raise BrokenPipeError


class Terminal:
    """The two consoles of a command.

    Attributes:
        out: Standard output, for what the user asked for.
        err: Standard error, for progress and messages.
    """

    def __init__(self, svg: Path | None = None) -> None:
        """Open the consoles.

        Args:
            svg: Where to keep a picture of the output too.
        """
        self._svg = svg
        self.out = _console(sys.stdout, record=svg is not None)
        self.err = _console(sys.stderr, record=False)

    def write(self, text: str) -> None:
        """Write machine-readable text as it is, ending in a line break."""
        self.out.file.write(text if text.endswith("\n") else f"{text}\n")
        self.out.file.flush()

    def note(self, message: str) -> None:
        """Tell people something that is not the result."""
        self.err.print(Text(message, style="dim"), soft_wrap=True)

    def close(self) -> None:
        """Write the picture, if one was asked for.

        Raises:
            ResultError: If it cannot be written.
        """
        if self._svg is None:
            return
        try:
            self.out.save_svg(str(self._svg), title="qsched", code_format=_SVG_FORMAT)
        except OSError as error:
            raise ResultError(f"{self._svg}: cannot write the picture: {error.strerror}") from error


def _console(file: TextIO, *, record: bool) -> Console:
    """A console as wide as the terminal; a pipe gets wide lines, so that ``grep`` sees whole rows."""
    width = None
    if record:
        width = SVG_WIDTH
    elif not file.isatty() and "COLUMNS" not in os.environ:
        width = PIPE_WIDTH
    return _Console(
        file=file,
        width=width,
        record=record,
        force_terminal=True if record else None,
        highlight=False,
        markup=False,
    )


def print_error(error: QschedError, console: Console) -> None:
    """Every problem on a line of its own."""
    problems = error.problems if isinstance(error, InvalidInput) else [error]
    for problem in problems:
        console.print(Text.assemble(("error: ", "bold red"), str(problem)), soft_wrap=True)
