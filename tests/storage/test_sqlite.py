"""The store on SQLite keeps the contract, and what only a database can break."""

import asyncio
import sqlite3
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from consentsvc.domain.errors import ShuttingDown, StoreUnavailable
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position, Pseudonym, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.notices import publish
from consentsvc.service.ports import EventStore, Question, Stretch, Transaction
from consentsvc.storage.database import Database
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from tests.storage.event_store_contract import EventStoreContract
from tests.storage.making import (
    ANNA,
    BEN,
    CARL,
    event,
    everything,
    given,
    record,
    restricted,
    withdrawn,
)
from tests.support.catalogues import NEWSLETTER, catalogue
from tests.support.clock import FakeClock

ROOT = Path(__file__).parents[2]


class TestSqliteEventStore(EventStoreContract):
    @pytest.fixture
    async def other(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
        async with open_sqlite(tmp_path / "other.db", clock=clock) as store:
            yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def store(path: Path, clock: FakeClock) -> AsyncIterator[SqliteEventStore]:
    async with open_sqlite(path, clock=clock) as store:
        yield store


@pytest.fixture
async def second(
    store: SqliteEventStore, path: Path, clock: FakeClock
) -> AsyncIterator[SqliteEventStore]:
    """Another store on the same file, as another process would have it."""
    async with open_sqlite(path, clock=clock) as second:
        yield second


def plainly(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Runs statements as anybody could who has the file; returns the last one's rows."""
    rows = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def on(database: Database, statement: str) -> object:
    """Runs a statement on one of the store's own connections."""
    return await database.run(lambda raw: raw.execute(statement).fetchone())


# --- append-only, kept by the database ---------------------------------------------------------

EVENT = "'consent_given', 'newsletter', NULL, X'00', X'00'"
NOTICE = "'newsletter', '1', 'en', 'Title', 'Other text.', X'00'"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET recorded_at = 0 WHERE position = 1",
        "UPDATE OR REPLACE event SET position = 2 WHERE position = 1",
        "UPDATE event SET header = X'00'",
        "DELETE FROM event",
        "DELETE FROM event WHERE position = (SELECT max(position) FROM event)",
        f"INSERT INTO event VALUES (99, 0, {EVENT})",
        f"INSERT INTO event VALUES (0, 0, {EVENT})",
        f"INSERT INTO event VALUES (-1, 0, {EVENT})",
        f"INSERT INTO event VALUES (NULL, 0, {EVENT})",
        f"INSERT INTO event VALUES (1, 0, {EVENT})",
        f"INSERT OR REPLACE INTO event VALUES (1, 0, {EVENT})",
        f"REPLACE INTO event VALUES (9, 0, {EVENT})",
        f"INSERT OR IGNORE INTO event VALUES (1, 0, {EVENT})",
        f"INSERT INTO event VALUES (9, 0, {EVENT}) ON CONFLICT DO UPDATE SET header = X'00'",
        "UPDATE personal_part SET sealed = X'00'",
        "DELETE FROM personal_part WHERE position = 9",
        "INSERT INTO personal_part VALUES (9, X'00')",
        "INSERT OR REPLACE INTO personal_part VALUES (9, X'00')",
        "INSERT INTO personal_part VALUES (9, X'00') ON CONFLICT DO UPDATE SET sealed = X'00'",
        "UPDATE notice SET text = 'Other text.' WHERE position = 1",
        "DELETE FROM notice",
        f"INSERT OR REPLACE INTO notice VALUES (1, {NOTICE})",
        f"INSERT OR REPLACE INTO notice VALUES (99, {NOTICE})",
        f"INSERT INTO notice VALUES (99, {NOTICE}) ON CONFLICT DO UPDATE SET text = 'Other.'",
    ],
)
async def test_the_database_itself_keeps_the_log(
    store: SqliteEventStore, path: Path, statement: str
) -> None:
    """Nobody who has the file changes, removes, replaces or skips a row by any statement."""
    await publish(store, catalogue())
    await record(store, given(), withdrawn())

    def log() -> list[list[tuple[object, ...]]]:
        tables = ("event", "personal_part", "notice")
        return [plainly(path, f"SELECT * FROM {table}") for table in tables]

    before = log()
    with pytest.raises(sqlite3.IntegrityError, match=r"log|personal part|notice"):
        plainly(path, statement)

    assert [row[0] for row in before[1]] == [9, 10]
    assert log() == before


