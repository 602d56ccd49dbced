"""A server that stops lets its callers finish."""

import asyncio

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.stores import SOON, Gate, meddled
from tests.support.wire import serving


async def test_answer_on_its_way(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """The last call's answer reaches its caller: draining does not end while it is sent."""
    for number in range(60):
        gate = Gate(sqlite_store.records)
        async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
            asking = asyncio.ensure_future(wire.check(f"subject:{number}", "newsletter"))
            await gate.reached.wait()
            draining = asyncio.ensure_future(wire.server.drain(60))
            gate.opened.set()
            async with asyncio.timeout(SOON):
                assert (await asking).read_at
                await draining


async def test_reader_in_the_middle(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A watch that is still reading old events is told SHUTTING_DOWN, too."""
    async with serving(sqlite_store, catalogue, clock) as wire:
        wire.server._following.stop()
        refusal = await refused(
            wire.events.WatchEvents(events.WatchEventsRequest(start_position=1)).read()
        )

    assert refusal.reason == "SHUTTING_DOWN"
