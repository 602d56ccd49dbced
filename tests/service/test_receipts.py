"""Whatever happens in a life can be proven."""

import asyncio
import json
from datetime import timedelta

import pytest

from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position
from consentsvc.domain.receipts import Receipt
from consentsvc.service import checkpoints as signing
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.notices import publish
from consentsvc.service.ports import SignedCheckpoint
from consentsvc.service.receipts import Receipts
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage.memory import MemoryEventStore
from tests.storage.making import (
    ANNA,
    EMAIL,
    IN_ROLE,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    a_life,
    everything,
    given,
    record,
    reported,
    scoped,
)
from tests.support.catalogues import catalogue
from tests.support.clock import FakeClock


async def test_every_event_has_a_receipt(clock: FakeClock) -> None:
    """Of every kind and at every reach. Once, a choice for one role was an internal error."""
    store = MemoryEventStore(clock)
    await publish(store, catalogue())
    await a_life(store, clock, seed=5, requests=60, people=6)
    kind = EventKind.CONSENT_GIVEN
    await record(store, *(scoped(kind, one, NAME | EMAIL) for one in (OF_CONTACT, OF_DOMAIN)))
    await record(store, scoped(kind, IN_ROLE, NAME), reported())
    checkpoints = Checkpoints(store, Signer("log.example/1", store.secret("checkpoint")))
    await checkpoints.sign()
    verifier = Verifier.parse(checkpoints.verifier_key)
    receipts = Receipts(store, catalogue(), checkpoints)
    kinds = set[EventKind]()
    for event in await everything(store):
        if event.personal is None:
            continue
        kinds.add(event.kind)
        issued = await receipts.issue(event.personal.subject, event.position)
        assert issued.record is not None
        status = json.loads(issued.record)["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
        scope = event.personal.scope

        assert Receipt.parse(str(issued.receipt)).check(verifier).event == event
        assert status["dct:type"] == event.kind.value
        assert ("dpv:hasScope" in status) == (scope is not None)
        if scope is not None and scope.reach.role is not None:
            assert status["dpv:hasScope"]["dct:identifier"][-1] == scope.reach.role.value

    assert kinds == set(EventKind) - {EventKind.NOTICE_PUBLISHED, EventKind.SUBJECT_ERASED}


async def test_nobody_signs(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a checkpoint is told to come back, not kept for ever."""
    monkeypatch.setattr(signing, "_PATIENCE_SECONDS", 0.1)
    store = MemoryEventStore(clock)
    await record(store, given(ANNA))
    checkpoints = Checkpoints(store, Signer("log.example/1", store.secret("checkpoint")))

    with pytest.raises(StoreUnavailable, match="no checkpoint"):
        await Receipts(store, catalogue(), checkpoints).issue(ANNA, Position(1))


async def test_a_failure_to_sign_is_not_the_last_attempt(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was that failed: a full disk has room again."""
    store = MemoryEventStore(clock)
    await record(store, given(ANNA))
    checkpoints = Checkpoints(store, Signer("log.example/1", store.secret("checkpoint")))
    sign, failures = checkpoints.sign, [StoreUnavailable("full"), ValueError("unforeseen")]

    async def failing() -> SignedCheckpoint | None:
        if failures:
            raise failures.pop()
        return await sign()

    monkeypatch.setattr(checkpoints, "sign", failing)
    job = asyncio.create_task(checkpoints.run(timedelta(milliseconds=1)))
    covering = await checkpoints.covering(Position(1))
    job.cancel()

    assert covering.size == 1
    assert not failures
