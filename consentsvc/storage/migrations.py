"""Numbered SQL files, applied once, in order, and never changed afterwards."""

import hashlib
import sqlite3
from contextlib import closing
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from consentsvc.storage.database import writing
from consentsvc.storage.errors import StoreRefused

_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 TEXT NOT NULL
) STRICT
"""


class _Migration(NamedTuple):
    name: str
    sha256: str
    statements: list[str]


def migrate(connection: sqlite3.Connection, folder: str) -> None:
    """Brings a database up to date, all of it or nothing.

    Raises `StoreRefused` if a migration that was applied is not the one of this release, or if the
    database comes from a later release.
    """
    known = _known(folder)
    with writing(connection):
        connection.execute(_TABLE)
        applied = connection.execute("SELECT number, name, sha256 FROM migration").fetchall()
        for number, name, sha256 in applied:
            if number not in known:
                raise StoreRefused(
                    f"migration {name} comes from a later release: start that release instead"
                )
            if known[number].sha256 != sha256:
                raise StoreRefused(
                    f"migration {name} is not the one that was applied: reinstall this release,"
                    " whose files have been changed"
                )
        for number in sorted(known.keys() - {row[0] for row in applied}):
            name, sha256, statements = known[number]
            for statement in statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migration (number, name, sha256) VALUES (?, ?, ?)",
                (number, name, sha256),
            )


def expected_schema(folder: str) -> tuple[set[tuple[str, ...]], list[tuple[int, str, str]]]:
    """What a database that is up to date is made of, and the migrations that made it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, folder)
        return schema_of(connection, "main")


def schema_of(
    connection: sqlite3.Connection, schema: str
) -> tuple[set[tuple[str, ...]], list[tuple[int, str, str]]]:
    """What a database is made of, and the migrations that were applied to it."""
    made = connection.execute(
        f"SELECT type, name, sql FROM {schema}.sqlite_schema WHERE sql IS NOT NULL"  # noqa: S608 - main or keys
    ).fetchall()
    applied = connection.execute(
        f"SELECT number, name, sha256 FROM {schema}.migration ORDER BY number"  # noqa: S608 - main or keys
    ).fetchall()
    return set(made), applied


def _known(folder: str) -> dict[int, _Migration]:
    known: dict[int, _Migration] = {}
    for file in (resources.files("consentsvc.storage") / "schema" / folder).iterdir():
        if file.name.endswith(".sql"):
            number, one = int(file.name[:4]), _read(file)
            # Two branches can each add one: the second would take the first's place unnoticed.
            if number in known:
                raise ValueError(f"{known[number].name} and {one.name} have the same number")
            known[number] = one
    return known


def _read(file: Traversable) -> _Migration:
    text = file.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return _Migration(file.name, digest, _statements(text))


def _statements(text: str) -> list[str]:
    """Splits a script as SQLite itself would; `executescript` would commit in between."""
    statements, current = [], ""
    for line in text.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    if current.strip():
        raise ValueError("a migration ends in the middle of a statement")
    return statements
