"""The words and signs of an OpenQASM text, found in time linear in its length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# An unterminated block comment or string takes the rest of the text (or line) at once: looking for its end
# again from every later position would make the scan quadratic.
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\f\n]+ | //[^\n]* | /\*(?:.*?\*/|.*))
  | (?P<string>"[^"\n]*"? | '[^'\n]*'?)
  | (?P<word>(?:[^\W\d]|\$)\w*)
  | (?P<number>[0-9][0-9A-Za-z_.]*|\.[0-9][0-9A-Za-z_]*)
  | (?P<sign>\*\*|->|\+\+|==|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One word, number, string or sign.

    Attributes:
        kind: ``word``, ``number``, ``string`` or ``sign``.
        text: As it is written.
        line: Its line, from 1.
        start: Its offset in the text, in characters.
    """

    kind: str
    text: str
    line: int
    start: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a text, without spaces and comments."""
    line = 1
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        assert kind is not None
        text = match.group()
        if kind == "space":
            line += text.count("\n")
        else:
            yield Token(kind, text, line, match.start())
