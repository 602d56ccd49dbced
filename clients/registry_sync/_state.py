"""What the job must not forget: how far it has read, what is still to be done, what was applied.

One file, written in transactions. What is to be done is in it before the place in the feed moves
on, so that no change is lost to a crash. That something is about to be sent is in it before it is
sent, and what was applied after the registry has accepted: what stands in between is known to be
unknown, and is sent once more, whatever is wanted by then.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consentclient import ContactFacts
from registry_sync import _applied as what_stands
from registry_sync import _due as what_is_due
from registry_sync import _schema as schema
from registry_sync._applied import Applied
from registry_sync._due import Due, Thing


class StateUnusable(Exception):
    """The file cannot be used: another job has it, or it is something else."""


class State:
    """The job's memory in a file, for as long as a `with` block runs. One job has it at a time.

    Without a file all is forgotten at the end of the block.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._opened: sqlite3.Connection | None = None

    def cursor(self) -> str | None:
        """Where the feed is to be read on from; None if it was never read."""
        return self._place("cursor")

    def start_position(self) -> int | None:
        """Where the feed begins for a job that has reconciled and not read it yet."""
        value = self._place("start_position")
        return None if value is None else int(value)

    def begin_at(self, position: int) -> None:
        """Remembers where the feed begins, unless it has been read already."""
        if self.cursor() is None:
            self._set_place("start_position", str(position))

    def secret(self) -> bytes:
        """32 bytes of this file's own, made with it: digests of values are keyed with them."""
        return bytes.fromhex(self._place("secret") or "")

    def take(
        self,
        things: Collection[Thing],
        urgent: Collection[Thing] = (),
        cursor: str | None = None,
        *,
        afresh: bool = False,
    ) -> None:
        """Notes what is to be done, and with it how far the feed was read: both, or neither.

        `urgent` is what may have to be hidden: it is done before everything else. `afresh`:
        somebody said something about it, so that what was refused before is tried again.
        """
        with self._transaction() as connection:
            what_is_due.take(connection, things, urgent=False)
            what_is_due.take(connection, urgent, urgent=True)
            if afresh:
                connection.executemany(
                    "UPDATE applied SET refused = NULL"
                    " WHERE kind = ? AND registry = ? AND name = ? AND refused IS NOT NULL",
                    (*things, *urgent),
                )
            if cursor is not None:
                _put(connection, "cursor", cursor)

    def due(
        self,
        registry: str,
        limit: int,
        passed_over: Callable[[Due], bool] = lambda _due: False,
        *,
        anyhow: bool = False,
    ) -> list[Due]:
        """What is to be done at a registry, the oldest first; only what is urgent, if any is.

        Some of it can be passed over. `anyhow`: not the oldest first, but any, at random.
        """
        with closing(what_is_due.at(self._connection, registry, anyhow=anyhow)) as there:
            found = list(islice((one for one in there if not passed_over(one)), limit))
        return [one for one in found if one.urgent is found[0].urgent]

    def is_pressed(
        self, registry: str, passed_over: Callable[[Due], bool] = lambda _due: False
    ) -> bool:
        """Whether something urgent is to be done at a registry; some of it can be passed over."""
        with closing(what_is_due.urgent_at(self._connection, registry)) as there:
            return any(not passed_over(one) for one in there)

    def defer(self, some: Iterable[Due]) -> None:
        """Notes that these are not urgent, as it turned out; what has changed since, may be."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE due SET urgent = 0"
                " WHERE kind = ? AND registry = ? AND name = ? AND mark = ?",
                ((*one.thing, one.mark) for one in some),
            )

    def await_due(self) -> None:
        """Begins to wait for all that is to be done now, and for nothing that comes later."""
        with self._transaction() as connection:
            connection.execute("UPDATE due SET awaited = 1 WHERE awaited = 0")

    def is_awaited(self) -> bool:
        """Whether something that is waited for is not done yet.

        What has changed since counts as not done until it is done as it is now.
        """
        row = self._connection.execute("SELECT 1 FROM due WHERE awaited = 1 LIMIT 1").fetchone()
        return row is not None

    def waiting(self) -> dict[str, int]:
        """How much is to be done, by registry."""
        rows = self._connection.execute("SELECT registry, count(*) FROM due GROUP BY registry")
        return dict(rows.fetchall())

    def applied(self, thing: Thing) -> Applied:
        """What stands at the registry; nothing is known of what was never told."""
        return what_stands.read(self._connection, thing)

    def take_standing(self) -> None:
        """Notes as to be looked at whatever contact may be public at a registry.

        Whatever became of it in the registrar's directory: somebody was shown.
        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO due (kind, registry, name, mark, urgent)"
                " SELECT kind, registry, name, (SELECT coalesce(max(mark), 0) + 1 FROM due), 0"
                " FROM standing WHERE true"
                # What is being looked at may have been asked about before.
                " ON CONFLICT (kind, registry, name) DO UPDATE SET mark = excluded.mark"
            )

    def standing(self, account: str, contact_id: str | None = None) -> list[Thing]:
        """What contacts of an account, or one of them, may be public at a registry."""
        rows = self._connection.execute(
            "SELECT kind, registry, name FROM standing WHERE account = ?1"
            " AND (?2 IS NULL OR name = ?2)",
            (account, contact_id),
        )
        return [Thing(*row) for row in rows]

    def hand_over(self, thing: Thing, other: Thing) -> None:
        """Makes what stands of a thing that of another one, which is to be looked at at once."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE OR REPLACE applied SET kind = ?, registry = ?, name = ?"
                " WHERE kind = ? AND registry = ? AND name = ?",
                (*other, *thing),
            )
            what_is_due.take(connection, [other], urgent=True)
            # Whoever waits for the thing waits for what it was: that may be what is public.
            connection.execute(
                "UPDATE due SET awaited = 1 WHERE kind = ? AND registry = ? AND name = ?"
                " AND EXISTS (SELECT 1 FROM due"
                " WHERE kind = ? AND registry = ? AND name = ? AND awaited = 1)",
                (*other, *thing),
            )

    def forget(self, due: Due) -> None:
        """Notes that a thing is not there any more."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM applied WHERE kind = ? AND registry = ? AND name = ?", due.thing
            )
            what_is_due.clear(connection, due)

    def about_to_send(self, told: Iterable[tuple[Thing, str, ContactFacts]]) -> None:
        """Notes that from here on it is not known what stands, until it is said to be.

        With each thing the handle of the contact object that is told, and the contact's facts.
        """
        # What follows may be lost to a power cut, and is then done again. This may not: what was
        # shown would be forgotten, and not be hidden when it must.
        self._connection.execute("PRAGMA synchronous = FULL")
        try:
            with self._transaction() as connection:
                connection.executemany(
                    "INSERT INTO applied"
                    " (kind, registry, name, handle, account, facts,"
                    " state, published, digests, sure)"
                    " VALUES (?, ?, ?, ?, ?, ?, 'null', '[]', 'null', 0)"
                    " ON CONFLICT (kind, registry, name) DO UPDATE"
                    " SET sure = 0, handle = excluded.handle,"
                    " account = excluded.account, facts = excluded.facts",
                    (
                        (*thing, handle, facts.subject_id, what_stands.written_facts(facts))
                        for thing, handle, facts in told
                    ),
                )
        finally:
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def answered(
        self,
        due: Due,
        applied: Applied,
        reports: Iterable[Mapping[str, Any]] = (),
        *,
        done: bool = True,
    ) -> None:
        """Notes what stands after a registry's answer, and what is to be told of it."""
        with self._transaction() as connection:
            what_stands.write(connection, due.thing, applied)
            if done:
                what_is_due.clear(connection, due)
            connection.executemany(
                "INSERT INTO report (report) VALUES (?)", ((json.dumps(one),) for one in reports)
            )

    def settled(self, unchanged: Iterable[tuple[Due, Applied]]) -> None:
        """Notes that there was nothing to send, and what stands."""
        with self._transaction() as connection:
            for due, applied in unchanged:
                # Mostly it is what stood before: to read it is cheaper than to write it.
                if applied != self.applied(due.thing):
                    what_stands.write(connection, due.thing, applied)
                what_is_due.clear(connection, due)

    def forget_refusals(self) -> None:
        """Lets everything be tried once more."""
        with self._transaction() as connection:
            connection.execute("UPDATE applied SET refused = NULL WHERE refused IS NOT NULL")

    def reports(self, limit: int) -> list[tuple[int, Mapping[str, Any]]]:
        """What is still to be told to the consent service, the oldest first."""
        rows = self._connection.execute(
            "SELECT number, report FROM report ORDER BY number LIMIT ?", (limit,)
        ).fetchall()
        return [(number, json.loads(report)) for number, report in rows]

    def complete(self, number: int, report: Mapping[str, Any]) -> None:
        """Notes what is to be told instead."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE report SET report = ? WHERE number = ?", (json.dumps(report), number)
            )

    def reported(self, number: int) -> None:
        """Notes that a report has arrived."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM report WHERE number = ?", (number,))

    def copy_to(self, other: "State") -> None:
        """Copies everything, for a job that must leave no trace."""
        self._connection.backup(other._connection)  # noqa: SLF001 - it is of the same class

    def __enter__(self) -> Self:
        if self._file is not None:
            with suppress(OSError):  # what is wrong with the file is said when it is opened
                self._file.touch(mode=0o600)
        # Nobody is waited for: whoever has the file keeps it.
        self._opened = sqlite3.connect(
            self._file or "", timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._set_up()
        except sqlite3.OperationalError as error:
            self.__exit__(None, None, None)
            locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            why = "another job is using it" if locked else str(error)
            raise StateUnusable(f"{self._file}: {why}") from error
        except sqlite3.Error as error:
            self.__exit__(None, None, None)
            raise StateUnusable(f"{self._file}: {error}") from error
        return self

    def _set_up(self) -> None:
        connection = self._connection
        # Two jobs would send each other's past to the registry.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut may take the last transactions, all of each: they are then done again.
        connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            schema.make(connection)
            connection.execute(
                "INSERT OR IGNORE INTO place (name, value)"
                " VALUES ('secret', lower(hex(randomblob(32))))"
            )
            # Nothing is to be hidden there ever again. A contact that is gone is kept: should it
            # come back, its values are compared with those that the registry has.
            connection.execute(
                "DELETE FROM applied WHERE kind = 'former' AND published = '[]' AND sure = 1"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            raise RuntimeError("the state is not open: use it in a `with` block")
        return self._opened

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _place(self, name: str) -> str | None:
        with closing(
            self._connection.execute("SELECT value FROM place WHERE name = ?", (name,))
        ) as rows:
            row = rows.fetchone()
        return None if row is None else str(row[0])

    def _set_place(self, name: str, value: str) -> None:
        with self._transaction() as connection:
            _put(connection, name, value)


def _put(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO place (name, value) VALUES (?, ?)", (name, value))
