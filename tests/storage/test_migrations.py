"""Migrations are applied once, in order, all of them or none."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from consentsvc.domain.consent import Consent, Objection
from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import EventKind, Signal
from consentsvc.domain.identifiers import Position
from consentsvc.domain.publication.choices import SILENT
from consentsvc.service.notices import publish
from consentsvc.service.ports import Inquiry, Remembered, Request
from consentsvc.storage import (
    migrations,
    sqlite,
    sqlite_checkpoints,
    sqlite_erasure,
    sqlite_files,
    sqlite_states,
    sqlite_tree,
)
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.migrations import expected_schema, migrate, schema_of
from consentsvc.storage.sqlite import open_sqlite
from consentsvc.storage.sqlite_remains import Suppressions
from consentsvc.storage.sqlite_requests import Requests
from consentsvc.storage.verify import Report, verify
from tests.storage.making import (
    ANNA,
    BEN,
    NAME,
    OF_CONTACT,
    PUBLICATION,
    event,
    everything,
    given,
    record,
    request,
    requested,
    sayings_in,
    scoped,
)
from tests.support.catalogues import NEWSLETTER, catalogue
from tests.support.clock import FakeClock

FOLDERS = ("sqlite", "sqlite_keys")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release whose migrations the test writes, instead of our own."""
    folder = tmp_path / "schema" / "test"
    folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (a);\nINSERT INTO first VALUES (1);")
    return folder


