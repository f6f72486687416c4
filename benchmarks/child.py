"""The process that a part runs in: takes an order from standard input, sends bars and the run back.

Nothing but the part is imported here that could cost the part memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import threading
import time
import traceback
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import benchmarks.parts
from benchmarks import progress
from benchmarks.findings import Findings, LeftOut, plain
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Order(msgspec.Struct, frozen=True):
    """What to run.

    Attributes:
        name: The part.
        quick: Whether its workload is to be small.
        arguments: Options for the part, as on the command line.
        parts: A folder where parts are looked for before this package's.
    """

    name: str
    quick: bool = False
    arguments: list[str] = []
    parts: str = ""


class Run(msgspec.Struct, frozen=True):
    """What one part gave.

    Attributes:
        part: Its name.
        title: The first line of its docstring.
        seed: What its scenario was made from.
        seconds: How long it took.
        peak_bytes: The most memory that its process held.
        findings: What it measured; plain data.
        error: Why it failed; empty if it did not.
        wrong_input: Whether it failed because of its options.
        left_out: Why it did not run; empty if it did.
    """

    part: str
    title: str = ""
    seed: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    findings: Findings = Findings({})
    error: str = ""
    wrong_input: bool = False
    left_out: str = ""


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    bar: progress.Bar | None = None
    run: Run | None = None


def from_child(line: bytes | bytearray) -> progress.Bar | Run | None:
    """What a line from a part's process says."""
    message = msgspec.json.decode(line, type=_Message)
    return message.run or message.bar


def main() -> None:
    """Serve one order. The second argument is the number of the file that messages go to."""
    # A harness that was started in the background may have handed down that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    messages = int(sys.argv[2])
    os.set_inheritable(messages, False)
    send = partial(_send, messages)
    # The part's own processes must not read what is ours.
    orders = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    order = msgspec.json.decode(orders.readline(), type=Order)
    threading.Thread(target=_end_with, args=[orders], daemon=True).start()
    progress.send_to(lambda bar: send(_Message(bar=bar)))
    if order.parts:
        benchmarks.parts.__path__.insert(0, order.parts)
    try:
        run = measure(order)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BaseException:  # noqa: BLE001 - also a part that exits
        run = Run(order.name, error=traceback.format_exc())
    send(_Message(run=run))


def measure(order: Order) -> Run:
    """Run a part in this process.

    Raises:
        ModuleNotFoundError: If there is no such part, or it needs a package that is missing.
        Exception: Whatever the part raises, but for what the protocol gives a meaning.
    """
    module = import_module(f"benchmarks.parts.{order.name}")
    run = Run(order.name, title=title(module.__doc__), seed=module.SEED)
    started = time.perf_counter()
    try:
        found = module.run(quick=order.quick, **_options(module, order.arguments))
    except LeftOut as reason:
        return msgspec.structs.replace(run, left_out=str(reason))
    except InvalidInput as error:
        return msgspec.structs.replace(run, error=f"{error}\n", wrong_input=True)
    return msgspec.structs.replace(
        run,
        seconds=time.perf_counter() - started,
        peak_bytes=_peak_bytes(),
        findings=plain(found if isinstance(found, Findings) else Findings(dict(found))),
    )


def title(docstring: str | None) -> str:
    """The first line of a part's docstring, without its full stop."""
    return (docstring or "").strip().partition("\n")[0].removesuffix(".")


def _options(module: ModuleType, arguments: Sequence[str]) -> dict[str, Any]:
    """What ``run`` takes beside ``quick``."""
    if not hasattr(module, "configure"):
        return {}
    parser = argparse.ArgumentParser(module.__name__, allow_abbrev=False)
    module.configure(parser)
    return {"options": parser.parse_args(arguments)}


def _send(messages: int, message: _Message) -> None:
    line = memoryview(msgspec.json.encode(message) + b"\n")
    while line:
        line = line[os.write(messages, line) :]


def _end_with(orders: Any) -> None:
    """End this process and those that it started once the one that gave the order is gone."""
    orders.read()
    os.killpg(0, signal.SIGKILL)


def _peak_bytes() -> int:
    """The most memory that this process held.

    Linux counts what the parent held before this program was loaded into ``ru_maxrss``, and tells the
    program's own peak in a file.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
