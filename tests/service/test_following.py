"""Watching the log: from anywhere, at once, and until the server stops."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from consentsvc.domain.errors import PositionUnknown, ShuttingDown, StoreUnavailable
from consentsvc.domain.identifiers import START, Position, SubjectId
from consentsvc.service import following
from consentsvc.service.following import Following, Stretch
from consentsvc.service.ports import EventStore, Page
from tests.storage.making import BEN, everything, given, record
from tests.support.stores import failing, meddled

HOUR = timedelta(hours=1)
"""Longer than any of these tests may wait: what comes within it was not waited for."""
AT_ONCE = timedelta(0)
SIZE = 10


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of three events, so that a short log has many."""
    monkeypatch.setattr(following, "STRETCH", 3)


@pytest.fixture
async def log(store: EventStore) -> EventStore:
    """A log of ten events."""
    await record(store, *(given(SubjectId(f"customer:{number}")) for number in range(SIZE)))
    return store


@asynccontextmanager
async def watching(
    store: EventStore, after: int, quiet: timedelta = HOUR
) -> AsyncIterator[AsyncGenerator[Stretch, None]]:
    async with (
        asyncio.timeout(10),
        aclosing(Following(store).watch(Position(after), quiet)) as stretches,
    ):
        yield stretches


class TestPages:
    async def test_at_the_head(self, log: EventStore) -> None:
        """A page at the head is empty, one past it is refused: nobody knows what will be there."""
        assert await Following(log).page(Position(SIZE), 3) == Page([], Position(SIZE))
        with pytest.raises(PositionUnknown):
            await Following(log).page(Position(SIZE + 1), 3)


class TestWatching:
    @pytest.mark.parametrize("after", range(SIZE))
    async def test_from_anywhere(self, log: EventStore, after: int) -> None:
        """From each position on, all that follows comes once, in order, in short stretches."""
        found: list[Stretch] = []
        async with watching(log, after) as stretches:
            while not found or found[-1].through < SIZE:
                found.append(await anext(stretches))

        assert [one for stretch in found for one in stretch.events] == (await everything(log))[
            after:
        ]
        assert all(stretch.through == stretch.events[-1].position for stretch in found)
        assert {len(stretch.events) for stretch in found} <= {1, 2, 3}

    @pytest.mark.parametrize("after", [SIZE + 1, SIZE + 1_000, 2**63])
    async def test_past_the_head(self, log: EventStore, after: int) -> None:
        """A position past the head is refused before anything is sent."""
        async with watching(log, after) as stretches:
            with pytest.raises(PositionUnknown):
                await anext(stretches)

    async def test_at_the_head(self, log: EventStore) -> None:
        """At the head an empty stretch comes at once, however long the quiet is to be."""
        async with watching(log, SIZE) as stretches:
            assert await anext(stretches) == Stretch([], Position(SIZE))

    async def test_on_an_empty_log(self, store: EventStore) -> None:
        """So it does on a log without any event."""
        async with watching(store, START) as stretches:
            assert await anext(stretches) == Stretch([], START)

    async def test_wakes(self, log: EventStore) -> None:
        """A new event wakes a watch that is waiting, whatever the quiet."""
        async with watching(log, SIZE) as stretches:
            await anext(stretches)
            for position in (SIZE + 1, SIZE + 2):
                waiting = asyncio.ensure_future(anext(stretches))
                done, _ = await asyncio.wait({waiting}, timeout=0)
                assert not done
                await record(log, given(BEN))
                stretch = await waiting

                assert [one.position for one in stretch.events] == [stretch.through] == [position]

    async def test_quiet(self, log: EventStore) -> None:
        """An empty stretch comes after each quiet, and then an event all the same."""
        async with watching(log, SIZE, AT_ONCE) as stretches:
            marks = [await anext(stretches) for _ in range(3)]
            await record(log, given(BEN))
            stretch = await anext(stretches)

        assert marks == [Stretch([], Position(SIZE))] * 3
        assert stretch.through == SIZE + 1

    async def test_reads_on_demand(self, log: EventStore) -> None:
        """Nothing is read ahead of a follower that does not take what it has."""
        read: list[int] = []

        async def events(after: Position, limit: int) -> Page:
            read.append(after)
            return await log.events(after, limit)

        async with watching(meddled(log, events=events), START) as stretches:
            await anext(stretches)
            before = list(read)
            await anext(stretches)

        assert (before, read) == ([0], [0, 3])

    async def test_leaves_nothing_behind(self, log: EventStore) -> None:
        """A follower that is cut off while it waits leaves no task that goes on waiting."""
        before = asyncio.all_tasks()
        async with watching(log, SIZE) as stretches:
            await anext(stretches)
            waiting = asyncio.ensure_future(anext(stretches))
            await asyncio.wait({waiting}, timeout=0)
            inside = asyncio.all_tasks() - before - {waiting}
            waiting.cancel()
            await asyncio.gather(waiting, *inside, return_exceptions=True)

        assert len(inside) == 2
        assert all(task.cancelled() for task in (waiting, *inside))

    async def test_cannot_wait(self, log: EventStore) -> None:
        """Where the store cannot tell of new events, the watch ends with its error."""
        reads = 0

        async def events(after: Position, limit: int) -> Page:
            nonlocal reads
            reads += 1
            assert reads < 10
            return await log.events(after, limit)

        store = meddled(log, events=events, past=failing(StoreUnavailable("out of reach")))
        async with watching(store, SIZE) as stretches:
            await anext(stretches)
            with pytest.raises(StoreUnavailable):
                await anext(stretches)


class TestStopping:
    async def test_ends_a_wait(self, log: EventStore) -> None:
        """Stopping ends every watch that waits, and tells why."""
        follow = Following(log)
        watches = [follow.watch(Position(SIZE), HOUR) for _ in range(3)]
        async with asyncio.timeout(10):
            for one in watches:
                await anext(one)
            waiting: list[Any] = [asyncio.ensure_future(anext(one)) for one in watches]
            await asyncio.wait(waiting, timeout=0)
            follow.stop()
            ends = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(one) for one in ends] == [ShuttingDown] * 3

    async def test_ends_a_reader(self, log: EventStore) -> None:
        """It also ends one that is in the middle of a long log."""
        follow = Following(log)
        async with asyncio.timeout(10), aclosing(follow.watch(START, HOUR)) as stretches:
            await anext(stretches)
            follow.stop()
            with pytest.raises(ShuttingDown):
                await anext(stretches)

    @pytest.mark.parametrize(
        "after",
        [
            0,
            SIZE,
        ],
    )
    async def test_later_watches(self, log: EventStore, after: int) -> None:
        """After it a watch ends before it has sent anything."""
        follow = Following(log)
        follow.stop()
        async with asyncio.timeout(10), aclosing(follow.watch(Position(after), HOUR)) as stretches:
            with pytest.raises(ShuttingDown):
                await anext(stretches)

    async def test_pages_go_on(self, log: EventStore) -> None:
        """Pages are still read: a call that is under way may end."""
        follow = Following(log)
        follow.stop()

        assert len((await follow.page(START, SIZE)).events) == SIZE
