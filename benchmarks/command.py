"""The command line: which parts, how, and the options that a part has of its own."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import benchmarks.parts
from benchmarks.catalogue import card, check_names
from benchmarks.options import positive
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

HERE = Path(__file__).parent


class Places(NamedTuple):
    """Where things are.

    Attributes:
        spec: The ranges, whose sections are the parts.
        parts: The folder of the parts.
        results: The folder that gets a folder for each run.
    """

    spec: Path = HERE / "rangespec.yaml"
    parts: Path = HERE / "parts"
    results: Path = HERE / "results"


class Command(NamedTuple):
    """What is wanted.

    Attributes:
        names: The parts named; none for all of them.
        arguments: Options for the part, if one is named.
        quick: Whether workloads are to be small.
        resume: Whether to go on with a run.
        show: Whether to list the parts only.
        report: A run to render again, and nothing else.
        limit_s: How long one part may take.
    """

    names: list[str]
    arguments: list[str]
    quick: bool
    resume: bool
    show: bool
    report: Path | None
    limit_s: float


def read_command(arguments: Sequence[str] | None, known: Collection[str], places: Places) -> Command:
    """Read the command line.

    Args:
        arguments: Without the program's name; those of this process by default.
        known: The parts that there are.
        places: Where the parts are; the one named is imported if it was given options.

    Raises:
        InvalidInput: If something is wrong with it.
        SystemExit: If help was asked for.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    first, own = _parser(add_help=False).parse_known_args(given)
    check_names(first.names, known)
    parents = []
    if own and len(first.names) == 1 and card(first.names[0], places.parts).configurable:
        parents = [_part_parser(first.names[0], places)]
    parser = _parser(parents=parents)
    options = parser.parse_args(given)
    if options.resume and (options.names or own):
        parser.error("--resume goes on with the parts and options of the run; give neither")
    return Command(
        names=list(dict.fromkeys(options.names)),
        arguments=own,
        quick=options.quick,
        resume=options.resume,
        show=options.list,
        report=options.report,
        limit_s=60.0 * (options.limit or (5.0 if options.quick else 25.0)),
    )


def _parser(
    *, parents: Sequence[argparse.ArgumentParser] = (), add_help: bool = True
) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m benchmarks",
        description="Measure qsched, judge every figure by its range, and write a report.",
        epilog="Some parts have options of their own: python -m benchmarks NAME --help.",
        parents=list(parents),
        add_help=add_help,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts to run; all by default")
    parser.add_argument("--list", action="store_true", help="show the parts and end")
    parser.add_argument(
        "--quick", action="store_true", help="smaller workloads, at most 3 minutes altogether"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the newest run of this code that did not end"
    )
    parser.add_argument(
        "--report", type=Path, metavar="RUN", help="make the report of a run again, from its JSON"
    )
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="MINUTES",
        help="how long a part may take; 25 by default, 5 if quick",
    )
    return parser


def _part_parser(name: str, places: Places) -> argparse.ArgumentParser:
    """A parser with the part's own options."""
    load_from(places.parts)
    parser = _Parser(add_help=False, allow_abbrev=False)
    import_module(f"benchmarks.parts.{name}").configure(parser)
    return parser


def load_from(folder: Path) -> None:
    """Let ``benchmarks.parts`` find parts in a folder first."""
    if str(folder) not in benchmarks.parts.__path__:
        benchmarks.parts.__path__.insert(0, str(folder))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like everything else here."""

    def error(self, message: str) -> NoReturn:
        """See ``argparse``."""
        raise InvalidInput(f"{message}; --help says more")
