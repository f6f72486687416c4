"""The SQLite store between processes that write, read and are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qsched.errors import StoreError
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import complete, new_job, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

WRITE_FOR_EVER = """
import itertools, sys
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import complete, new_job, running
store = SqliteStore(sys.argv[1])
with store.engine_lock():
    print("ready", flush=True)
    for batch in itertools.count(int(sys.argv[2])):
        names = [f"j{batch}-{number}" for number in range(20)]
        store.add([new_job(name) for name in names])
        store.apply([running(name) for name in names])
        store.apply([complete(name) for name in names])
        print(batch, flush=True)
"""

HOLD_LOCK_AND_FORK = """
import os, sys, time
from qsched.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
with store.engine_lock():
    child = os.fork()
    if child == 0:
        print("child", os.getpid(), flush=True)
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""

OPEN_AND_ADD = """
import sys
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import new_job
sys.stdin.readline()
store = SqliteStore(sys.argv[1])
for number in range(10):
    store.add([new_job(f"p{sys.argv[2]}-{number}")])
store.close()
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def check_whole(path: Path, batches_seen: int) -> None:
    """Every batch is there as a whole or not at all, up to at least the last one that was reported."""
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
    store = SqliteStore(path)
    batches: dict[str, set[tuple[str, int]]] = {}
    for summary in store.list(limit=1_000_000):
        batch = summary.name.partition("-")[0]
        batches.setdefault(batch, set()).add((summary.phase, len(store.history(summary.uid))))
    assert all(len(kinds) == 1 for kinds in batches.values()), "a transaction was stored in part"
    expected_lines = {"Pending": 1, "Running": 2, "Complete": 3}
    for kinds in batches.values():
        ((phase, lines),) = kinds
        assert lines == expected_lines[phase]
    done = [batch for batch, kinds in batches.items() if ("Complete", 3) in kinds]
    assert len(done) >= batches_seen, "a change that was reported as stored is missing"
    store.close()


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_whole_changes(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    reported = 0
    for kill in range(20):
        with process(WRITE_FOR_EVER, path, kill * 10_000) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n", "the killed engine's lock is free"
            for _ in range(1 + kill % 5):
                assert writer.stdout.readline()
                reported += 1
            os.kill(writer.pid, signal.SIGKILL)
        check_whole(path, reported)


def test_readers_see_whole_changes_while_an_engine_writes(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with process(WRITE_FOR_EVER, path, 0) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        reader = SqliteStore(path)
        seq = 0
        phases: dict[str, str] = {}
        while len(phases) < 200:
            changes = reader.changes_since(seq)
            by_change: dict[int, int] = {}
            for change in changes:
                assert change.seq > seq
                by_change[change.seq] = by_change.get(change.seq, 0) + 1
                phases[change.uid] = change.phase
            assert set(by_change.values()) <= {20}, "half a change was seen"
            seq = max([seq, *by_change])
        reader.send(next(iter(phases)), "Cancel", 1.0)
        assert len(reader.commands()) == 1
        reader.close()


def test_a_second_engine_is_refused_by_the_name_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with process(WRITE_FOR_EVER, path, 0) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        store = SqliteStore(path)
        with (
            pytest.raises(StoreError, match=rf"another engine \(process {writer.pid}\)"),
            store.engine_lock(),
        ):
            pass
        store.close()


def test_one_process_cannot_run_two_engines_and_may_run_them_in_turn(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "q.db"), SqliteStore(tmp_path / "q.db")
    with first.engine_lock(), pytest.raises(StoreError, match=f"process {os.getpid()}"), second.engine_lock():
        pass
    with second.engine_lock():
        pass
    first.close()
    second.close()


def test_a_killed_engine_frees_the_lock_although_its_workers_live_on(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with process(HOLD_LOCK_AND_FORK, path) as engine:
        assert engine.stdout is not None
        word, child = engine.stdout.readline().split()
        assert word == "child"
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        try:
            os.kill(int(child), 0)
            store = SqliteStore(path)
            with store.engine_lock():
                pass
            store.close()
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_processes_that_make_the_store_together_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    command = [sys.executable, "-c", OPEN_AND_ADD, str(path)]
    started = [
        subprocess.Popen(
            [*command, str(number)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    errors = [each.communicate()[1] for each in started]
    assert errors == [""] * 4
    store = SqliteStore(path)
    assert len(store.list()) == 40
    store.close()


def test_the_disk_limit_of_a_process_gives_a_store_error(tmp_path: Path) -> None:
    """A file that may not grow is as near to a full disk as a test comes without mounting one."""
    code = """
import resource, signal, sys
from qsched.errors import StoreError
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import new_job
store = SqliteStore(sys.argv[1])
store.add([new_job("kept")])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    store.add([new_job(f"j{number}") for number in range(5000)])
except StoreError as error:
    print(error)
"""
    path = tmp_path / "q.db"
    with process(code, path) as limited:
        output, _ = limited.communicate(timeout=60)
    assert "nothing of this change was stored" in output
    store = SqliteStore(path)
    assert [summary.name for summary in store.list()] == ["kept"]
    store.apply([running("kept")])
    store.apply([complete("kept")])
    store.add([new_job("next")])
    store.close()
