"""What is left in the files of a store that has forgotten somebody, and what brings nobody back."""

import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import ANY

import pytest

from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import (
    Actor,
    ActorKind,
    EventKind,
    Evidence,
    NewEvent,
    Personal,
    Withheld,
)
from consentsvc.domain.identifiers import ActorId, Position, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.remains import Remains
from consentsvc.domain.scope import ContactId, DomainName, Reach, Scope
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.notices import publish
from consentsvc.service.ports import PendingErasure
from consentsvc.service.signing import Signer
from consentsvc.storage import sqlite_erasure
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.new_epoch import begin_epoch
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from consentsvc.storage.sqlite_erasure import still_there
from consentsvc.storage.verify import verify
from tests.storage.erasure_contract import OBJECTED, erase, state
from tests.storage.making import (
    ANNA,
    BEN,
    EMAIL,
    NAME,
    PUBLICATION,
    a_life,
    everything,
    given,
    record,
    restricted,
    withdrawn,
)
from tests.storage.test_verify import ERASURE, OF_ERASED, flip, keys_of, pairs
from tests.support.catalogues import NEWSLETTER, STATISTICS, catalogue
from tests.support.clock import FakeClock

CARLA = SubjectId("carla:4f1c9e77")
VALUES = {
    "contact": "contact:carla-K4711",
    "domain": "carla-and-her-friends.example",
    "session": "session-carla-91ab",
    "form": "form-carla",
    "action": "ticked-by-carla",
    "address": "203.0.113.77",
    "agent": "Mozilla/5.0 (Carla)",
    "operator": "op-carla-3",
}
"""What is nowhere else but in what Carla said."""


def said(kind: EventKind, *, scope: bool = False, operator: bool = False) -> NewEvent:
    """Something that tells all of it."""
    reach = Reach(ContactId(VALUES["contact"]), DomainName(VALUES["domain"]))
    personal = Personal(
        CARLA,
        Actor(ActorKind.OPERATOR, ActorId(VALUES["operator"]))
        if operator
        else Actor(ActorKind.SUBJECT),
        "panel",
        Evidence(
            VALUES["session"], VALUES["form"], VALUES["action"], VALUES["address"], VALUES["agent"]
        ),
        scope=Scope(reach, NAME | EMAIL) if scope else None,
    )
    return NewEvent(kind, PUBLICATION if scope else NEWSLETTER, personal)


SAID = [
    said(EventKind.CONSENT_GIVEN),
    said(EventKind.CONSENT_GIVEN, scope=True),
    said(EventKind.CONSENT_WITHDRAWN, operator=True),
    said(EventKind.CONSENT_WITHDRAWN, scope=True),
    replace(said(EventKind.OBJECTION_RAISED), purpose=STATISTICS),
]


def spellings(value: str) -> list[bytes]:
    raw = value.encode()
    return [raw, raw.lower(), raw.hex().encode(), raw.hex().upper().encode(), raw[::-1]]


def traces(folder: Path, wanted: list[bytes]) -> list[tuple[str, bytes]]:
    """Every file in which something is found."""
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert files
    return [(file.name, one) for file, data in files.items() for one in wanted if one in data]


def wrapped_key(path: Path, subject: SubjectId) -> bytes:
    with closing(sqlite3.connect(keys_of(path))) as connection:
        query = "SELECT wrapped_key FROM subject WHERE subject_id = ?"
        (key,) = connection.execute(query, (subject,)).fetchone()
        return bytes(key)


@asynccontextmanager
async def opened(path: Path, clock: FakeClock) -> AsyncIterator[SqliteEventStore]:
    async with open_sqlite(path, clock=clock) as store:
        yield store


@pytest.mark.parametrize("others", [0, 400])
async def test_no_byte_is_left(
    tmp_path: Path, clock: FakeClock, pick: random.Random, others: int
) -> None:
    """Nothing that a person gave, nor their key, is in any file, while the store is open or after.

    With many others before, between and after, so that pages have been split and filled again.
    """
    path = tmp_path / "log.db"
    crowd = [SubjectId(f"carl:{pick.randbytes(4).hex()}") for _ in range(others)]
    wanted = [one for value in (CARLA, *VALUES.values()) for one in spellings(value)]
    async with opened(path, clock) as store:
        await publish(store, catalogue())
        for number, one in enumerate(crowd):
            await record(store, given(one))
            if number % 40 == 0:
                await record(store, *SAID)
        await record(store, *SAID)
        wanted.append(wrapped_key(path, CARLA))
        with closing(sqlite3.connect(path)) as connection:  # into the file, not the log beside it
            connection.execute("PRAGMA wal_checkpoint")
        known = (
            CARLA.encode()
            in keys_of(path).read_bytes() + keys_of(path).with_name("log.db.keys-wal").read_bytes()
        )
        await erase(store, CARLA, until=Instant(2**60))
        while_open = traces(tmp_path, wanted)
        for one in crowd[::2]:
            await record(store, given(one))
        later = traces(tmp_path, wanted)

    assert known
    assert while_open == []
    assert later == []
    assert traces(tmp_path, wanted) == []
    assert verify(path).problems == ()


