"""Everything that is held about a person, handed out."""

import pytest

from consentsvc.domain.receipts import Receipt
from consentsvc.service.signing import Verifier
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import proof_service_pb2 as proofs
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.support.acts import OPERATOR, SUBJECT
from tests.support.refusals import refused
from tests.support.wire import Wire, change

EXPORTED = shared.EVENT_KIND_RECORD_EXPORTED


async def export(
    wire: Wire, subject: str, actor: shared.Actor = OPERATOR, **options: object
) -> list[rights.ExportSubjectResponse]:
    request = rights.ExportSubjectRequest(
        subject_id=subject,
        actor=actor,
        channel="letter",
        **{"request_id": wire.request_id(), **options},  # type: ignore[arg-type]  # as named
    )
    return [part async for part in wire.rights.ExportSubject(request)]


def events(parts: list[rights.ExportSubjectResponse]) -> list[shared.ConsentEvent]:
    return [one.event for part in parts for one in part.events]


async def a_life(wire: Wire, subject: str, changes: int) -> None:
    for number in range(changes):
        await wire.update(subject, change("withdraw" if number % 2 else "give", "newsletter"))


@pytest.mark.parametrize("changes", [1, 29, 30, 31, 75])
async def test_everything_in_order(wire: Wire, changes: int) -> None:
    """What stands comes first, then every event with its evidence, each once."""
    await a_life(wire, "anna", changes)
    await a_life(wire, "ben", 3)
    parts = await export(wire, "anna", SUBJECT)
    history = await wire.consents.ListConsentEvents(
        consents.ListConsentEventsRequest(subject_id="anna", page_size=100)
    )
    record = parts[0].record
    stands = {
        one.consent.purpose_id: one.decision.answer == shared.ANSWER_PERMITTED
        for one in record.consents
    }

    assert events(parts) == list(history.events)
    assert record.event_count == changes
    assert record.subject_id == "anna"
    assert stands["newsletter"] is (changes % 2 == 1)
    assert [part.HasField("record") for part in parts] == [True] + [False] * (len(parts) - 1)
    assert not any(one.receipt for part in parts for one in part.events)


async def test_each_text_once(wire: Wire) -> None:
    """The notices that the events name come with their words, and no others."""
    await a_life(wire, "anna", 40)
    await wire.update("anna", change("refuse", "profiling"))
    parts = await export(wire, "anna", SUBJECT)
    told = [(one.purpose_id, one.notice.title) for part in parts for one in part.notices]

    assert told == [("newsletter", "newsletter 1 en"), ("profiling", "profiling 1 en")]


async def test_with_receipts(wire: Wire) -> None:
    """Each event is proven, also the one that this export has just recorded."""
    await a_life(wire, "anna", 3)
    parts = await export(wire, "anna", with_receipts=True)
    signed = await wire.proofs.GetCheckpoint(proofs.GetCheckpointRequest())
    verifier = Verifier.parse(signed.verifier_key)
    proven = [
        Receipt.parse(one.receipt).check(verifier).event for part in parts for one in part.events
    ]

    assert [one.position for one in proven] == [one.position for one in events(parts)]
    assert events(parts)[-1].kind == EXPORTED
    assert all(one.personal is not None and one.personal.subject == "anna" for one in proven)


async def test_who_was_handed_it_out(wire: Wire) -> None:
    """An operator is recorded, with the reading itself in what they read; a subject is not."""
    await a_life(wire, "anna", 1)
    own = events(await export(wire, "anna", SUBJECT))
    theirs = events(await export(wire, "anna"))
    again = events(await export(wire, "anna", SUBJECT))

    assert [one.kind for one in own] == [shared.EVENT_KIND_CONSENT_GIVEN]
    assert [one.kind for one in theirs] == [shared.EVENT_KIND_CONSENT_GIVEN, EXPORTED]
    assert (theirs[1].actor.id, theirs[1].channel) == (OPERATOR.id, "letter")
    assert again == theirs


async def test_it_changes_no_consent(wire: Wire) -> None:
    """What was read is as it was."""
    await a_life(wire, "anna", 1)
    before = (await wire.check("anna", "newsletter")).decision
    await export(wire, "anna")
    after = (await wire.check("anna", "newsletter")).decision

    assert (before.answer, before.position) == (after.answer, after.position)


async def test_a_repeat_is_recorded_once(wire: Wire) -> None:
    """One that was cut is begun anew under the same id; under it nothing else is handed out."""
    await a_life(wire, "anna", 1)
    await a_life(wire, "ben", 1)
    for _ in range(2):
        found = events(await export(wire, "anna", request_id="mine"))
        assert [one.kind for one in found].count(EXPORTED) == 1
    refusal = await refused(export(wire, "ben", request_id="mine"))

    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_about_nobody(wire: Wire) -> None:
    """Of somebody about whom nothing is held there is nothing, and no record of having asked."""
    for actor in (OPERATOR, SUBJECT):
        (part,) = await export(wire, "nobody", actor)
        assert part.record.event_count == 0
        assert not part.events
        assert not any(one.consent.HasField("choice") for one in part.record.consents)


async def test_bad_input(wire: Wire) -> None:
    """What is wrong is told by its field, before anything is handed out or recorded."""
    await a_life(wire, "anna", 1)
    for options, field in (
        ({"subject": ""}, "subject_id"),
        ({"subject": "anna", "actor": shared.Actor()}, "actor.kind"),
        ({"subject": "anna", "request_id": ""}, "request_id"),
    ):
        refusal = await refused(export(wire, **options))
        assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", (field,))
    assert [one.kind for one in events(await export(wire, "anna", SUBJECT))] == [
        shared.EVENT_KIND_CONSENT_GIVEN
    ]