async def test_what_is_appended_is_on_the_disk(store: SqliteEventStore) -> None:
    """The writer asks the disk at every commit, for log and keys, and overwrites what it frees."""
    settings = {
        f"{schema}.{name}": await on(store._writer, f"PRAGMA {schema}.{name}")
        for schema in ("main", "keys")
        for name in ("journal_mode", "synchronous", "secure_delete")
    }

    assert settings == {
        "main.journal_mode": ("wal",),
        "main.synchronous": (2,),  # FULL
        "main.secure_delete": (1,),
        "keys.journal_mode": ("wal",),
        "keys.synchronous": (2,),
        "keys.secure_delete": (1,),
    }


async def test_readers_cannot_write(store: SqliteEventStore) -> None:
    """Only one connection of a store can change anything."""
    for database in (store._checks, store._pages):
        for table in ("request", "keys.subject"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await on(database, f"DELETE FROM {table}")


async def test_many_writes_need_few_commits(store: SqliteEventStore) -> None:
    """Writes at once share commits, and each is counted."""
    await asyncio.gather(
        *(record(store, given(SubjectId(f"customer:{number}"))) for number in range(64))
    )

    assert (store.statistics.requests, store.statistics.events) == (64, 64)
    assert store.statistics.commits <= 3


# --- several processes on one file -------------------------------------------------------------


async def test_two_stores_on_one_file_are_one_log(
    store: SqliteEventStore, second: SqliteEventStore
) -> None:
    """Writes through two stores at once make one order, and one pseudonym for each subject."""
    subjects = [SubjectId(f"customer:{number}") for number in range(40)]
    await asyncio.gather(
        *(record((store, second)[number % 2], given(one)) for number, one in enumerate(subjects)),
        *(record((second, store)[number % 2], given(one)) for number, one in enumerate(subjects)),
    )
    events = await everything(store)

    assert second.store_id == store.store_id
    assert second.secret("links") == store.secret("links")
    assert events == await everything(second)
    assert [one.position for one in events] == list(range(1, 81))
    assert len({one.pseudonym for one in events}) == 40
    assert store.statistics.events == second.statistics.events == 40


async def test_a_follower_sees_what_another_store_appends(
    store: SqliteEventStore, second: SqliteEventStore
) -> None:
    """Who waits on one store is woken by a write through another one, both ways."""
    await record(store, given())
    await asyncio.wait_for(second.past(START), 10)
    await record(second, withdrawn())
    await asyncio.wait_for(store.past(Position(1)), 10)

    assert (await second.events(START, 10)).events == (await store.events(START, 10)).events


async def test_a_follower_sees_what_another_process_appends(
    store: SqliteEventStore, path: Path
) -> None:
    """A write by another process wakes those who wait in this one."""
    waiting = asyncio.ensure_future(store.past(START))
    program = f"""
        import asyncio, pathlib
        from consentsvc.storage.sqlite import open_sqlite
        from tests.storage.making import given, record

        async def main():
            async with open_sqlite(pathlib.Path({str(path)!r}), clock=lambda: 1) as store:
                await record(store, given())

        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), cwd=ROOT
    )
    await asyncio.wait_for(waiting, 30)

    assert [one.position for one in await everything(store)] == [1]
    assert await process.wait() == 0


async def test_a_look_that_failed_is_made_again(
    store: SqliteEventStore, second: SqliteEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the head cannot be read just when another process has written, the next look tells."""
    refresh, failures = store.refresh, 0

    async def failing() -> None:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise StoreUnavailable("the store cannot be read now")
        await refresh()

    monkeypatch.setattr(store, "refresh", failing)
    await record(second, given())
    await asyncio.wait_for(store.past(START), 10)

    assert failures > 1


# --- what goes wrong ---------------------------------------------------------------------------


def refuse_commit(raw: sqlite3.Connection) -> None:
    """Makes every COMMIT fail, as a broken disk would."""

    def authorize(action: int, what: str | None, *_: object) -> int:
        refused = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    raw.set_authorizer(authorize)


async def test_a_commit_that_fails_leaves_nothing(store: SqliteEventStore) -> None:
    """If COMMIT itself fails, all of its group are told, nothing exists, and the next succeeds."""
    await record(store, given(), given(BEN))
    await store._writer.run(refuse_commit)
    outcomes = await asyncio.gather(
        record(store, withdrawn()), record(store, withdrawn(BEN)), return_exceptions=True
    )
    await store._writer.run(lambda raw: raw.set_authorizer(None))

    assert [type(one) for one in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await store.head() == 2
    assert await record(store, withdrawn()) == [3]


async def test_a_notice_whose_commit_failed_is_forgotten(store: SqliteEventStore) -> None:
    """A text that was published and used in a commit that failed is not taken for the next one."""
    lost, kept = NoticeRef("1", "en", b"\1" * 32), NoticeRef("2", "en", b"\2" * 32)

    def publish_and_use(notice: NoticeRef) -> Callable[[Transaction], object]:
        def work(transaction: Transaction) -> object:
            transaction.publish(NEWSLETTER, notice, "Title", "Text.")
            transaction.append(event(EventKind.CONSENT_GIVEN, notice=notice))
            return transaction.consent(ANNA, NEWSLETTER)

        return work

    await store.pseudonyms([ANNA])
    await store._writer.run(refuse_commit)
    with pytest.raises(StoreUnavailable):
        await store.write(publish_and_use(lost), {ANNA})
    await store._writer.run(lambda raw: raw.set_authorizer(None))
    await store.write(publish_and_use(kept), {ANNA})
    _, known = await store.subject_record(ANNA)

    assert known is not None
    choice = known.consents[NEWSLETTER].choice
    assert choice is not None
    assert choice.notice == kept


@pytest.mark.parametrize("schema", ["main", "keys"])
async def test_a_full_disk_loses_nothing(store: SqliteEventStore, schema: str) -> None:
    """While the disk is full writes are refused and reads answered; then all goes on, no gap."""
    await record(store, given())
    await on(store._writer, f"PRAGMA {schema}.max_page_count = 1")  # no more than there are now
    crowd = [given(SubjectId(f"customer:{number}")) for number in range(300)]
    with pytest.raises(StoreUnavailable):
        await record(store, *crowd)
    during = await store.records([Question(NEWSLETTER, [ANNA])])
    await on(store._writer, f"PRAGMA {schema}.max_page_count = 1000000")

    assert (during.read_at, during.answers[0][0].consent.position) == (1, 1)
    assert await record(store, *crowd) == list(range(2, 302))


async def test_a_lock_that_is_held_too_long_is_told(store: SqliteEventStore, path: Path) -> None:
    """A write that cannot have the append lock is refused; reads go on; later writes succeed."""
    await record(store, given())
    await on(store._writer, "PRAGMA busy_timeout = 20")
    with _locked(path):
        with pytest.raises(StoreUnavailable):
            await record(store, withdrawn())
        assert await store.head() == 1

    assert await record(store, withdrawn()) == [2]


async def test_no_error_of_sqlite_leaves(store: SqliteEventStore, path: Path) -> None:
    """Whatever SQLite has against a query or a write, the caller is told that it may try again."""
    await record(store, given())
    plainly(path, "ALTER TABLE event RENAME TO lost")
    attempts: list[Callable[[], Awaitable[object]]] = [
        store.head,
        lambda: store.records([Question(NEWSLETTER, [ANNA])]),
        lambda: store.records([Question(NEWSLETTER, [ANNA])], as_of=Instant(1)),
        lambda: store.subject_record(ANNA),
        lambda: store.subject_records(None, 1),
        lambda: store.subjects_of([]),
        lambda: store.events(START, 1),
        lambda: store.subject_events(ANNA, Stretch(1)),
        store.published,
        lambda: record(store, given()),
        lambda: store.pseudonyms([CARL]),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    plainly(path, "ALTER TABLE lost RENAME TO event")

    assert await record(store, given()) == [2]
    for attempt in attempts:
        await attempt()


async def test_what_sqlite_refuses_of_one_request_is_its_own(store: SqliteEventStore) -> None:
    """A request that breaks a rule of the schema fails alone; its group is recorded."""
    await publish(store, catalogue())
    old = (await store.published())[0]

    def publish_again(transaction: Transaction) -> None:
        transaction.publish(old.purpose, old.notice, "Title", "Another text.")

    outcomes = await asyncio.gather(
        record(store, given()),
        store.write(publish_again),
        record(store, given(BEN)),
        return_exceptions=True,
    )

    assert [outcomes[0], outcomes[2]] == [[Position(9)], [Position(10)]]
    assert isinstance(outcomes[1], StoreUnavailable)
    assert (await store.published())[0].title == old.title


async def test_a_notice_that_was_never_published_cannot_be_agreed_to(
    store: SqliteEventStore,
) -> None:
    """A consent on an unknown text is refused whole, even if the work goes on regardless."""
    unknown = NoticeRef("1", "en", b"\1" * 32)

    def work(transaction: Transaction) -> None:
        with pytest.raises(LookupError, match="never published"):
            transaction.append(event(EventKind.CONSENT_GIVEN, notice=unknown))
        transaction.append(restricted())

    await store.write(work, {ANNA})
    _, known = await store.subject_record(ANNA)

    assert [one.kind for one in await everything(store)] == [EventKind.PROCESSING_RESTRICTED]
    assert known is not None
    assert known.consents == {}


async def test_damage_is_told_and_does_not_spread(store: SqliteEventStore, path: Path) -> None:
    """What cannot be opened is refused, never guessed; everything else goes on, and is current."""
    await record(store, given(), given(BEN))
    plainly(
        path,
        "DROP TRIGGER personal_part_no_update",
        "UPDATE personal_part SET sealed = zeroblob(length(sealed)) WHERE position = 1",
        "UPDATE consent SET choice_notice = 77 WHERE position = 1",
    )
    asked = Question(NEWSLETTER, [ANNA])
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: store.events(START, 10),
        lambda: store.subject_events(ANNA, Stretch(10)),
        lambda: store.records([asked]),
        lambda: store.subject_record(ANNA),
        lambda: store.write(lambda one: one.consent(ANNA, NEWSLETTER), {ANNA}),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    later = await record(store, withdrawn(BEN))
    read_at, ((ben,),) = await store.records([Question(NEWSLETTER, [BEN])])
    page = await store.subject_events(BEN, Stretch(10))

    assert later == [3]
    assert (read_at, ben.consent.position) == (3, 3)
    assert ([one.position for one in page.events], page.head) == ([2, 3], 3)


@pytest.mark.parametrize(
    ("suffix", "statement"),
    [
        ("", "UPDATE event SET header = X'7B7D' WHERE position = 1"),
        ("", "UPDATE event SET header = X'80' WHERE position = 1"),
        ("", "DELETE FROM personal_part WHERE position = 1"),
        ("", "UPDATE personal_part SET sealed = X'' WHERE position = 1"),
        ("", "UPDATE consent SET choice_kind = 'consent_taken' WHERE position = 1"),
        (".keys", "UPDATE subject SET wrapped_key = zeroblob(60) WHERE subject_id = 'anna'"),
        (".keys", "UPDATE subject SET pseudonym = zeroblob(16) WHERE subject_id = 'anna'"),
    ],
)
async def test_no_kind_of_damage_becomes_an_answer(
    store: SqliteEventStore, path: Path, suffix: str, statement: str
) -> None:
    """What is not as it was written is an error to its readers, and others' answers stay right."""
    await record(store, given(), given(BEN))
    triggers = plainly(path, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    plainly(path, *(f"DROP TRIGGER {name}" for (name,) in triggers))
    plainly(path.with_name(path.name + suffix), statement)
    refused = 0
    for attempt in (store.events(START, 10), store.subject_record(ANNA)):
        try:
            await attempt
        except StoreUnavailable:
            refused += 1
    _, ((ben,),) = await store.records([Question(NEWSLETTER, [BEN])])

    assert refused
    assert ben.consent.position == 2


async def test_a_key_that_is_gone_loses_no_event(
    store: SqliteEventStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a subject's key goes after it was announced, the write is refused and nothing appended."""
    ensure = Keyring.ensure

    def forgetful(
        keyring: Keyring, raw: sqlite3.Connection, subjects: Collection[SubjectId]
    ) -> dict[SubjectId, Pseudonym]:
        known = ensure(keyring, raw, subjects)
        plainly(path.with_name("log.db.keys"), "DELETE FROM subject")
        return known

    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "ensure", forgetful)
        with pytest.raises(StoreUnavailable):
            await record(store, given())

    assert await store.head() == START
    assert await record(store, given()) == [1]


async def test_a_closed_store_says_so(path: Path, clock: FakeClock) -> None:
    """After the end, reads and writes are refused in the domain's words."""
    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())

    with pytest.raises(ShuttingDown):
        await record(store, given())
    with pytest.raises(ShuttingDown):
        await store.head()


async def test_closing_answers_those_who_wait(path: Path, clock: FakeClock) -> None:
    """Every write that was accepted before the end is on the disk and answered."""
    async with open_sqlite(path, clock=clock) as store:
        waiting = [asyncio.ensure_future(record(store, given(one))) for one in (ANNA, BEN, CARL)]
        await asyncio.sleep(0)
    positions = [await one for one in waiting]
    async with open_sqlite(path, clock=clock) as store:
        events = await everything(store)

    assert positions == [[1], [2], [3]]
    assert len(events) == 3
