"""Whatever happens in a life can be proven."""

import json

from consentsvc.domain.events import EventKind
from consentsvc.domain.receipts import Receipt
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.notices import publish
from consentsvc.service.receipts import Receipts
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage.memory import MemoryEventStore
from tests.storage.making import (
    EMAIL,
    IN_ROLE,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    a_life,
    everything,
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
    given = EventKind.CONSENT_GIVEN
    await record(store, *(scoped(given, one, NAME | EMAIL) for one in (OF_CONTACT, OF_DOMAIN)))
    await record(store, scoped(given, IN_ROLE, NAME), reported())
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
        status = json.loads(issued.record)["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
        scope = event.personal.scope

        assert Receipt.parse(str(issued.receipt)).check(verifier).event == event
        assert status["dct:type"] == event.kind.value
        assert ("dpv:hasScope" in status) == (scope is not None)
        if scope is not None and scope.reach.role is not None:
            assert status["dpv:hasScope"]["dct:identifier"][-1] == scope.reach.role.value

    assert kinds == set(EventKind) - {EventKind.NOTICE_PUBLISHED}
