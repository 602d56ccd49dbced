"""One SQLite connection, and the thread that it lives on."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aiosqlite

T = TypeVar("T")

# Another process may hold the append lock while it commits a group; far longer than that means
# that something is wrong, and the caller should hear of it rather than wait.
_BUSY_MS = 5_000


class Database:
    """Runs whole units of work on the connection's own thread.

    A unit is one function, never a sequence of awaits: a caller that is cancelled then either
    never starts it or leaves it to end by itself. Awaiting statement by statement would leave a
    cancelled caller's transaction open, for the next caller to commit.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, log: Path, keys: Path, *, read_only: bool) -> "Database":
        """Opens the log with the keys attached to it as `keys`."""
        mode = "ro" if read_only else "rw"
        connection = await aiosqlite.connect(
            f"{log.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
        )
        database = cls(connection)
        try:
            await database.run(lambda raw: _prepare(raw, keys, mode))
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a unit of work to its end, whatever becomes of the caller."""
        # aiosqlite offers statements, not functions: its own queue is the only way to hand one
        # to the connection's thread.
        return await self._connection._execute(  # type: ignore[no-any-return]  # noqa: SLF001
            work,
            self._connection._conn,  # noqa: SLF001
        )

    async def close(self) -> None:
        """Closes the connection and ends its thread, which would keep the process from exiting."""
        await self._connection.close()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Opens one file, for work that is done before serving or beside it."""
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
    )
    _settings(connection, "main")
    return connection


def attach_keys(connection: sqlite3.Connection, keys: Path, mode: str) -> None:
    """Makes the tables of the key file reachable as `keys.…`."""
    connection.execute("ATTACH ? AS keys", (f"{keys.absolute().as_uri()}?mode={mode}",))


def _prepare(connection: sqlite3.Connection, keys: Path, mode: str) -> None:
    _settings(connection, "main")
    attach_keys(connection, keys, mode)
    _settings(connection, "keys")


def _settings(connection: sqlite3.Connection, schema: str) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    if connection.execute("PRAGMA query_only").fetchone() == (0,):
        connection.execute(f"PRAGMA {schema}.synchronous = FULL")
        connection.execute(f"PRAGMA {schema}.secure_delete = ON")
