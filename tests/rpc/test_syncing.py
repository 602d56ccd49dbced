"""Followers that keep a copy of all states."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.events import Actor, ActorKind, EventKind, NewEvent, Personal
from consentsvc.domain.identifiers import ActorId, SubjectId
from consentsvc.service import following
from consentsvc.service.ports import EventStore, Transaction
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from tests.support import acts, catalogues
from tests.support.chance import PURPOSES, SUBJECTS, do_something
from tests.support.clock import FakeClock
from tests.support.copies import Copy
from tests.support.servers import server_process
from tests.support.wire import Wire, change, serving


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses of three states, so that a few subjects make a long snapshot."""
    monkeypatch.setattr(following, "STRETCH", 3)


def syncing(
    wire: Wire, purposes: Sequence[str] = PURPOSES, cursor: str = "", **options: Any
) -> Any:
    return wire.events.SyncConsents(
        events.SyncConsentsRequest(purpose_ids=purposes, cursor=cursor, **options)
    )


async def complete(call: Any, copy: Copy) -> None:
    """Reads to the end of a snapshot."""
    while not copy.complete:
        copy.take(await call.read())


async def caught_up(call: Any, copy: Copy, wire: Wire) -> None:
    """Reads to the head of the log."""
    head = await acts.head(wire)
    while copy.through < head:
        copy.take(await call.read())


async def test_snapshot(wire: Wire, pick: random.Random) -> None:
    """A snapshot is what the panel shows of everybody."""
    for _ in range(60):
        await do_something(pick, wire)
    copy = Copy()
    call = syncing(wire)
    await complete(call, copy)
    call.cancel()

    assert await copy.equals_the_panel(wire, SUBJECTS, PURPOSES)
    assert copy.through == await acts.head(wire)


async def test_empty(wire: Wire) -> None:
    """Where nobody is known, a snapshot begins, completes and holds nobody."""
    copy = Copy()
    call = syncing(wire)
    await complete(call, copy)
    call.cancel()

    assert (copy.snapshots, copy.subjects) == (1, {})


@pytest.mark.parametrize("purposes", [PURPOSES, ["newsletter"], ["statistics", "profiling"]])
async def test_while_it_changes(wire: Wire, pick: random.Random, purposes: list[str]) -> None:
    """Snapshot and changes add up to the state, whatever happens in between and afterwards."""
    for subject in SUBJECTS[:8]:
        await wire.update(subject, change("give", pick.choice(PURPOSES)))
    copy = Copy()
    call = syncing(wire, purposes)
    responses = 0
    while not copy.complete:
        copy.take(await call.read())
        responses += 1
        if responses < 30:
            for _ in range(3):
                await do_something(pick, wire)
    for _ in range(20):
        await do_something(pick, wire)
    await caught_up(call, copy, wire)
    call.cancel()

    assert copy.snapshots == 1
    assert await copy.equals_the_panel(wire, SUBJECTS, purposes)


async def test_resumed(wire: Wire, pick: random.Random) -> None:
    """A copy that was cut goes on from its cursor, with what changed and no snapshot."""
    for _ in range(30):
        await do_something(pick, wire)
    copy = Copy()
    call = syncing(wire)
    await complete(call, copy)
    call.cancel()
    for _ in range(10):
        for _ in range(pick.randrange(5)):
            await do_something(pick, wire)
        call = syncing(wire, cursor=copy.cursor)
        await caught_up(call, copy, wire)
        call.cancel()

        assert await copy.equals_the_panel(wire, SUBJECTS, PURPOSES)
    assert copy.snapshots == 1


async def test_cut_snapshot_begins_anew(wire: Wire) -> None:
    """Until the snapshot is complete there is no cursor."""
    for subject in SUBJECTS:
        await wire.update(subject, change("give", "newsletter"))
    call = syncing(wire)
    first, second = await call.read(), await call.read()
    call.cancel()

    assert (first.snapshot_start, second.snapshot_start) == (True, False)
    assert (first.cursor, second.cursor) == ("", "")
    assert (first.through_position, second.through_position) == (0, 0)


async def test_only_what_changed(wire: Wire) -> None:
    """After the snapshot only the subject that changed is sent."""
    for subject in SUBJECTS:
        await wire.update(subject, change("give", "newsletter"))
    copy = Copy()
    call = syncing(wire)
    await complete(call, copy)
    before = copy.sent
    await wire.update(SUBJECTS[3], change("withdraw", "newsletter"))
    await caught_up(call, copy, wire)
    call.cancel()

    assert copy.sent == before + 1
    assert copy.subjects[SUBJECTS[3]].consents[0].choice.kind == (
        shared.EVENT_KIND_CONSENT_WITHDRAWN
    )


@pytest.mark.parametrize("act", [acts.restrict, acts.report_death])
async def test_what_stands_above(wire: Wire, act: Any) -> None:
    """What concerns every purpose is sent to a copy of any purpose."""
    await wire.update("anna", change("give", "newsletter"))
    copy = Copy()
    call = syncing(wire, ["newsletter"])
    await complete(call, copy)
    await act(wire, "anna")
    await caught_up(call, copy, wire)
    call.cancel()

    assert copy.subjects["anna"].standing == (await acts.choices(wire, "anna")).standing
    assert copy.subjects["anna"].standing != shared.SubjectStanding()


