"""One SQLite connection, and the thread that it lives on."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite

from consentsvc.domain.errors import ShuttingDown

T = TypeVar("T")

# Another process may hold the append lock while it commits a group; far longer than that means
# that something is wrong, and the caller should hear of it rather than wait.
_BUSY_SECONDS = 5.0


class Database:
    """Runs whole units of work on the connection's own thread.

    A unit is one function, never a sequence of awaits: a caller that is cancelled then either
    never starts it or leaves it to end by itself. Awaiting statement by statement would leave a
    cancelled caller's transaction open, for the next caller to commit.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._closed = False

    @classmethod
    async def open(cls, log: Path, keys: Path, *, read_only: bool) -> "Database":
        """Opens the log with the keys attached to it as `keys`."""
        mode = "ro" if read_only else "rw"
        opening = asyncio.ensure_future(
            aiosqlite.connect(
                _uri(log, mode), timeout=_BUSY_SECONDS, uri=True, isolation_level=None
            )
        )
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # aiosqlite would drop what its thread is just opening, without closing it.
            with suppress(sqlite3.Error):
                await (await opening).close()
            raise
        database = cls(connection)
        try:
            await database.run(lambda raw: _prepare(raw, keys, mode))
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a unit of work to its end, unless the caller is cancelled before it starts."""
        if self._closed:
            raise ShuttingDown("the store is closed")
        abandoned = False

        def unit(raw: sqlite3.Connection) -> T | None:
            # Nobody waits for it any more; on a slow disk, doing it nevertheless would make those
            # who still wait give up too.
            return None if abandoned else work(raw)

        try:
            # aiosqlite offers statements, not functions: its own queue is the only way to hand
            # one to the connection's thread.
            execute = self._connection._execute  # noqa: SLF001
            outcome = await execute(unit, self._connection._conn)  # type: ignore[no-untyped-call]  # noqa: SLF001
        except asyncio.CancelledError:
            abandoned = True
            raise
        return cast(T, outcome)

    async def close(self) -> None:
        """Closes the connection and ends its thread, which would keep the process from exiting."""
        self._closed = True
        await self._connection.close()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Opens one file, for work that is done before serving or beside it."""
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        _uri(path, mode), timeout=_BUSY_SECONDS, uri=True, isolation_level=None
    )
    if not read_only:
        _settings(connection, "main")
    return connection


def attach_keys(connection: sqlite3.Connection, keys: Path, mode: str) -> None:
    """Makes the tables of the key file reachable as `keys.…`."""
    connection.execute("ATTACH ? AS keys", (_uri(keys, mode),))


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Holds one view of the log.

    What is read inside is fetched whole: a cursor left half-way would keep the view open, and the
    next one to read on this connection would be told of the past.
    """
    with _transaction(connection, "BEGIN"):
        yield


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Holds the append lock; commits at the end, or undoes everything if an exception leaves."""
    with _transaction(connection, "BEGIN IMMEDIATE"):
        yield


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some SQLite has undone itself: after a full disk, for one
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, keys: Path, mode: str) -> None:
    _settings(connection, "main")
    attach_keys(connection, keys, mode)
    _settings(connection, "keys")


def _settings(connection: sqlite3.Connection, schema: str) -> None:
    connection.execute(f"PRAGMA {schema}.synchronous = FULL")
    connection.execute(f"PRAGMA {schema}.secure_delete = ON")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"
