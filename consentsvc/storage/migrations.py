"""Numbered SQL files, applied once, in order, and never changed afterwards."""

import hashlib
import sqlite3
from importlib import resources

from consentsvc.storage.errors import StoreRefused

_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 TEXT NOT NULL
) STRICT
"""


def migrate(connection: sqlite3.Connection, folder: str) -> None:
    """Brings a database up to date, all of it or nothing.

    Raises `StoreRefused` if a migration that was applied is not the one of this release, or if the
    database comes from a later release.
    """
    known = _known(folder)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        applied = {
            number: (name, digest)
            for number, name, digest in connection.execute(
                "SELECT number, name, sha256 FROM migration"
            )
        }
        for number, (name, digest) in applied.items():
            if number not in known:
                raise StoreRefused(f"the database comes from a later release (migration {name})")
            if known[number][1] != digest:
                raise StoreRefused(f"migration {name} is not the one that was applied")
        for number, (name, digest, statements) in sorted(known.items()):
            if number not in applied:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO migration (number, name, sha256) VALUES (?, ?, ?)",
                    (number, name, digest),
                )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _known(folder: str) -> dict[int, tuple[str, str, list[str]]]:
    migrations = {}
    for file in (resources.files("consentsvc.storage") / "schema" / folder).iterdir():
        if file.name.endswith(".sql"):
            text = file.read_text(encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            migrations[int(file.name[:4])] = (file.name, digest, _statements(text))
    return migrations


def _statements(text: str) -> list[str]:
    """Splits a script as SQLite itself would; `executescript` would commit in between."""
    statements, current = [], ""
    for line in text.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