async def test_other_purposes(wire: Wire) -> None:
    """A change of a purpose that was not asked for moves the cursor and sends no state."""
    copy = Copy()
    call = syncing(wire, ["newsletter"])
    await complete(call, copy)
    await wire.update("anna", change("give", "profiling"))
    await caught_up(call, copy, wire)
    call.cancel()

    assert copy.subjects == {}
    assert copy.through == await acts.head(wire)


async def test_other_purposes_begin_anew(wire: Wire) -> None:
    """A cursor for other purposes gets a new snapshot; the same ones in another order do not."""
    await wire.update("anna", change("give", "newsletter"), change("give", "profiling"))
    copy = Copy()
    call = syncing(wire, ["newsletter", "profiling"])
    await complete(call, copy)
    call.cancel()
    same = syncing(wire, ["profiling", "newsletter"], copy.cursor)
    first = await same.read()
    same.cancel()
    fewer = syncing(wire, ["newsletter"], copy.cursor)
    again = await fewer.read()
    fewer.cancel()

    assert not first.snapshot_start
    assert again.snapshot_start


async def test_another_catalogue(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A cursor obtained under another catalogue gets a new snapshot, with the new rules."""
    versions = (
        catalogues.version(catalogues.NEWSLETTER, "1"),
        catalogues.version(catalogues.NEWSLETTER, "2", asks_again=True),
    )
    newer = catalogues.catalogue(catalogues.purpose(catalogues.NEWSLETTER, versions=versions))
    copy = Copy()
    async with serving(sqlite_store, catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        call = syncing(wire, ["newsletter", "profiling"])
        await complete(call, copy)
        call.cancel()
    old_rules = copy.rules
    async with serving(sqlite_store, newer, clock) as wire:
        call = syncing(wire, ["newsletter", "profiling"], copy.cursor)
        copy.take(await call.read())
        await complete(call, copy)
        call.cancel()

        assert await copy.equals_the_panel(wire, ["anna"], ["newsletter", "profiling"])
    assert copy.snapshots == 2
    assert [list(one.valid_notice_versions) for one in old_rules] == [["1"], ["1"]]
    assert [list(one.valid_notice_versions) for one in copy.rules] == [["2"], ["1"]]


async def test_rules(wire: Wire, clock: FakeClock) -> None:
    """With a snapshot come the rules by which states become decisions, and the server's time."""
    call = syncing(wire)
    first = await call.read()
    call.cancel()
    rules = {one.purpose_id: one for one in first.rules}

    assert list(rules) == PURPOSES
    assert rules["profiling"].validity_months == 1
    assert rules["newsletter"].validity_months == 0
    assert rules["statistics"].basis == shared.LEGAL_BASIS_LEGITIMATE_INTEREST
    assert rules["newsletter"].basis == shared.LEGAL_BASIS_CONSENT
    assert first.server_time.ToMicroseconds() == clock.now


async def test_quiet(wire: Wire) -> None:
    """On a quiet log a response without states comes each time the quiet has lasted."""
    call = syncing(wire, progress_seconds=1)
    copy = Copy()
    await complete(call, copy)
    marks = [await call.read() for _ in range(2)]
    call.cancel()

    assert [(len(one.states), one.through_position) for one in marks] == [(0, copy.through)] * 2
    assert all(one.cursor for one in marks)


async def test_reader_that_stops_reading(tmp_path: Path, clock: FakeClock) -> None:
    """Followers that stop reading do not grow the server's memory, nor hold up those who read."""
    url = f"sqlite:///{tmp_path}/log.db"
    people = [SubjectId(f"{number:03}".ljust(200, "x")) for number in range(20)]
    operator = Actor(ActorKind.OPERATOR, ActorId("o" * 250))

    def append(transaction: Transaction) -> None:
        for subject in people:
            personal = Personal(subject, operator, "letter")
            for _ in range(50):
                transaction.append(
                    NewEvent(EventKind.CONSENT_REFUSED, catalogues.NEWSLETTER, personal)
                )

    async with open_store(url, clock=clock) as store:
        for _ in range(20):  # 20,000 events, about 12 MB on the wire
            await store.write(append, people)
    async with (
        server_process(store=url) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        checks = ConsentQueryServiceStub(channel)
        followers = ConsentEventServiceStub(channel)
        question = queries.CheckConsentRequest(subject_id="anna", purpose_id="newsletter")
        await checks.CheckConsent(question)
        before = server.memory()
        stuck = [
            followers.WatchEvents(events.WatchEventsRequest(start_position=1)) for _ in range(12)
        ]
        for call in stuck:
            await call.initial_metadata()
        found = 0
        async for response in followers.WatchEvents(events.WatchEventsRequest(start_position=1)):
            await checks.CheckConsent(question)
            found += len(response.events)
            if found == 20_000:
                break
        grown = server.memory() - before
        for call in stuck:
            call.cancel()

    assert grown < 60_000_000  # all that could be sent to them is 140 MB
