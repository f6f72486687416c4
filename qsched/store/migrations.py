"""The SQLite schema, version by version.

Entry n of ``MIGRATIONS`` takes a database from version n to n + 1. An entry that was released is never
changed; there is no way back. The version is ``PRAGMA user_version``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qsched.errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

APPLICATION_ID = 0x71736368
"""``PRAGMA application_id`` of a qsched store: "qsch" in ASCII."""

# jobs holds what changes and what lists show; documents, which are large and change seldom, stay out of
# its rows, because SQLite rewrites a whole row for any change of it.
_V1 = (
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL UNIQUE,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        phase TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        message TEXT NOT NULL DEFAULT '',
        backend TEXT,
        priority INTEGER NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0,
        submitted_at REAL NOT NULL,
        finished_at REAL,
        ttl_s REAL,
        seq INTEGER NOT NULL,
        state BLOB NOT NULL,
        UNIQUE (namespace, name)
    )""",
    "CREATE INDEX jobs_seq ON jobs (seq)",
    "CREATE INDEX jobs_unsettled ON jobs (number) WHERE settled = 0",
    """CREATE TABLE declarations (
        number INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, body BLOB NOT NULL)""",
    """CREATE TABLE placements (
        number INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, body BLOB NOT NULL)""",
    """CREATE TABLE results (
        number INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, body BLOB NOT NULL)""",
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        number INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        message TEXT NOT NULL)""",
    "CREATE INDEX history_number ON history (number)",
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
        kind TEXT NOT NULL,
        value INTEGER,
        at REAL NOT NULL)""",
    "CREATE INDEX commands_number ON commands (number)",
    """CREATE TABLE facts (
        kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID""",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO counters VALUES ('seq', 0)",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_V1,)


def migrate(
    connection: sqlite3.Connection, where: str, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring a database up to the newest version, in one transaction.

    Args:
        connection: In autocommit mode.
        where: The database's name for messages.
        migrations: Statements for each version.

    Raises:
        StoreError: If the database belongs to another program, or to a newer qsched.
        sqlite3.Error: Whatever SQLite says.
    """
    with _transaction(connection, "BEGIN"):
        version = _version(connection, where, len(migrations))
    if version == len(migrations):
        return
    with _transaction(connection, "BEGIN IMMEDIATE"):
        # Another process may have been faster.
        for statements in migrations[_version(connection, where, len(migrations)) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, where: str, newest: int) -> int:
    """The schema's version; to be read in one transaction, or another process's migration shows by halves."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (tables or application or version):
        raise StoreError(f"{where} is a SQLite database of another program; name another file for the store")
    if version > newest:
        raise StoreError(
            f"{where} was written by a newer qsched "
            f"(schema {version}; this one knows {newest}); upgrade qsched"
        )
    return version
