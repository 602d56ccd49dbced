"""Choices at a reach on SQLite: what lies in the files, and what damage to it leads to."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.scope import ACCOUNT, ContactId, DomainName, Reach, Role, reaches
from consentsvc.service.ports import Inquiry, Stretch, Transaction
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from tests.storage.making import (
    ANNA,
    BEN,
    CONTACT,
    DOMAIN,
    EMAIL,
    IN_ROLE,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    PUBLICATION,
    event,
    everything,
    record,
    reported,
    restricted,
    scoped,
)
from tests.support.clock import FakeClock

GIVEN, WITHDRAWN = EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def store(path: Path, clock: FakeClock) -> AsyncIterator[SqliteEventStore]:
    async with open_sqlite(path, clock=clock) as store:
        yield store


def plainly(path: Path, *statements: str) -> list[tuple[bytes, ...]]:
    """Runs statements as anybody could who has the file; returns the last one's rows."""
    rows = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


async def test_nothing_of_a_scope_can_be_read_in_the_files(path: Path, clock: FakeClock) -> None:
    """Neither contact, domain, role, field nor report stands in any file, in any row of it."""
    async with open_sqlite(path, clock=clock) as store:
        await record(
            store,
            *(scoped(GIVEN, one, NAME | EMAIL) for one in (IN_ROLE, OF_DOMAIN, OF_CONTACT)),
            scoped(EventKind.CONSENT_REQUESTED, IN_ROLE, EMAIL),
            scoped(WITHDRAWN, OF_CONTACT),
            reported(),
        )
        during = [file.read_bytes() for file in path.parent.iterdir()]
    after = [file.read_bytes() for file in path.parent.iterdir()]

    assert len(during) > len(after)
    for spelling in (CONTACT, DOMAIN, "K-4711", "bcher", "registrant", "email", "cznic", "2308"):
        for content in (*during, *after):
            for encoding in ("ascii", "utf-16-le"):
                assert spelling.encode(encoding) not in content


async def test_nobody_s_reach_is_known_by_another_s(store: SqliteEventStore, path: Path) -> None:
    """The same reach of two people has nothing in common in the file, not even its digest."""
    await record(store, scoped(GIVEN, IN_ROLE), scoped(GIVEN, IN_ROLE, subject=BEN))
    rows = plainly(path, "SELECT reach, sealed FROM scoped_consent")

    assert [len(digest) for digest, _ in rows] == [16, 16]
    assert len({digest for digest, _ in rows}) == 2
    assert len({sealed[:12] for _, sealed in rows}) == 2


async def test_a_saying_is_sealed_anew_each_time(store: SqliteEventStore, path: Path) -> None:
    """No nonce is used a second time under a key."""
    nonces = set()
    for number in range(1, 6):
        await record(store, scoped(GIVEN, OF_CONTACT))
        ((sealed,),) = plainly(path, "SELECT sealed FROM scoped_consent")
        nonces.add(sealed[:12])

        assert len(nonces) == number


async def test_many_accounts_are_asked_for_at_once(store: SqliteEventStore) -> None:
    """Thousands of accounts in one question each get their own answer."""
    everybody = [SubjectId(f"customer:{number}") for number in range(3_000)]
    at = {
        one: reaches(ContactId(f"{one}-K"), DomainName(f"{number}.example"), Role.REGISTRANT)
        for number, one in enumerate(everybody)
    }
    await record(store, *(scoped(GIVEN, at[one][2], subject=one) for one in everybody))
    inquiries = [Inquiry(one, frozenset(at[one])) for one in reversed(everybody)]
    _, answers = await store.choices(PUBLICATION, inquiries)

    assert [list(answer.sayings) for answer in answers] == [
        [at[one][2]] for one in reversed(everybody)
    ]


async def test_a_notice_is_told_as_it_was_published(store: SqliteEventStore, path: Path) -> None:
    """Rows name a notice by its place in the log, and readers get it whole."""
    notice = NoticeRef("2026-03", "fr", b"\3" * 32)
    await store.write(lambda one: one.publish(PUBLICATION, notice, "Titre", "Texte."))
    await record(store, scoped(GIVEN, OF_CONTACT, NAME, notice=notice))
    _, (found,) = await store.choices(PUBLICATION, [Inquiry(ANNA, frozenset({OF_CONTACT}))])
    ((said,),) = [fields.values() for fields in found.sayings.values()]

    assert said.given is not None
    assert said.given.notice == notice


@pytest.mark.parametrize(
    "new",
    [
        scoped(GIVEN, OF_CONTACT, notice=NoticeRef("1", "en", b"\1" * 32)),
        scoped(GIVEN, OF_CONTACT, frozenset()),
        scoped(GIVEN, Reach(domain=DOMAIN)),
        scoped(GIVEN, Reach(CONTACT, role=Role.TECH)),
        scoped(WITHDRAWN, Reach(ContactId(""))),
    ],
    ids=["unknown notice", "no fields", "no contact", "no domain", "empty contact"],
)
async def test_what_cannot_be_recorded_leaves_nothing(store: SqliteEventStore, new: object) -> None:
    """An event that is refused has neither row nor saying, even if the work goes on regardless."""
    await record(store, scoped(GIVEN, OF_DOMAIN))
    seen: list[object] = []

    def work(transaction: Transaction) -> None:
        before = transaction.sayings(ANNA, PUBLICATION)
        with pytest.raises((LookupError, ValueError)):
            transaction.append(new)  # type: ignore[arg-type]  # one of the above
        seen.append(transaction.sayings(ANNA, PUBLICATION) == before)
        transaction.append(restricted())

    await store.write(work, {ANNA})
    _, known = await store.subject_record(ANNA)

    assert seen == [True]
    assert [one.kind for one in await everything(store)] == [
        GIVEN,
        EventKind.PROCESSING_RESTRICTED,
    ]
    assert known is not None
    assert list(known.sayings[PUBLICATION]) == [OF_DOMAIN]
    assert known.consents[PUBLICATION].position == 1


