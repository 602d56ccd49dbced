"""The log, handed out: for followers that keep something of their own in step with it."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import NamedTuple

from consentsvc.domain.errors import InvalidRequest, PositionUnknown, ShuttingDown
from consentsvc.domain.events import Event, Withheld
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.service.ports import EventStore, Page, SubjectRecord

# One response's worth: small enough to stay far below a message's size limit, large enough that
# the cost of a response is shared by hundreds of events.
STRETCH = 500


class Stretch(NamedTuple):
    """The next events; nothing at or below `through` is still to come. None on a quiet log."""

    events: list[Event]
    through: Position


class States(NamedTuple):
    """States of subjects, and who was erased.

    `through` is the position that a copy stands at, None until it is complete.
    """

    states: list[SubjectRecord]
    erased: tuple[Pseudonym, ...] = ()
    starts: bool = False
    completes: bool = False
    through: Position | None = None


class Following:
    """Reads the log from any place on. Keeps nothing for anybody: each follower has its cursor."""

    def __init__(self, store: EventStore, obliged: Collection[str] = ()) -> None:
        self._store = store
        self._obliged = frozenset(obliged)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends every watch with `ShuttingDown`, and every later one at once."""
        self._stopping.set()

    async def acknowledge(self, follower: str, position: Position) -> Position:
        """Keeps that a follower has acted on everything up to a position; returns the furthest."""
        if follower not in self._obliged:
            raise InvalidRequest.field("follower_id", "is not a follower that is waited for")
        if position > await self._store.head():
            raise PositionUnknown("the cursor is past the head of this log")
        return await self._store.acknowledge(follower, position)

    async def page(self, after: Position, limit: int) -> Page:
        """Reads the events past a position; raises `PositionUnknown` past the head."""
        page = await self._store.events(after, limit)
        if after > page.head:
            raise PositionUnknown("the cursor is past the head of this log")
        return page

    async def watch(self, after: Position, quiet: timedelta) -> AsyncGenerator[Stretch, None]:
        """Yields every event past a position, and an empty stretch at once and after each quiet.

        Reads the next events only when the last ones were taken, so a slow follower costs nothing.
        """
        page = await self.page(after, STRETCH)
        self._refuse_if_stopping()
        if not page.events:
            yield Stretch([], after)
        while True:
            self._refuse_if_stopping()
            if page.events:
                after = page.events[-1].position
                yield Stretch(page.events, after)
            elif not await self._grows(after, quiet):
                yield Stretch([], after)
            page = await self.page(after, STRETCH)

    async def sync(
        self, after: Position | None, purposes: Collection[PurposeId], quiet: timedelta
    ) -> AsyncGenerator[States, None]:
        """Yields the states of all subjects, unless `after` is given, and then every change.

        The snapshot is read page by page while the log grows, and what grew meanwhile is sent
        again before it is called complete.
        """
        if after is None:
            after = await self._store.head()
            async for states in self._snapshot(purposes):
                yield states
            head = await self._store.head()
            while after < head:
                page = await self.page(after, STRETCH)
                after = page.events[-1].position
                yield States(await self._changed(page.events, purposes), _erased(page.events))
            yield States([], completes=True, through=after)
        async with aclosing(self.watch(after, quiet)) as stretches:
            async for stretch in stretches:
                changed = await self._changed(stretch.events, purposes)
                yield States(changed, _erased(stretch.events), through=stretch.through)

    async def _snapshot(self, purposes: Collection[PurposeId]) -> AsyncGenerator[States, None]:
        last: Pseudonym | None = None
        starts = True
        while True:
            self._refuse_if_stopping()
            _, records = await self._store.subject_records(last, STRETCH)
            if records or starts:
                known = [
                    one for one in _only(records, purposes) if one.consents or any(one.standing)
                ]
                yield States(known, starts=starts)
            if not records:
                return
            starts, last = False, records[-1].pseudonym

    async def _changed(
        self, events: list[Event], purposes: Collection[PurposeId]
    ) -> list[SubjectRecord]:
        touched = {
            event.pseudonym: None
            for event in events
            if event.pseudonym is not None and (event.purpose is None or event.purpose in purposes)
        }
        if not touched:
            return []
        _, records = await self._store.subjects_of(list(touched))
        return _only(records, purposes)

    async def _grows(self, after: Position, quiet: timedelta) -> bool:
        """Waits until the log grows past a position; False if it stays quiet."""
        grows = asyncio.ensure_future(self._store.past(after))
        stops = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                {grows, stops},
                timeout=quiet.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._refuse_if_stopping()
            if grows.done():
                await grows  # raises what the store could not do
            return grows.done()
        finally:
            grows.cancel()
            stops.cancel()

    def _refuse_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise ShuttingDown("the server is stopping")


def _only(records: list[SubjectRecord], purposes: Collection[PurposeId]) -> list[SubjectRecord]:
    return [
        record._replace(
            consents={
                purpose: consent
                for purpose, consent in record.consents.items()
                if purpose in purposes
            }
        )
        for record in records
    ]


def _erased(events: Iterable[Event]) -> tuple[Pseudonym, ...]:
    return tuple(
        dict.fromkeys(
            event.pseudonym
            for event in events
            if event.withheld is Withheld.ERASED and event.pseudonym is not None
        )
    )
