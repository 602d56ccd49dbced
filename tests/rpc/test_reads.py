"""Who has read what is held about a person."""

import pytest

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.acts import OPERATOR, RESELLER, SUBJECT
from tests.support.refusals import refused
from tests.support.wire import Wire, change


async def read(wire: Wire, subject: str, reader: shared.Actor | None) -> None:
    """Reads all that there is to be read, page by page."""
    token = ""
    while True:
        page = await wire.consents.ListConsents(
            consents.ListConsentsRequest(
                subject_id=subject, page_size=2, page_token=token, reader=reader
            )
        )
        token = page.next_page_token
        if not token:
            break
    while True:
        events = await wire.consents.ListConsentEvents(
            consents.ListConsentEventsRequest(
                subject_id=subject, page_size=1, page_token=token, reader=reader
            )
        )
        token = events.next_page_token
        if not token:
            break


async def test_an_operator_is_recorded(wire: Wire) -> None:
    """Once for each list that they read, and for each receipt, before they get to see it."""
    await wire.update("anna", change("give", "newsletter"))
    first = (await acts.history(wire, "anna"))[0].position
    await read(wire, "anna", OPERATOR)
    await wire.consents.GetReceipt(
        consents.GetReceiptRequest(subject_id="anna", position=first, reader=RESELLER)
    )
    history = await acts.history(wire, "anna")

    assert acts.kinds(history) == ["CONSENT_GIVEN"] + ["RECORD_READ"] * 3
    assert [one.actor for one in history[1:]] == [OPERATOR, OPERATOR, RESELLER]
    assert [one.evidence.action for one in history[1:]] == ["consents", "history", "receipt"]


@pytest.mark.parametrize("reader", [None, SUBJECT])
async def test_the_subject_is_not(wire: Wire, reader: shared.Actor | None) -> None:
    """Whoever reads about themselves leaves no trace."""
    await wire.update("anna", change("give", "newsletter"))
    head = await acts.head(wire)
    await read(wire, "anna", reader)

    assert await acts.head(wire) == head


async def test_nobody_is_made_by_reading(wire: Wire) -> None:
    """Of somebody about whom nothing is held, nothing is recorded."""
    head = await acts.head(wire)
    await read(wire, "nobody", OPERATOR)

    assert await acts.head(wire) == head


async def test_a_reader_that_is_none(wire: Wire) -> None:
    """Somebody who does not say who they are is refused, and the field is named."""
    request = consents.ListConsentsRequest(
        subject_id="anna", reader=shared.Actor(kind=shared.ACTOR_KIND_OPERATOR)
    )
    refusal = await refused(wire.consents.ListConsents(request))

    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("reader.id",))