@pytest.mark.parametrize(
    ("suffix", "statement"),
    [
        ("", "UPDATE scoped_consent SET sealed = zeroblob(length(sealed))"),
        ("", "UPDATE scoped_consent SET sealed = X''"),
        ("", "UPDATE scoped_consent SET sealed = (SELECT sealed FROM scoped_consent LIMIT 1)"),
        ("", "UPDATE scoped_consent SET sealed = (SELECT sealed FROM personal_part LIMIT 1)"),
        ("", "DELETE FROM notice"),
        (".keys", "UPDATE subject SET wrapped_key = zeroblob(60) WHERE subject_id = 'anna'"),
    ],
)
async def test_damage_never_becomes_an_answer(
    store: SqliteEventStore, path: Path, suffix: str, statement: str
) -> None:
    """What does not open in its place is an error to all who read it, never silence."""
    notice = NoticeRef("1", "en", b"\1" * 32)
    await store.write(lambda one: one.publish(PUBLICATION, notice, "Title", "Text."))
    everywhere = (IN_ROLE, OF_DOMAIN, OF_CONTACT, ACCOUNT)
    await record(store, *(scoped(GIVEN, one, notice=notice) for one in everywhere))
    plainly(path, "DROP TRIGGER notice_no_delete")
    plainly(path.with_name(path.name + suffix), statement)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: store.choices(PUBLICATION, [Inquiry(ANNA, frozenset(everywhere))]),
        lambda: store.subject_record(ANNA),
        lambda: store.subject_records(None, 10),
        lambda: store.write(lambda one: one.sayings(ANNA, PUBLICATION), {ANNA}),
        lambda: record(store, scoped(WITHDRAWN)),
    ]

    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    assert await store.head() == 5
    _, (ben,) = await store.choices(PUBLICATION, [Inquiry(BEN, frozenset({ACCOUNT}))])
    assert ben.sayings == {}


async def test_no_error_of_sqlite_leaves(store: SqliteEventStore, path: Path) -> None:
    """Whatever SQLite has against a question, the caller is told that it may ask again."""
    await record(store, scoped(GIVEN, OF_CONTACT))
    plainly(path, "ALTER TABLE scoped_consent RENAME TO lost")
    asked = [Inquiry(ANNA, frozenset({OF_CONTACT}))]
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: store.choices(PUBLICATION, asked),
        lambda: store.due({}, Instant(0), 1),
        lambda: store.subject_record(ANNA),
        lambda: store.write(lambda one: one.sayings(ANNA, PUBLICATION), {ANNA}),
        lambda: record(store, scoped(GIVEN, OF_CONTACT)),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    past = await store.choices(PUBLICATION, asked, Instant(2**62))
    plainly(path, "ALTER TABLE lost RENAME TO scoped_consent")

    assert await store.choices(PUBLICATION, asked) == past
    for attempt in attempts:
        await attempt()


async def test_concurrent_requests_each_see_those_before(store: SqliteEventStore) -> None:
    """Requests that share a commit fold one after the other, and none loses another's."""
    places = [Reach(ContactId(f"K-{number}")) for number in range(40)]
    await asyncio.gather(
        *(record(store, scoped(GIVEN, one, NAME), scoped(GIVEN, ACCOUNT, EMAIL)) for one in places)
    )
    _, known = await store.subject_record(ANNA)

    assert known is not None
    assert set(known.sayings[PUBLICATION]) == {*places, ACCOUNT}
    (latest,) = known.sayings[PUBLICATION][ACCOUNT].values()
    assert latest.given is not None
    assert latest.given.position == 80


async def test_two_stores_on_one_file_agree(
    store: SqliteEventStore, path: Path, clock: FakeClock
) -> None:
    """What one process records the other answers, and takes into account."""
    asked = [Inquiry(ANNA, frozenset({IN_ROLE, ACCOUNT}))]
    async with open_sqlite(path, clock=clock) as second:
        await record(store, scoped(GIVEN, IN_ROLE, NAME))
        await record(second, scoped(WITHDRAWN, ACCOUNT, NAME))

        assert await store.choices(PUBLICATION, asked) == await second.choices(PUBLICATION, asked)
        assert await store.due({PUBLICATION: clock.now}, Instant(0), 10) == []


async def test_an_objection_makes_no_row(store: SqliteEventStore, path: Path) -> None:
    """What is not said at a reach leaves no row, though its purpose takes a scope."""
    await record(store, event(EventKind.OBJECTION_RAISED, ANNA, PUBLICATION), reported())

    assert plainly(path, "SELECT * FROM scoped_consent") == []
    assert len((await store.subject_events(ANNA, Stretch(10))).events) == 2
    history = await store.write(
        lambda one: one.history(ANNA, PurposeId("publication"), Position(2**64)), {ANNA}
    )
    assert history == []
