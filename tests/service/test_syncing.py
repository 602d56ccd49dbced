"""A copy of all states, fed while others write, against the log read the simple way."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from consentsvc.domain.consent import NOTHING_STANDS, Consent, Standing
from consentsvc.domain.errors import PositionUnknown, ShuttingDown
from consentsvc.domain.events import STANDINGS, Event, EventKind
from consentsvc.domain.identifiers import START, Position, PurposeId, SubjectId
from consentsvc.service import following
from consentsvc.service.following import Following, States
from consentsvc.service.ports import EventStore, Question
from tests.storage.making import ANNA, BEN, event, everything, given, record, replayed, restricted
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS
from tests.support.stores import meddled

HOUR = timedelta(hours=1)
PURPOSES = (NEWSLETTER, PROFILING, STATISTICS)
SUBJECTS = [SubjectId(f"customer:{number}") for number in range(12)]
KINDS = [kind for kind in EventKind if kind is not EventKind.NOTICE_PUBLISHED]

State = tuple[Standing, dict[PurposeId, Consent]]
NOTHING: State = (NOTHING_STANDS, {})


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of three subjects or events, so that there are many."""
    monkeypatch.setattr(following, "STRETCH", 3)


class Copy:
    """States by subject, as a follower keeps them."""

    def __init__(self) -> None:
        self.states: dict[SubjectId, State] = {}
        self.through = START
        self.snapshots = 0
        self.complete = False

    def take(self, one: States) -> None:
        if one.starts:
            assert not self.states
            self.snapshots += 1
        for subject, _, standing, consents, _ in one.states:
            self.states[subject] = (standing, consents)
        self.complete = self.complete or one.completes
        assert (one.through is not None) == self.complete or self.snapshots == 0
        if one.through is not None:
            assert one.through >= self.through
            self.through = one.through

    def of(self, subject: SubjectId) -> State:
        return self.states.get(subject, NOTHING)


def naive(events: list[Event], subject: SubjectId, purposes: Collection[PurposeId]) -> State:
    """A subject's state, by reading all events for every purpose."""
    records = {one: replayed(events, Question(one, [subject]))[0] for one in purposes}
    standing = next((one.standing for one in records.values()), NOTHING_STANDS)
    return standing, {
        purpose: record.consent for purpose, record in records.items() if record.consent.position
    }


def writer(store: EventStore, seed: int) -> Callable[[], Any]:
    chance = random.Random(seed)

    async def write() -> None:
        for _ in range(chance.choice([0, 0, 1, 4])):
            kind = chance.choice(KINDS)
            purpose = None if kind in STANDINGS else chance.choice(PURPOSES)
            await record(store, event(kind, chance.choice(SUBJECTS), purpose))

    return write


async def lived(store: EventStore, seed: int) -> None:
    write = writer(store, seed)
    for _ in range(20):
        await write()


def busy(store: EventStore, seed: int, times: int = 60) -> EventStore:
    """The same store, where others write before and after every read, a number of times."""
    write = writer(store, seed)
    left = iter(range(times))

    def disturbed(read: Callable[..., Any]) -> Callable[..., Any]:
        async def disturb(*args: Any) -> Any:
            if next(left, None) is not None:
                await write()
            answer = await read(*args)
            if next(left, None) is not None:
                await write()
            return answer

        return disturb

    names = ("head", "events", "subject_records", "subjects_of")
    return meddled(store, **{name: disturbed(getattr(store, name)) for name in names})


async def synced(
    store: EventStore, after: Position | None, purposes: Collection[PurposeId] = PURPOSES
) -> AsyncIterator[States]:
    """What a sync sends until there is nothing more."""
    async with (
        asyncio.timeout(10),
        aclosing(Following(store).sync(after, purposes, HOUR)) as sync,
    ):
        async for one in sync:
            yield one
            if one.through == await store.head():
                return