async def test_many_are_forgotten(tmp_path: Path, clock: FakeClock, pick: random.Random) -> None:
    """Of hundreds who are forgotten one by one, not a byte is left of anybody."""
    path = tmp_path / "log.db"
    people = [SubjectId(f"person:{pick.randbytes(6).hex()}") for _ in range(300)]
    async with opened(path, clock) as store:
        await record(store, *map(given, people))
        gone = pick.sample(people, 150)
        wanted = [one.encode() for one in gone] + [wrapped_key(path, one) for one in gone]
        for one in gone:
            await erase(store, one)
        found = traces(tmp_path, wanted)

    assert found == []
    assert verify(path).problems == ()


def test_a_copy_that_sqlite_left(tmp_path: Path) -> None:
    """What is still somewhere in a file is found, and not there when the file was written anew."""
    file = tmp_path / "log.db.keys"
    file.write_bytes(b"page" + CARLA.encode() + b"page")

    assert still_there(file, {CARLA.encode(), b"key"})
    assert not still_there(file, {BEN.encode()})


async def test_a_copy_in_the_key_file_is_written_over(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SQLite has left a copy of an id, the key file is written anew before all is done."""
    path = tmp_path / "log.db"
    looked: list[bool] = []

    def found_once(file: Path, gone: frozenset[bytes]) -> bool:
        looked.append(still_there(file, gone))
        return len(looked) == 1

    monkeypatch.setattr(sqlite_erasure, "still_there", found_once)
    async with opened(path, clock) as store:
        longer = SubjectId(f"{CARLA}0")
        await record(store, *SAID, given(BEN), given(longer))
        with closing(sqlite3.connect(keys_of(path))) as connection:
            query = "SELECT pseudonym FROM subject WHERE subject_id = ?"
            (pseudonym,) = connection.execute(query, (CARLA,)).fetchone()
        traced = {CARLA.encode() + pseudonym, pseudonym + CARLA.encode()}
        await store.refresh()
        there = [one for one in traced if traces(tmp_path, [one])]
        await store.write(lambda transaction: transaction.erase(CARLA, {}), {CARLA})
        done = [await store.finish_erasures() for _ in range(3)]
        known = (await store.subject_record(BEN))[1]

    assert done == [False, True, True]
    assert len(there) == 2  # in the table, and in its index
    assert looked == [False, False]
    assert known is not None
    assert verify(path).problems == ()


async def test_the_rest_of_the_log_is_as_it_was(tmp_path: Path, clock: FakeClock) -> None:
    """Everybody else is answered as before, after any life, and the store is found in order."""
    path = tmp_path / "log.db"
    async with opened(path, clock) as store:
        await a_life(store, clock, seed=11, requests=80)
        await record(store, *SAID, given(ANNA))
        others = {SubjectId(f"customer:{number}") for number in range(5)} | {ANNA}
        before = [await state(store, one) for one in sorted(others)]
        await erase(store, CARLA)
        after = [await state(store, one) for one in sorted(others)]

    assert after == before
    assert verify(path).problems == ()


async def test_a_crash_before_the_key_is_destroyed(tmp_path: Path, clock: FakeClock) -> None:
    """What the log says is done when the store is opened again, before anybody reads."""
    path = tmp_path / "log.db"
    async with opened(path, clock) as store:
        await record(store, *SAID)
        await store.write(lambda transaction: transaction.erase(CARLA, {}), {CARLA})
        key = wrapped_key(path, CARLA)
    unfinished = verify(path).problems
    async with opened(path, clock) as store:
        found = traces(tmp_path, [CARLA.encode(), key])
        remains = await store.remains(CARLA)

    assert {one.table for one in unfinished} == {
        "keys.subject", "keys.erased", "consent", "scoped_consent",
    } - {"keys.erased"}  # fmt: skip
    assert found == []
    assert remains == Remains(frozenset({STATISTICS}), erased=True)
    assert verify(path).problems == ()


async def test_not_begun_anew_while_it_ends(tmp_path: Path, clock: FakeClock) -> None:
    """Between the event and the end of the key, nobody plans to erase the person again."""
    async with opened(tmp_path / "log.db", clock) as store:
        await record(store, *SAID)
        await store.write(lambda transaction: transaction.erase(CARLA, {}), {CARLA})
        pending = PendingErasure(clock())
        with pytest.raises(StoreUnavailable):
            await store.write(lambda one: one.plan_erasure(CARLA, pending), {CARLA})
        await store.finish_erasures()

    assert verify(tmp_path / "log.db").problems == ()


async def test_an_older_key_file_brings_nobody_back(tmp_path: Path, clock: FakeClock) -> None:
    """Keys from before an erasure are destroyed again, and every no stands again."""
    path = tmp_path / "log.db"
    async with opened(path, clock) as store:
        await record(store, *SAID, restricted(CARLA), given(BEN))
    shutil.copy(keys_of(path), tmp_path / "backup")
    async with opened(path, clock) as store:
        await erase(store, CARLA)
    shutil.move(tmp_path / "backup", keys_of(path))
    async with opened(path, clock) as store:
        _, found = await store.subject_record(CARLA)
        remains = await store.remains(CARLA)
        events = await everything(store)
        bytes_left = traces(tmp_path, [CARLA.encode()])

    assert found is None
    assert remains == Remains(frozenset({STATISTICS}), restricted=True, erased=True)
    assert bytes_left == []
    assert [one.withheld for one in events] == [Withheld.ERASED] * 6 + [None, Withheld.ERASED]
    assert verify(path).problems == ()


@pytest.mark.parametrize("signed", [False, True])
async def test_an_older_log_brings_nobody_back(
    tmp_path: Path, clock: FakeClock, *, signed: bool
) -> None:
    """A copy of the log from before cannot be read any more; that they are erased is recorded anew.

    Where something was signed since, it is not even served, until a new epoch was begun.
    """
    path = tmp_path / "log.db"
    async with opened(path, clock) as store:
        await record(store, *SAID, given(BEN))
        await store.write(lambda one: one.plan_erasure(CARLA, PendingErasure(clock())), {CARLA})
    shutil.copy(path, tmp_path / "backup")
    async with opened(path, clock) as store:
        await erase(store, CARLA)
        if signed:
            signer = Signer(f"log.example/{store.store_id.hex()}", store.secret("checkpoint"))
            await Checkpoints(store, signer).sign()
    shutil.move(tmp_path / "backup", path)
    if signed:
        with pytest.raises(StoreRefused, match="new-epoch"):
            async with opened(path, clock):
                pass
        begin_epoch(path)
    clock.advance(timedelta(days=1))
    async with opened(path, clock) as store:
        events = await everything(store)
        _, found = await store.subject_record(CARLA)
        remains = await store.remains(CARLA)
        root = await store.tree_root(Position(len(events)))
        pending = await store.pending_erasures(clock(), 10)

    assert [one.withheld for one in events] == [Withheld.ERASED] * 5 + [None, Withheld.ERASED]
    assert events[-1].kind is EventKind.SUBJECT_ERASED
    assert found is None
    assert remains == Remains(frozenset({STATISTICS}), erased=True)
    assert len(root) == 32
    assert pending == []
    assert verify(path).problems == ()


@pytest.fixture
async def forgetful(tmp_path: Path, clock: FakeClock) -> Path:
    """A store that has forgotten Carla, is to forget Anna, and waits for a follower."""
    path = tmp_path / "log.db"
    async with opened(path, clock) as store:
        await record(store, *SAID, restricted(CARLA), OBJECTED)
        await erase(store, CARLA, until=Instant(2**60))
        now = clock()
        await store.write(
            lambda one: one.plan_erasure(ANNA, PendingErasure(now, one.head, now)), {ANNA}
        )
        await store.acknowledge("sync", Position(3))
        await record(store, given(BEN), withdrawn(BEN))
        assert await store.empty_ended(NEWSLETTER, now, None, 10) == (ANY, 1)
    assert verify(path).problems == ()
    return path


# What nothing can tell: when something was emptied, until when is waited, and for whom.
_UNTOLD = {
    ("pending_erasure", "due_at"),
    ("pending_erasure", "begun"),
    ("pending_erasure", "begun_at"),
    ("follower", "name"),
    ("follower", "through"),
    ("emptied", "emptied_at"),
}


@pytest.mark.parametrize(("table", "column"), [one for one in pairs(ERASURE) if one not in _UNTOLD])
def test_a_changed_value_is_found(forgetful: Path, table: str, column: str) -> None:
    """A single bit in what an erasure leaves in the log's file."""
    flip(forgetful, table, column, 1)

    assert table in {one.table for one in verify(forgetful).problems}


@pytest.mark.parametrize(("table", "column"), pairs(OF_ERASED))
def test_a_changed_value_of_the_keys_is_found(forgetful: Path, table: str, column: str) -> None:
    """A single bit in what an erasure leaves in the key file."""
    flip(keys_of(forgetful), table, column, 1, f"{column} <> ''")

    assert f"keys.{table}" in {one.table for one in verify(forgetful).problems}


async def test_a_damaged_no_is_not_a_yes(forgetful: Path, clock: FakeClock) -> None:
    """What remains of somebody and is not as it was written is no answer at all."""
    flip(keys_of(forgetful), "suppressed", "purpose", 1, "kind = 'objection_raised'")
    async with opened(forgetful, clock) as store:
        with pytest.raises(Exception, match="cannot be read now"):
            await store.remains(CARLA)
        with pytest.raises(Exception, match="cannot be read now"):
            await state(store, CARLA)


def test_a_log_that_never_forgot_is_told(forgetful: Path) -> None:
    """An event that somebody was erased, taken out of the log, is missed by the keys."""
    with closing(sqlite3.connect(forgetful)) as connection:
        connection.execute("DROP TRIGGER event_no_delete")
        connection.execute("DELETE FROM event WHERE kind = 'subject_erased'")
        connection.commit()

    assert "keys.erased" in {one.table for one in verify(forgetful).problems}