def tables(connection: sqlite3.Connection) -> set[str]:
    return {
        row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_own_are_applied_once(connection: sqlite3.Connection, folder: str) -> None:
    """Applying them a second time changes nothing."""
    migrate(connection, folder)
    once = schema_of(connection, "main"), connection.total_changes
    migrate(connection, folder)

    assert (schema_of(connection, "main"), connection.total_changes) == once
    assert schema_of(connection, "main") == expected_schema(folder)


async def test_a_log_of_the_first_schema_goes_on(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log written before there were scopes is opened, brought up to date, and written to."""
    path = tmp_path / "log.db"
    with monkeypatch.context() as patch:
        an_earlier_release(patch, 1)
        async with open_sqlite(path, clock=clock) as store:
            await publish(store, catalogue())
            await record(store, given(), requested(BEN), given(BEN, PUBLICATION))
            before = await everything(store)
        with closing(sqlite3.connect(path)) as connection:
            assert "scoped_consent" not in tables(connection)
    async with open_sqlite(path, clock=clock) as store:
        after = await everything(store)
        await record(store, scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME))
        _, (anna, ben) = await store.choices(
            PUBLICATION, [Inquiry(one, frozenset({OF_CONTACT})) for one in (ANNA, BEN)]
        )
        _, known_of_ben = await store.subject_record(BEN)
        events = await everything(store)

    assert after == before
    assert anna.sayings == sayings_in(events, ANNA)
    assert ben == SILENT
    assert known_of_ben is not None
    assert known_of_ben.consents[PUBLICATION].position == 11
    assert verify(path).problems == ()
    with closing(sqlite3.connect(path)) as connection:
        assert schema_of(connection, "main") == expected_schema("sqlite")


async def test_an_objection_older_than_its_time(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objections that stood before their time was kept tell it from then on, signals' ones too."""
    path = tmp_path / "log.db"
    by_signal = event(
        EventKind.OBJECTION_RAISED, BEN, NEWSLETTER, signal=Signal.GLOBAL_PRIVACY_CONTROL
    )
    with monkeypatch.context() as patch:
        an_earlier_release(patch, 4)
        async with open_sqlite(path, clock=clock) as store:
            await record(store, event(EventKind.OBJECTION_RAISED, ANNA, NEWSLETTER), given())
            clock.advance(timedelta(days=1))
            await record(store, by_signal)
    async with open_sqlite(path, clock=clock) as store:
        events = await everything(store)
        (anna, ben) = [(await store.subject_record(one))[1] for one in (ANNA, BEN)]

    assert anna is not None
    assert ben is not None
    assert anna.consents[NEWSLETTER].objection == Objection(Position(1), events[0].recorded_at)
    assert ben.consents[NEWSLETTER].objection == Objection(
        Position(3), events[2].recorded_at, by_signal=True
    )
    assert events[0].recorded_at < events[2].recorded_at
    assert verify(path).problems == ()


async def test_an_answer_older_than_the_seal_is_told_apart(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was answered before answers had a seal is still answered, and is counted.

    What it says cannot be proved any more, and `verify` does not pretend to; every later one can.
    """
    path = tmp_path / "log.db"
    old, new = request(id="old"), request(id="new")
    with monkeypatch.context() as patch:
        an_earlier_release(patch, 2)
        async with open_sqlite(path, clock=clock) as store:
            await record(store, given())
            await store.write(lambda one: one.remember(old, ANNA, b"of old"), {ANNA})
    answers = []
    for _ in range(2):
        async with open_sqlite(path, clock=clock) as store:
            answers.append(await store.write(lambda one: one.recall(old)))
            if len(answers) == 1:
                await store.write(lambda one: one.remember(new, ANNA, b"of today"), {ANNA})
            answers.append(await store.write(lambda one: one.recall(new)))

    assert answers == [Remembered(True, b"of old"), Remembered(True, b"of today")] * 2
    assert verify(path) == Report(1, 1, (), 0, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER request_no_update")
        connection.execute("UPDATE request SET mac = NULL")
        connection.commit()
    async with open_sqlite(path, clock=clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.write(lambda one: one.recall(new))
    assert "request" in {one.table for one in verify(path).problems}


_COLUMNS_SINCE: list[tuple[int, Any]] = [(4, 0), (4, None), (6, None)]
"""The columns that states have got since, each by its migration and with what it holds at first."""


def an_earlier_release(patch: pytest.MonkeyPatch, last: int) -> None:
    """Lets stores be made and written as they were when that was the last migration."""
    known = migrations._known
    patch.setattr(sqlite_tree, "grow", lambda connection: None)  # there was no tree
    # Nothing was signed, and there was no secret to sign with.
    patch.setattr(sqlite_checkpoints, "reconcile", lambda connection: None)
    patch.setattr(sqlite_files, "_USED_IN", {})
    patch.setattr(sqlite_files, "ALL_SECRETS", sqlite_files.SECRETS)
    # Nobody was erased.
    patch.setattr(sqlite, "REMAINS", sqlite_files.SECRETS[0])
    patch.setattr(Suppressions, "read", lambda self, connection, subjects: {})
    patch.setattr(sqlite_erasure, "unrecorded", lambda connection: [])
    patch.setattr(sqlite_erasure, "finish", lambda connection, suppressions, after: after)

    def known_then(folder: str) -> dict[int, migrations._Migration]:
        return {number: one for number, one in known(folder).items() if number <= last}

    def remember_then(
        self: Requests,
        connection: sqlite3.Connection,
        request: Request,
        pseudonym: bytes,
        position: int,
        answer: bytes,
    ) -> None:
        row = (self._id_digest(request), self._keyed(request.content), pseudonym, position, answer)
        connection.execute("INSERT INTO request VALUES (?, ?, ?, ?, ?)", row)

    columns_of, consent_of = sqlite_states.columns_of, sqlite_states.consent_of
    every = sqlite_states.CONSENT_COLUMNS.split(", ")
    later = [given for number, given in _COLUMNS_SINCE if number > last]
    kept = len(every) - len(later)

    def consent_then(connection: Any, notices: Any, row: Any) -> Consent:
        return consent_of(connection, notices, (*row, *later))

    def write_then(connection: Any, pseudonym: Any, purpose: Any, consent: Any) -> None:
        row = (pseudonym, purpose, *columns_of(connection, purpose, consent)[:kept])
        places = ", ".join("?" * len(row))
        connection.execute(f"INSERT OR REPLACE INTO consent VALUES ({places})", row)

    patch.setattr(sqlite_states, "CONSENT_COLUMNS", ", ".join(every[:kept]))
    patch.setattr(sqlite_states, "consent_of", consent_then)
    patch.setattr(sqlite_states, "write_consent", write_then)
    patch.setattr(migrations, "_known", known_then)
    if last < 3:  # answered requests had no seal
        patch.setattr(Requests, "remember", remember_then)
        patch.setattr(Requests, "number", lambda self, connection: None)


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_own_make_strict_tables_only(connection: sqlite3.Connection, folder: str) -> None:
    """SQLite refuses a value of another type than its column's, in every table."""
    migrate(connection, folder)
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE NOT strict AND name NOT LIKE 'sqlite_%'"
    ).fetchall()

    assert loose == []


def test_later_ones_follow_in_order(connection: sqlite3.Connection, release: Path) -> None:
    """A database of an earlier release gets what is new, in the order of the numbers."""
    migrate(connection, "test")
    (release / "0010_third.sql").write_text("INSERT INTO second SELECT a + 1 FROM second;")
    (release / "0002_second.sql").write_text(
        "-- A comment; with a semicolon.\nCREATE TABLE second (a);\n"
        "CREATE TRIGGER again AFTER INSERT ON first\n"
        "BEGIN INSERT INTO second VALUES (0); SELECT 1; END;\n"
        "INSERT INTO second SELECT a FROM first;\n"
    )
    (release / "README.md").write_text("Not a migration.")
    migrate(connection, "test")
    migrate(connection, "test")

    assert connection.execute("SELECT a FROM second ORDER BY a").fetchall() == [(1,), (2,)]
    assert connection.execute("SELECT number, name, sha256 FROM migration").fetchall() == [
        (int(one.name[:4]), one.name, hashlib.sha256(one.read_bytes()).hexdigest())
        for one in sorted(release.glob("*.sql"))
    ]


def test_two_of_one_number_are_refused(connection: sqlite3.Connection, release: Path) -> None:
    """Two branches each added one: neither takes the other's place unnoticed."""
    (release / "0001_another.sql").write_text("CREATE TABLE another (a);")

    with pytest.raises(ValueError, match="have the same number"):
        migrate(connection, "test")
    assert tables(connection) == set()


def test_one_that_fails_takes_all_back(connection: sqlite3.Connection, release: Path) -> None:
    """If any statement fails the database is as it was, and the next attempt begins anew."""
    (release / "0002_second.sql").write_text("CREATE TABLE second (a);\nCREATE TABLE first (a);")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, "test")
    left, open_transaction = tables(connection), connection.in_transaction
    (release / "0002_second.sql").write_text("CREATE TABLE second (a);")
    migrate(connection, "test")

    assert (left, open_transaction) == (set(), False)
    assert tables(connection) == {"first", "second", "migration"}


def test_a_later_release_s_database_is_refused(
    connection: sqlite3.Connection, release: Path
) -> None:
    """An earlier release does not write into what it does not know, and says whom to ask."""
    (release / "0002_second.sql").write_text("CREATE TABLE second (a);")
    migrate(connection, "test")
    (release / "0002_second.sql").unlink()

    with pytest.raises(StoreRefused, match=r"0002_second\.sql comes from a later release"):
        migrate(connection, "test")
    assert not connection.in_transaction


def test_one_that_was_changed_is_refused(connection: sqlite3.Connection, release: Path) -> None:
    """A migration that was applied and then edited is not taken for the one that was applied."""
    migrate(connection, "test")
    (release / "0001_first.sql").write_text("CREATE TABLE first (a, b);")
    (release / "0002_second.sql").write_text("CREATE TABLE second (a);")

    with pytest.raises(StoreRefused, match=r"0001_first\.sql is not the one that was applied"):
        migrate(connection, "test")
    assert tables(connection) == {"first", "migration"}


def test_a_statement_without_an_end_is_not_passed_over(
    connection: sqlite3.Connection, release: Path
) -> None:
    """A forgotten semicolon is an error, not a statement less."""
    (release / "0002_second.sql").write_text("CREATE TABLE second (a);\nCREATE TABLE third (a)")

    with pytest.raises(ValueError, match="middle of a statement"):
        migrate(connection, "test")
    assert tables(connection) == set()
