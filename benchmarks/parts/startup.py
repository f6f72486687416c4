"""How long the command and the library take to start.

Cold means a new process; the files themselves are in the disk's cache, as they are the second time a user
types the command.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scenarios.fake_jobs import submit
from qsched.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 0
STORED = 20
_TIMED_IMPORT = """
import time
started = time.perf_counter()
import qsched
print(time.perf_counter() - started)
"""


def run(*, quick: bool) -> dict[str, float]:
    """Medians of whole processes, the kinds taking turns, and of the import alone inside one.

    Args:
        quick: Five rounds rather than fifteen.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "qsched.db"
        store = SqliteStore(path)
        submit(store, "job", STORED)
        store.close()
        commands = {
            "pass": [sys.executable, "-c", "pass"],
            "import": [sys.executable, "-c", "import qsched"],
            "get": [str(Path(sys.executable).with_name("qsched")), "get", "--store", str(path)],
        }
        took_ms: dict[str, list[float]] = {name: [] for name in (*commands, "import_alone")}
        for index in range(1 + (5 if quick else 15)):
            round_ms = {name: _process_ms(command) for name, command in commands.items()}
            round_ms["import_alone"] = float(_output([sys.executable, "-c", _TIMED_IMPORT])) * 1e3
            if index:  # the first round fills the disk's cache
                _add(took_ms, round_ms)
    median = {name: statistics.median(values) for name, values in took_ms.items()}
    return {
        "get_ms": median["get"],
        "import_ms": median["import_alone"],
        "python_ms": median["pass"],
        "get_ratio": median["get"] / median["pass"],
        "import_ratio": median["import"] / median["pass"],
        "get_best_ms": min(took_ms["get"]),
    }


def _add(took_ms: Mapping[str, list[float]], round_ms: Mapping[str, float]) -> None:
    for name, value in round_ms.items():
        took_ms[name].append(value)


def _process_ms(command: Sequence[str]) -> float:
    started = time.perf_counter()
    _output(command)
    return (time.perf_counter() - started) * 1e3


def _output(command: Sequence[str]) -> str:
    """What a command printed; as on a terminal, Python may keep its compiled files."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