class TestConcurrentWrites:
    @pytest.mark.parametrize("purposes", [PURPOSES, (PROFILING,), ()], ids=len)
    @pytest.mark.parametrize("seed", range(20))
    async def test_equals_the_naive_state(
        self, store: EventStore, seed: int, purposes: tuple[PurposeId, ...]
    ) -> None:
        """In the end the copy is the state of every subject, as the whole log tells it."""
        await lived(store, seed)
        copy = Copy()
        async for one in synced(busy(store, seed), None, purposes):
            copy.take(one)
        events = await everything(store)

        assert copy.snapshots == 1
        assert copy.through == len(events) > 10
        for subject in SUBJECTS:
            standing, consents = naive(events, subject, purposes or PURPOSES)
            assert copy.of(subject) == (standing, consents if purposes else {})

    @pytest.mark.parametrize("seed", range(20))
    async def test_never_behind_what_it_says(self, store: EventStore, seed: int) -> None:
        """Once complete, each state is one that was true at or after where the copy stands."""
        await lived(store, seed)
        copy = Copy()
        compared = 0
        async for one in synced(busy(store, seed), None):
            copy.take(one)
            if not copy.complete:
                continue
            events = await everything(store)
            for subject in SUBJECTS:
                compared += 1
                later = range(copy.through, len(events) + 1)
                assert any(
                    copy.of(subject) == naive(events[:upto], subject, PURPOSES) for upto in later
                )

        assert compared >= len(SUBJECTS)

    @pytest.mark.parametrize("seed", range(5))
    async def test_completes_past_the_snapshot(self, store: EventStore, seed: int) -> None:
        """What happened while the snapshot was read is sent before the copy is called complete."""
        await lived(store, seed)
        await record(store, *(given(subject) for subject in SUBJECTS))
        heads: list[Position] = []

        async def subject_records(*args: Any) -> Any:
            await record(store, given(ANNA))
            answer = await store.subject_records(*args)
            heads.append(await store.head())
            return answer

        copy = Copy()
        async for one in synced(meddled(store, subject_records=subject_records), None):
            copy.take(one)
            if one.completes:
                break

        assert len(heads) > 3
        assert copy.through == heads[-1]
        assert copy.of(ANNA) == naive(await everything(store), ANNA, PURPOSES)

    @pytest.mark.parametrize("seed", range(5))
    async def test_resumed(self, store: EventStore, seed: int) -> None:
        """A copy that was cut off anywhere after its completion goes on where it stands."""
        await lived(store, seed)
        copy = Copy()
        async for one in synced(busy(store, seed, 20), None):
            copy.take(one)
            if copy.complete:
                break
        await lived(store, seed + 1)
        async for one in synced(busy(store, seed + 2, 20), copy.through):
            copy.take(one)
        events = await everything(store)

        assert copy.snapshots == 1
        assert {who: copy.of(who) for who in SUBJECTS} == {
            who: naive(events, who, PURPOSES) for who in SUBJECTS
        }


class TestWhatIsSent:
    async def test_empty_log(self, store: EventStore) -> None:
        """A log without anybody still starts and completes a copy."""
        sent = [one async for one in synced(store, None)]

        assert sent == [States([], starts=True), States([], completes=True, through=START)]

    async def test_only_those_known(self, store: EventStore) -> None:
        """Subjects without an event, or without one of these purposes, are left out at first."""
        await store.pseudonyms([ANNA])
        await record(store, given(BEN, NEWSLETTER))

        assert [one.states async for one in synced(store, None, [PROFILING])] == [[], []]

    async def test_other_purposes(self, store: EventStore) -> None:
        """What happens for other purposes only moves the copy on; a restriction concerns all."""
        await record(store, given(ANNA, NEWSLETTER))
        only_moved = [one async for one in synced(store, START, [PROFILING])]
        await record(store, restricted(ANNA))
        (frozen,) = [one async for one in synced(store, Position(1), [PROFILING])]

        assert only_moved == [States([], through=Position(1))]
        assert [(one.subject, one.standing, one.consents) for one in frozen.states] == [
            (ANNA, Standing(restriction=Position(2)), {})
        ]

    async def test_each_subject_once(self, store: EventStore) -> None:
        """Of a subject with many changes in one stretch, one state is sent, the latest."""
        await record(store, *(given(ANNA, purpose) for purpose in PURPOSES))
        (sent,) = [one async for one in synced(store, START)]

        assert [set(one.consents) for one in sent.states] == [set(PURPOSES)]

    async def test_past_the_head(self, store: EventStore) -> None:
        """A copy that stands past the head is of another log, and refused."""
        with pytest.raises(PositionUnknown):
            await anext(synced(store, Position(1)))

    async def test_stopping(self, store: EventStore) -> None:
        """A snapshot that has begun ends when the server stops."""
        await record(store, *(given(subject) for subject in SUBJECTS))
        follow = Following(store)
        async with asyncio.timeout(10), aclosing(follow.sync(None, PURPOSES, HOUR)) as sync:
            await anext(sync)
            follow.stop()
            with pytest.raises(ShuttingDown):
                await anext(sync)
