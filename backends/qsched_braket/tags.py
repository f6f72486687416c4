"""What a quantum task of Braket's is tagged with, so that nothing of a task lives in this process only.

A task of qsched's with several circuits is several quantum tasks, one a circuit. The first circuit's is its
head: it is created last and names the others, so that it is there only if all of them are. Its ARN is the
task's remote id.

AWS takes 50 tags with values of up to 256 letters, digits, spaces and ``_.:/=+-@``. Long lists of numbers
are laid over several tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.drivers import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qsched_braket.programs import Program

TOKEN = "qsched-token"  # noqa: S105 - the name of a tag
_PART = "qsched-part"
_HASH = "qsched-hash"
_REGISTERS = "qsched-registers"
_MEASURED = "qsched-measured"
_OTHERS = "qsched-others"

_MOST_TAGS = 50
_MOST_KEY = 128
_MOST_VALUE = 256
_FORBIDDEN = re.compile(r"[^\w .:/=+@-]")


@dataclass(frozen=True, slots=True)
class Part:
    """One circuit of a task, as its quantum task's tags tell of it.

    Attributes:
        token: The task's.
        number: Which circuit of the task it is, from 0.
        digest: Content hash of what ran.
        measured: ``Program.measured``.
        registers: ``Program.registers``.
        others: Ids of the quantum tasks of the other circuits, in order; on the head only.
    """

    token: str
    number: int
    digest: str
    measured: tuple[tuple[int, int], ...]
    registers: tuple[int, ...]
    others: tuple[str, ...] = ()

    @property
    def is_head(self) -> bool:
        """Whether the task goes by this one's name."""
        return self.number == 0


def part_of(token: str, number: int, digest: str, program: Program, others: Sequence[str] = ()) -> Part:
    """What to tag a circuit's quantum task with; see ``Part``."""
    return Part(token, number, digest, program.measured, program.registers, tuple(others))


def write_tags(part: Part, extra: Mapping[str, str]) -> dict[str, str]:
    """Tags of a quantum task.

    Args:
        part: What they are to tell.
        extra: Tags for people, as many as there is room for; characters that AWS does not take become
            ``_``.

    Raises:
        Rejected: If they are too many.
    """
    tags = {
        TOKEN: part.token,
        _PART: str(part.number),
        _HASH: part.digest,
        **_laid(_REGISTERS, map(str, part.registers)),
        **_laid(_MEASURED, (f"{qubit}={bit}" for qubit, bit in part.measured)),
        **_laid(_OTHERS, part.others),
    }
    for name, value in [*extra.items()][: max(0, _MOST_TAGS - len(tags))]:
        tags.setdefault(_FORBIDDEN.sub("_", name)[:_MOST_KEY], _FORBIDDEN.sub("_", value)[:_MOST_VALUE])
    if len(tags) > _MOST_TAGS:
        raise Rejected(
            f"the task has too many circuits, registers or measured bits for {_MOST_TAGS} AWS tags; "
            "split the job"
        )
    return tags


def read_tags(tags: Mapping[str, str]) -> Part | None:
    """What a quantum task's tags tell; None if they are not qsched's."""
    try:
        pairs = (pair.split("=") for pair in _read(_MEASURED, tags))
        return Part(
            token=tags[TOKEN],
            number=int(tags[_PART]),
            digest=tags[_HASH],
            measured=tuple((int(qubit), int(bit)) for qubit, bit in pairs),
            registers=tuple(int(size) for size in _read(_REGISTERS, tags)),
            others=tuple(_read(_OTHERS, tags)),
        )
    except (KeyError, ValueError):
        return None


def _laid(name: str, words: Iterable[str]) -> dict[str, str]:
    """Words in as few tags as they fit: NAME, NAME-1, NAME-2 ..."""
    values = [""]
    for word in words:
        longer = f"{values[-1]} {word}".strip()
        if len(longer) <= _MOST_VALUE:
            values[-1] = longer
        else:
            values.append(word)
    return {name if row == 0 else f"{name}-{row}": value for row, value in enumerate(values) if value}


def _read(name: str, tags: Mapping[str, str]) -> list[str]:
    words = tags.get(name, "").split()
    row = 1
    while (value := tags.get(f"{name}-{row}")) is not None:
        words += value.split()
        row += 1
    return words
