"""What is to be done at the registries, as it is written down: which things, and in which order."""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import NamedTuple

_IN_ORDER = """
SELECT kind, registry, name, mark, urgent FROM due WHERE registry = ?
    ORDER BY urgent DESC, mark
"""
_ANYHOW = """
SELECT kind, registry, name, mark, urgent FROM due WHERE registry = ?
    ORDER BY urgent DESC, random()
"""
_URGENT = """
SELECT kind, registry, name, mark, urgent FROM due WHERE registry = ? AND urgent = 1
    ORDER BY mark
"""

CONTACT, DOMAIN, FORMER = "contact", "domain", "former"
"""The kinds of things: a contact by its id, a domain by its name, and an object that was a
contact's once, by its handle."""


class Thing(NamedTuple):
    """What a registry has one switch for: a contact object, or a domain."""

    kind: str
    registry: str
    name: str


class Due(NamedTuple):
    """Something that a change may concern. `mark` names the latest of these changes."""

    thing: Thing
    mark: int
    urgent: bool


def at(
    connection: sqlite3.Connection, registry: str, *, anyhow: bool
) -> Generator[Due, None, None]:
    """What is to be done at a registry, what is urgent first: the oldest first, or at random."""
    return _read(connection, _ANYHOW if anyhow else _IN_ORDER, registry)


def urgent_at(connection: sqlite3.Connection, registry: str) -> Generator[Due, None, None]:
    """What is urgent at a registry, the oldest first."""
    return _read(connection, _URGENT, registry)


def take(connection: sqlite3.Connection, things: Iterable[Thing], *, urgent: bool) -> None:
    """Notes what is to be done; what was to be done already gets a new mark."""
    (mark,) = connection.execute("SELECT coalesce(max(mark), 0) + 1 FROM due").fetchone()
    connection.executemany(
        "INSERT INTO due (kind, registry, name, mark, urgent) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, registry, name) DO UPDATE"
        " SET mark = excluded.mark, urgent = max(urgent, excluded.urgent)",
        ((*thing, mark, int(urgent)) for thing in things),
    )


def clear(connection: sqlite3.Connection, due: Due) -> None:
    """Notes that something is done, unless it has changed since."""
    connection.execute(
        "DELETE FROM due WHERE kind = ? AND registry = ? AND name = ? AND mark = ?",
        (*due.thing, due.mark),
    )


def _read(connection: sqlite3.Connection, query: str, registry: str) -> Generator[Due, None, None]:
    with closing(connection.execute(query, (registry,))) as rows:
        for kind, at_registry, name, mark, urgent in rows:
            yield Due(Thing(kind, at_registry, name), mark, bool(urgent))
