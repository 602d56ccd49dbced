"""The tables of the state file."""

import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS place (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS due (
    kind     TEXT NOT NULL,
    registry TEXT NOT NULL,
    name     TEXT NOT NULL,
    mark     INTEGER NOT NULL,   -- grows with every change, so that a newer one is not cleared
    urgent   INTEGER NOT NULL,   -- 1: something may have to be hidden
    PRIMARY KEY (kind, registry, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_in_order ON due (registry, urgent DESC, mark);
CREATE INDEX IF NOT EXISTS due_by_mark ON due (mark);
CREATE TABLE IF NOT EXISTS applied (
    kind      TEXT NOT NULL,
    registry  TEXT NOT NULL,
    name      TEXT NOT NULL,
    state     TEXT NOT NULL,     -- what was sent and accepted
    published TEXT NOT NULL,     -- the fields that this published
    digests   TEXT NOT NULL,     -- of the values that were sent, by field; null: never looked at
    sure      INTEGER NOT NULL,  -- 0: something was sent since, and it is not known what came of it
    refused   TEXT,              -- what the registry refused since, if it did
    PRIMARY KEY (kind, registry, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS report (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    report TEXT NOT NULL         -- what is still to be told to the consent service
) STRICT;
"""

# What a table has besides, in the files that were made before it was needed as in new ones.
_ADDED = {
    "due": {
        # 1: a cursor that is to be acknowledged waits until this is done
        "awaited": "INTEGER NOT NULL DEFAULT 0",
    },
    "applied": {
        # Of the contact object that was told: its handle, whose contact that was, and what was
        # told of it, which is none of its values.
        "handle": "TEXT NOT NULL DEFAULT ''",
        "account": "TEXT NOT NULL DEFAULT ''",
        "facts": "TEXT NOT NULL DEFAULT ''",
        # 1: accepted, and not in force yet
        "pending": "INTEGER NOT NULL DEFAULT 0",
    },
}

_VIEWS = """
CREATE INDEX IF NOT EXISTS due_awaited ON due (awaited) WHERE awaited = 1;
CREATE INDEX IF NOT EXISTS applied_of_account ON applied (account);
-- Contact objects that may be public.
CREATE VIEW IF NOT EXISTS standing AS
    SELECT kind, registry, name, account FROM applied
    WHERE kind <> 'domain' AND (published <> '[]' OR sure = 0);
"""


def make(connection: sqlite3.Connection) -> None:
    """Makes what is not there yet."""
    _run(connection, _TABLES)
    for table, columns in _ADDED.items():
        there = {row[1] for row in connection.execute(f"PRAGMA table_info ({table})")}
        for name, what in columns.items():
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {what}")
    _run(connection, _VIEWS)


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)
