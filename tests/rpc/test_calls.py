"""Calls that take too long, and calls that are given up."""

import asyncio
import random
from typing import Any

import grpc
import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.rpc import interceptors
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good
from tests.support.stores import SOON, Gate, meddled
from tests.support.wire import Wire, change, serving

PURPOSES = ("newsletter", "profiling", "statistics")


def update(subject: str, request_id: str) -> consents.UpdateConsentsRequest:
    request: consents.UpdateConsentsRequest = good(
        "UpdateConsents",
        subject_id=subject,
        request_id=request_id,
        changes=[change("give", purpose) for purpose in PURPOSES],
    )
    return request


async def test_deadline(sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock) -> None:
    """A caller's deadline ends its call on both sides."""
    gate = Gate(sqlite_store.records)
    async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
        refusal = await refused(wire.queries.CheckConsent(good("CheckConsent"), timeout=0.1))
        async with asyncio.timeout(SOON):
            await gate.cancelled.wait()

    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_no_deadline(
    sqlite_store: EventStore,
    catalogue: Catalogue,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call without a deadline is bounded by the server."""
    monkeypatch.setattr(interceptors, "UNARY_SECONDS", 0.05)
    gate = Gate(sqlite_store.records)
    async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
        refusal = await refused(wire.check("anna", "newsletter"))

    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert gate.cancelled.is_set()


async def test_own_deadline(
    sqlite_store: EventStore,
    catalogue: Catalogue,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller with a deadline decides itself, also for longer than the server would."""
    monkeypatch.setattr(interceptors, "UNARY_SECONDS", 0.05)
    gate = Gate(sqlite_store.records)
    async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
        call = wire.queries.CheckConsent(good("CheckConsent"), timeout=60)
        await gate.reached.wait()
        asyncio.get_running_loop().call_later(0.2, gate.opened.set)

        assert (await call).read_at


async def test_slow_write(sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock) -> None:
    """A write whose caller stopped waiting can be repeated, and is then recorded once."""
    async with serving(sqlite_store, catalogue, clock):
        pass  # publishes the notices
    gate = Gate(sqlite_store.write)
    async with serving(meddled(sqlite_store, write=gate), catalogue, clock) as wire:
        refusal = await refused(wire.consents.UpdateConsents(update("anna", "r-1"), timeout=0.1))
        gate.opened.set()
        answer = await wire.consents.UpdateConsents(update("anna", "r-1"), timeout=SOON)
        happened = await acts.history(wire, "anna")

    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [one.position for one in answer.outcomes] == [one.position for one in happened]


async def test_slow_check_holds_up_nobody(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A call that hangs in the store does not keep others from being answered."""
    gate = Gate(sqlite_store.subject_record)
    async with serving(meddled(sqlite_store, subject_record=gate), catalogue, clock) as wire:
        hanging = wire.consents.ListConsents(good("ListConsents"))
        await gate.reached.wait()
        answer = await wire.queries.CheckConsent(good("CheckConsent"), timeout=SOON)
        gate.opened.set()

        assert answer.read_at
        assert (await hanging).read_at == answer.read_at


async def turns(number: int) -> None:
    """Lets everything that is ready go on, so many times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_cancelled_anywhere(wire: Wire, pick: random.Random) -> None:
    """A write cancelled at any point leaves all of its events or none, and blocks nobody."""
    subjects = [f"subject:{number}" for number in range(300)]
    calls = []
    for number, subject in enumerate(subjects):
        call = wire.consents.UpdateConsents(update(subject, f"cancelled-{number}"))
        calls.append(call)
        await turns(pick.randrange(60))
        call.cancel()
        if number % 10 == 0:
            async with asyncio.timeout(SOON):
                await wire.update("somebody", change("give", "newsletter"))
    await asyncio.gather(*(call.code() for call in calls))
    # Comes after everything that is still under way: one append at a time.
    await wire.update("somebody", change("give", "newsletter"))
    found = {subject: len(await acts.history(wire, subject)) for subject in subjects}
    whole = await acts.log(wire)

    assert set(found.values()) <= {0, 3}
    assert {call.cancelled() for call in calls} >= {True}
    assert [one.position for one in whole] == list(range(1, len(whole) + 1))
    for number, subject in enumerate(subjects):
        await wire.consents.UpdateConsents(update(subject, f"cancelled-{number}"))
    assert {len(await acts.history(wire, subject)) for subject in subjects} == {3}


async def test_cancelled_with_others(wire: Wire, pick: random.Random) -> None:
    """Calls that are cancelled do not take along those that share their commit."""
    kept: list[tuple[int, Any]] = []
    dropped: list[tuple[int, Any]] = []
    for number in range(200):
        call = wire.consents.UpdateConsents(update(f"subject:{number}", f"r-{number}"))
        (dropped if pick.random() < 0.5 else kept).append((number, call))
        await turns(pick.randrange(3))
    for _, call in dropped:
        call.cancel()
    async with asyncio.timeout(4 * SOON):
        answers = await asyncio.gather(*(call for _, call in kept))
        await wire.update("somebody", change("give", "newsletter"))
    lengths = {
        number: len(await acts.history(wire, f"subject:{number}"))
        for number, _ in (*kept, *dropped)
    }

    assert all(len(one.outcomes) == 3 for one in answers)
    assert {lengths[number] for number, _ in kept} == {3}
    assert {lengths[number] for number, _ in dropped} <= {0, 3}


@pytest.mark.parametrize("method", ["WatchEvents", "SyncConsents", "StreamCheckConsents"])
async def test_cancelled_streams(wire: Wire, pick: random.Random, method: str) -> None:
    """Streams given up at any point leave nothing behind that would hold up the server."""
    tasks = len(asyncio.all_tasks())
    for _ in range(50):
        call: Any
        match method:
            case "WatchEvents":
                call = wire.events.WatchEvents(events.WatchEventsRequest(start_position=1))
            case "SyncConsents":
                call = wire.events.SyncConsents(good("SyncConsents"))
            case _:
                chunk = good("StreamCheckConsents")
                call = wire.queries.StreamCheckConsents(iter([chunk] * 5))
        await turns(pick.randrange(60))
        call.cancel()
        await call.code()
    async with asyncio.timeout(SOON):
        await wire.update("anna", change("give", "newsletter"))
        while len(asyncio.all_tasks()) > tasks:  # the server hears of a cancel a little later
            await wire.check("anna", "newsletter")

    assert len(asyncio.all_tasks()) <= tasks
