"""Answers that had to wait: they are right at the end of the wait, not at its beginning."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.events import THE_SUBJECT, EventKind, NewEvent, Personal
from consentsvc.domain.identifiers import SubjectId
from consentsvc.service.ports import EventStore, Transaction
from consentsvc.v1 import consent_pb2 as shared
from tests.support import acts, catalogues
from tests.support.answers import batched, checked, listed
from tests.support.clock import FakeClock
from tests.support.stores import SOON, Gate, meddled
from tests.support.wire import Wire, change, serving


@pytest.mark.parametrize(
    ("method", "ask"),
    [("records", checked), ("records", batched), ("subject_record", listed)],
    ids=["check", "batch", "panel"],
)
async def test_ran_out_meanwhile(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock, method: str, ask: Any
) -> None:
    """A consent that runs out while the store is slow is answered with no."""
    gate = Gate(getattr(sqlite_store, method))
    async with serving(meddled(sqlite_store, **{method: gate}), catalogue, clock) as wire:
        await wire.update("anna", change("give", "profiling"))
        asking = asyncio.ensure_future(ask(wire, "anna", "profiling"))
        await gate.reached.wait()
        clock.advance(timedelta(days=31))
        gate.opened.set()

        assert (await asking).reason == shared.DECISION_REASON_EXPIRED


async def test_withdrawn_meanwhile(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A consent withdrawn before the store is read is answered with no."""
    gate = Gate(sqlite_store.records)
    async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        asking = asyncio.ensure_future(checked(wire, "anna", "newsletter"))
        await gate.reached.wait()
        await wire.update("anna", change("withdraw", "newsletter"))
        gate.opened.set()

        assert (await asking).reason == shared.DECISION_REASON_WITHDRAWN


async def test_as_of_a_moment_ago(wire: Wire, sqlite_store: EventStore, clock: FakeClock) -> None:
    """An answer for a moment ago waits for a write that has that time and is not committed yet."""
    under_way, let_go = threading.Event(), threading.Event()
    anna = SubjectId("anna")

    def slow(transaction: Transaction) -> None:
        personal = Personal(anna, THE_SUBJECT, "panel")
        transaction.append(NewEvent(EventKind.CONSENT_WITHDRAWN, catalogues.NEWSLETTER, personal))
        under_way.set()
        let_go.wait(SOON)

    await wire.update("anna", change("give", "newsletter"))
    clock.advance(timedelta(seconds=1))
    withdrawing = asyncio.ensure_future(sqlite_store.write(slow, {anna}))
    await asyncio.to_thread(under_way.wait, SOON)
    moment = clock.now
    clock.advance(timedelta(seconds=1))
    past = shared.Consistency(as_of_time=acts.stamp(moment))
    asking = asyncio.ensure_future(checked(wire, "anna", "newsletter", consistency=past))
    before = await checked(wire, "anna", "newsletter")
    waits = not asking.done()
    let_go.set()
    await withdrawing
    answer = await asking
    again = await checked(wire, "anna", "newsletter", consistency=past)

    assert before.reason == shared.DECISION_REASON_CONSENT_GIVEN
    assert waits
    assert answer.reason == again.reason == shared.DECISION_REASON_WITHDRAWN
