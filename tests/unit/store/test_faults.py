"""What a user is told when the database file cannot be used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from qsched.errors import StoreError
from qsched.store import sqlite
from qsched.store.migrations import APPLICATION_ID, MIGRATIONS, migrate
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import PLACEMENT, RESULT, complete, job, new_job, running

V1 = Path(__file__).with_name("v1.sql")


def made(path: Path, *names: str) -> Path:
    store = SqliteStore(path)
    store.add([new_job(name) for name in names])
    store.close()
    return path


def test_a_store_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "v1.db"
    with sqlite3.connect(path) as old:
        old.executescript(V1.read_text())
    old.close()
    store = SqliteStore(path)
    record = store.get("old")
    assert (record.job, record.placement, record.result) == (job("old", priority=3), PLACEMENT, RESULT)
    assert [line.type for line in store.history("uid-old")] == ["Accepted", "Completed"]
    assert store.values("waits") == {"kyoto": b"\x01"}
    assert store.changes_since(record.seq) == []
    store.add([new_job("new")])
    assert store.get("new").number > record.number
    assert store._db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    store.close()


def test_migrations_run_once_in_order_and_all_or_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "q.db", "a")
    two = (*MIGRATIONS, ("ALTER TABLE jobs ADD COLUMN colour TEXT DEFAULT 'blue'",))
    broken = (*two, ("CREATE TABLE extra (x)", "CREATE TABLE extra (x)"))
    database = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(database, "q.db", broken)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    migrate(database, "q.db", two)
    migrate(database, "q.db", two)
    assert database.execute("SELECT name, colour FROM jobs").fetchall() == [("a", "blue")]
    database.close()
    with pytest.raises(StoreError, match=r"newer qsched \(schema 2; this one knows 1\); upgrade"):
        SqliteStore(path)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "firefox.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    with pytest.raises(StoreError, match="another program"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("bookmarks",)]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk, eggs\n" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt is not a SQLite database"):
        SqliteStore(path)
    assert path.read_text().startswith("milk")


def test_a_damaged_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = made(tmp_path / "q.db", *(f"j{number}" for number in range(200)))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"q\.db is damaged; move it away"):
        store.list()
    store.close()


def test_a_full_disk_is_named_and_nothing_of_the_change_is_stored(tmp_path: Path) -> None:
    store = SqliteStore(made(tmp_path / "q.db", "a"))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full"):
        store.add([new_job(f"b{number}") for number in range(1000)])
    assert [summary.name for summary in store.list()] == ["a"]
    store._db.execute("PRAGMA max_page_count = 100000")
    store.apply([complete("a")])
    assert store.get("a").phase == "Complete"
    store.close()


def test_a_lock_that_is_not_given_back_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    store = SqliteStore(made(tmp_path / "q.db", "a"))
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another process"):
        store.apply([running("a")])
    assert store.get("a").phase == "Pending", "reading goes on"
    other.execute("ROLLBACK")
    store.apply([running("a")])
    assert store.get("a").phase == "Running"
    other.close()
    store.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be (opened|made)"):
        SqliteStore(tmp_path / "q.db")


def test_a_path_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path)
    made(tmp_path / "q.db")
    with pytest.raises(StoreError, match="cannot be made"):
        SqliteStore(tmp_path / "q.db" / "below.db")


def test_a_store_on_read_only_media_says_so(tmp_path: Path) -> None:
    store = SqliteStore(made(tmp_path / "q.db", "a"))
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written; check the permissions"):
        store.apply([running("a")])
    assert store.get("a").phase == "Pending"
    store.close()


def test_the_file_is_marked_as_a_qsched_store(tmp_path: Path) -> None:
    path = made(tmp_path / "q.db")
    marked = sqlite3.connect(path)
    assert marked.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    marked.close()
