"""What a plain (unquoted) YAML scalar stands for.

The rules are those of the YAML reader that kubectl uses, so that a file means the same here and there: yes,
no, on and off are booleans, 1e3 is a number, 12:30 and 2030-01-31 are text. Numbers that JSON cannot hold and
numbers that people read differently from YAML are refused.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
_BOOLEANS = {
    form(word): word in _TRUE for word in _TRUE + _FALSE for form in (str.lower, str.upper, str.title)
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OTHER_BASE = re.compile(
    r"[-+]?(?:0[0-9_]+|0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*)\Z"
)
_NON_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)\Z")
_LONGEST_NUMBER = 400
_EXACT_INTEGERS = 2**53


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar.

    A float without a fraction becomes an int, as it does on its way through JSON: ``1e3`` is 1000.

    Args:
        text: The scalar as written.

    Returns:
        The value; the text itself if it stands for nothing else.

    Raises:
        ValueError: If it is a number that JSON cannot hold, or one in another base. The message says what
            to write instead.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NON_FINITE.match(text):
        raise ValueError(
            f"{text} is not a finite number; write a finite one, or quote it if it is meant as text"
        )
    if _OTHER_BASE.match(text):
        raise ValueError(
            f"{text} is a number that YAML reads in its own way (octal, hexadecimal, underscores); "
            f'write it in plain decimal digits, or quote it ("{text}") if it is meant as text'
        )
    return _number(text) if _FLOAT.match(text) else text


def _number(text: str) -> int | float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"is a number of {len(text)} characters; write at most {_LONGEST_NUMBER}")
    if _INTEGER.match(text):
        number = int(text)
        if not -(2**63) <= number < 2**63:
            raise ValueError(
                f"{text} does not fit into 64 bits; write a smaller number, or quote it if it is text"
            )
        return number
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is larger than any number that can be held; write a smaller one")
    return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGERS else value
