"""Parts, each in a process of its own, so that none measures what another left in memory or caches.

A part is a module ``benchmarks/parts/NAME.py`` with

- a docstring, whose first line is the title;
- ``SEED: int``, what its scenario is made from;
- ``run(*, quick: bool)``, which measures and returns figures by name, or ``Findings`` with tables and data.

It may also have

- ``draw(data) -> Iterable[Plot]``, which makes pictures from the data of its findings and nothing else. It is
  called when the report is made, perhaps on another day from a JSON file; so the data must be JSON. Numpy's
  numbers and arrays may be in it: they become plain ones, and the keys of mappings become texts.
- ``configure(parser: argparse.ArgumentParser) -> None``, which adds options of its own to the command line:
  ``python -m benchmarks policies --policy examples/own_policy.py:near_best``. Then the harness calls
  ``run(*, quick, options: argparse.Namespace)``, with the defaults when none are given. Every option starts
  with ``--`` and its default is what the ranges are meant for: with options given, figures are shown and not
  judged.
- ``FULL_ONLY: str``, the reason why a quick run of everything leaves it out. When it is named, it runs.

``run`` may raise ``LeftOut(reason)`` (``benchmarks.findings``) where it cannot run: data or a program is not
there. The report then says so, and nothing fails. A ``qsched.errors.InvalidInput`` says that an option is
wrong and is shown without a traceback. Whatever else it raises fails this part and no other. What went wrong
with one thing of several, such as somebody's policy, goes to ``Findings.problems``, and the rest is kept.

Bars of ``benchmarks.progress.track`` and what a part prints are shown by the process that started it, which
owns the terminal.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks.child import Order, Run, from_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.display import Display
    from benchmarks.progress import Bar

ROOT = Path(__file__).parents[1]
_CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from benchmarks.child import main; main()"
_EVERY_S = 0.1
_GRACE_S = 5.0
_LAST_LINES = 30


class Limit(NamedTuple):
    """How long a part may take, in seconds, and where it may write what it prints."""

    seconds: float
    log: Path


def run_part(order: Order, *, limit: Limit, display: Display) -> Run:
    """Run a part in a process; whatever happens to that becomes the run's ``error``.

    Args:
        order: What to run.
        limit: How long it may take, and its log; an empty log is removed.
        display: Shows bars and what the part prints.

    Returns:
        What the part gave.

    Raises:
        KeyboardInterrupt: From the terminal; the part's processes have ended then.
    """
    reading, writing = os.pipe()
    started, run = time.monotonic(), None
    with limit.log.open("wb") as log, os.fdopen(reading, "rb", buffering=0) as messages:
        command = [sys.executable, "-u", "-c", _CHILD, str(ROOT), str(writing)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[writing], process_group=0
        )
        os.close(writing)
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.flush()
            run = _follow(messages.fileno(), limit, display)
        except BrokenPipeError:
            pass  # it ended before it took the order
        finally:
            _end(process, _GRACE_S if run else _EVERY_S)
    if run is None:
        run = Run(order.name, error=_why(process.returncode, limit, started))
    if run.error and not run.wrong_input:
        seconds, error = time.monotonic() - started, run.error + _last_lines(limit.log)
        run = msgspec.structs.replace(run, seconds=seconds, error=error)
    if not limit.log.stat().st_size:
        limit.log.unlink()
    return run


def _follow(messages: int, limit: Limit, display: Display) -> Run | None:
    """Show what a part says until it gives its run; None if it ended without one, or its time is up."""
    until = time.monotonic() + limit.seconds
    with limit.log.open(encoding="utf-8", errors="replace") as printed:
        for message in _messages(messages, until):
            display.say(printed.read())
            if isinstance(message, Run):
                return message
            if message is not None:
                display.bar(message)
        display.say(printed.read())
    return None


def _messages(messages: int, until: float) -> Iterator[Bar | Run | None]:
    """What a part sends; None now and then when it sends nothing."""
    unended = bytearray()
    while time.monotonic() < until:
        ready, _, _ = select.select([messages], [], [], _EVERY_S)
        if not ready:
            yield None
            continue
        read = os.read(messages, 2**20)
        if not read:
            return
        unended += read
        if b"\n" in read:
            *lines, unended = unended.split(b"\n")
            for line in lines:
                yield from_child(line)


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """End a part's process with everything that it started and left behind.

    The part itself is interrupted first, so that it can clear up.
    """
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def _why(code: int, limit: Limit, started: float) -> str:
    """Why a process ended without a word."""
    if time.monotonic() - started >= limit.seconds:
        return f"it took longer than {limit.seconds / 60:g} minutes and was ended; --limit gives it longer\n"
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}\n"
    return f"its process ended with {code} and without a result\n"


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
    return "".join(f"| {line}\n" for line in lines)
