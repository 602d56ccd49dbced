"""Callers give up at any moment: their deadline passes, their connection breaks."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

import pytest

from consentsvc.domain.events import EventKind, NewEvent
from consentsvc.domain.identifiers import START, Position, SubjectId
from consentsvc.domain.scope import ACCOUNT
from consentsvc.service.ports import Inquiry, Question, Stretch
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from tests.storage.making import (
    ANNA,
    BEN,
    OF_CONTACT,
    PUBLICATION,
    everything,
    given,
    record,
    restricted,
    sayings_in,
    scoped,
)
from tests.support.clock import FakeClock

# Steps of the event loop within which a write on a busy machine has surely ended.
STEPS = 400


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteEventStore]:
    async with open_sqlite(tmp_path / "log.db", clock=clock) as store:
        yield store


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    return random.Random(seed)


def said_by(subject: SubjectId) -> list[NewEvent]:
    return [
        scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, subject=subject),
        restricted(subject),
        scoped(EventKind.CONSENT_WITHDRAWN, ACCOUNT, subject=subject),
    ]


async def steps(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def steps_of(task: asyncio.Future[None]) -> int:
    number = 0
    while not task.done():
        await asyncio.sleep(0)
        number += 1
    return number


@pytest.mark.parametrize("rounds", [150, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_a_cancelled_write_is_whole_or_absent(
    store: SqliteEventStore, chance: random.Random, rounds: int
) -> None:
    """Wherever a cancel strikes, all events of a write exist or none, and the next write succeeds.

    A transaction that a cancelled caller left open would be committed by the next one, or would
    refuse it.
    """
    kept = set()
    for number in range(rounds):
        names = [SubjectId(f"customer:{number}.{index}") for index in range(chance.randint(1, 4))]
        tasks = {name: asyncio.ensure_future(record(store, *said_by(name))) for name in names}
        await steps(int(STEPS ** chance.random()))
        cancelled = {name for name in names if chance.random() < 0.7}
        for name in cancelled:
            tasks[name].cancel()
        if chance.random() < 0.5:
            await asyncio.wait(tasks.values())
        last = SubjectId(f"customer:{number}.last")
        await asyncio.wait_for(record(store, *said_by(last)), 10)
        await asyncio.wait(tasks.values())
        kept |= {last, *(name for name in names if not tasks[name].cancelled())}
        assert {len(tasks[name].result()) for name in names if name not in cancelled} <= {3}
    events = await everything(store)
    written = [
        (one.personal.subject, one.kind, one.position) for one in events if one.personal is not None
    ]
    whole = [subject for subject, _, _ in written[::3]]

    assert [position for _, _, position in written] == list(range(1, len(written) + 1))
    assert [(subject, kind) for subject, kind, _ in written] == [
        (subject, kind)
        for subject in whole
        for kind in (
            EventKind.CONSENT_GIVEN,
            EventKind.PROCESSING_RESTRICTED,
            EventKind.CONSENT_WITHDRAWN,
        )
    ]
    _, records = await store.subject_records(None, len(kept) + rounds * 5)

    assert {one.subject for one in records if one.sayings} == set(whole)
    assert {len(one.sayings[PUBLICATION]) for one in records if one.sayings} == {2}
    assert len(whole) == len(set(whole))
    assert kept <= set(whole)
    assert store.statistics.events == len(events)


@pytest.mark.parametrize("rounds", [100, pytest.param(5_000, marks=pytest.mark.soak)])
async def test_a_cancelled_read_leaves_no_old_view_open(
    store: SqliteEventStore, clock: FakeClock, chance: random.Random, rounds: int
) -> None:
    """After reads were cancelled anywhere, the next ones see the newest write."""
    question = Question(PUBLICATION, [ANNA, BEN])
    for number in range(1, rounds + 1):
        reads: list[Coroutine[object, object, object]] = [
            store.records([question]),
            store.records([question], as_of=clock.now),
            store.choices(PUBLICATION, [Inquiry(ANNA, frozenset({OF_CONTACT}))]),
            store.choices(PUBLICATION, [Inquiry(ANNA, frozenset({OF_CONTACT}))], clock.now),
            store.subject_record(ANNA),
            store.subject_records(None, 10),
            store.events(START, 10),
            store.subject_events(ANNA, Stretch(10)),
            store.pseudonyms([SubjectId(f"customer:{number}")]),
            store.past(Position(number)),
        ]
        tasks = [asyncio.ensure_future(one) for one in chance.sample(reads, len(reads))]
        await steps(int(STEPS ** chance.random()))
        for task in tasks:
            task.cancel()
        if chance.random() < 0.5:
            await asyncio.wait(tasks)
        await asyncio.wait_for(record(store, scoped(EventKind.CONSENT_GIVEN, OF_CONTACT)), 10)
        _, (choices,) = await store.choices(PUBLICATION, [Inquiry(ANNA, frozenset({OF_CONTACT}))])
        read_at, ((anna, _),) = await store.records([question])
        page = await store.subject_events(ANNA, Stretch(10, Position(number - 1)))
        await asyncio.wait(tasks)

        assert (read_at, anna.consent.position) == (number, number)
        assert ([one.position for one in page.events], page.head) == ([number], number)
        assert choices.sayings == sayings_in(page.events, ANNA)


async def test_a_cancelled_opening_leaves_nothing_behind(
    tmp_path: Path, clock: FakeClock, chance: random.Random
) -> None:
    """Opening that is given up at any moment leaves no thread, and the store opens afterwards."""

    async def opening(path: Path) -> None:
        async with open_sqlite(path, clock=clock):
            pass

    longest = await steps_of(asyncio.ensure_future(opening(tmp_path / "whole.db")))
    for number in range(20):
        path = tmp_path / f"{number}.db"
        task = asyncio.ensure_future(opening(path))
        await steps(chance.randrange(longest))
        task.cancel()
        await asyncio.wait([task])
        for thread in threading.enumerate():
            if "_connection_worker_thread" in thread.name:
                thread.join(10)
                assert not thread.is_alive()

        async with open_sqlite(path, clock=clock) as store:
            assert await asyncio.wait_for(record(store, given()), 10) == [1]
