"""A device that turns out to be a customer's."""

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.support import acts
from tests.support.acts import SUBJECT
from tests.support.refusals import refused
from tests.support.wire import Wire, change

DEVICE = "device:1"


async def link(wire: Wire, subject: str = "anna", **options: str) -> rights.LinkSubjectsResponse:
    given = {"other_subject_id": DEVICE, "channel": "panel", "request_id": wire.request_id()}
    return await wire.rights.LinkSubjects(
        rights.LinkSubjectsRequest(subject_id=subject, actor=SUBJECT, **{**given, **options})
    )


async def history(wire: Wire, subject: str) -> list[shared.ConsentEvent]:
    request = consents.ListConsentEventsRequest(subject_id=subject)
    return list((await wire.consents.ListConsentEvents(request)).events)


async def permitted(wire: Wire, subject: str, purpose: str) -> bool:
    return (await wire.check(subject, purpose)).decision.answer == shared.ANSWER_PERMITTED


async def test_a_no_on_the_device(wire: Wire) -> None:
    """It ends the customer's yes at once, and tells whose word it was and since when."""
    await wire.update("anna", change("give", "newsletter"))
    await wire.update(DEVICE, change("refuse", "newsletter"))
    linked = await link(wire)
    (device,) = await history(wire, DEVICE)
    _, event = await history(wire, "anna")

    assert [one.purpose_id for one in linked.outcomes] == ["newsletter"]
    assert not await permitted(wire, "anna", "newsletter")
    assert event.kind == shared.EVENT_KIND_CONSENT_WITHDRAWN
    assert event.claimed_time == device.recorded_time
    assert event.evidence.session_reference == f"subject {device.pseudonym.hex()}"


async def test_a_yes_on_the_device(wire: Wire) -> None:
    """It stays the device's, and the customer's no stays a no."""
    await wire.update(DEVICE, change("give", "newsletter"), change("give", "profiling"))
    await wire.update("anna", change("refuse", "newsletter"))
    linked = await link(wire)

    assert not linked.outcomes
    assert not await permitted(wire, "anna", "newsletter")
    assert not await permitted(wire, "anna", "profiling")
    assert await permitted(wire, DEVICE, "newsletter")


async def test_an_objection(wire: Wire) -> None:
    """It joins, and a second time adds nothing."""
    await wire.update(DEVICE, change("object", "statistics"))
    first, second = await link(wire), await link(wire)

    assert len(first.outcomes) == 1
    assert not second.outcomes
    assert not await permitted(wire, "anna", "statistics")


async def test_a_repeat(wire: Wire) -> None:
    """It gets the first answer; the same id for another device is refused."""
    await wire.update(DEVICE, change("refuse", "newsletter"))
    await wire.update("device:2", change("refuse", "profiling"))
    first = await link(wire, request_id="mine")
    refusal = await refused(link(wire, request_id="mine", other_subject_id="device:2"))

    assert await link(wire, request_id="mine") == first
    assert len(await history(wire, "anna")) == 1
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_a_device_that_nobody_knows(wire: Wire) -> None:
    """Nothing is recorded, of either of them."""
    assert not (await link(wire)).outcomes
    assert not await history(wire, "anna")


async def test_oneself(wire: Wire) -> None:
    """Nobody is somebody else's other id by being the same."""
    refusal = await refused(link(wire, other_subject_id="anna"))

    assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", ("other_subject_id",))


async def test_what_remains_of_an_erased_device(wire: Wire) -> None:
    """An objection that outlives the other subject holds for this one too, and makes nobody."""
    await wire.update("device:1", change("object", "statistics"))
    await acts.erase(wire, "device:1")
    linked = await link(wire)
    (event,) = await acts.history(wire, "anna")

    assert [one.purpose_id for one in linked.outcomes] == ["statistics"]
    assert acts.kinds([event]) == ["OBJECTION_RAISED"]
    assert not event.HasField("claimed_time")
    assert await acts.history(wire, "device:1") == []
    assert (await wire.check("anna", "statistics")).decision.answer != shared.ANSWER_PERMITTED
