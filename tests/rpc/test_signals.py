"""Global Privacy Control over the wire: recorded as what it is, and outranked by the person."""

import pytest

from consentsvc.domain.catalogue import LegalBasis
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts, catalogues
from tests.support.acts import OPERATOR
from tests.support.answers import checked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change, serving

ANNA = "customer:8213"
RECORDED = consents.CHANGE_EFFECT_RECORDED
UNCHANGED = consents.CHANGE_EFFECT_UNCHANGED
EVERY = ["newsletter", "profiling", "statistics"]


async def signal(wire: Wire, *purposes: str) -> list[int]:
    """A browser sends its signal; the panel passes it on for some purposes."""
    answer = await wire.update(ANNA, *(change("signal", one, version=None) for one in purposes))
    return [one.effect for one in answer.outcomes]


async def test_it_objects_where_it_is_heeded(wire: Wire) -> None:
    """It is recorded once, as an objection by a signal, for the purposes that heed it."""
    first = await signal(wire, *EVERY)
    again = await signal(wire, *EVERY)
    (event,) = await acts.history(wire, ANNA)
    decision = await checked(wire, ANNA, "statistics")

    assert first == [UNCHANGED, UNCHANGED, RECORDED]
    assert again == [UNCHANGED] * 3
    assert event.kind == shared.EVENT_KIND_OBJECTION_RAISED
    assert event.signal == shared.SIGNAL_GLOBAL_PRIVACY_CONTROL
    assert event.purpose_id == "statistics"
    assert decision.answer == shared.ANSWER_NOT_PERMITTED
    assert decision.reason == shared.DECISION_REASON_OBJECTED


async def test_the_person_outranks_it(wire: Wire) -> None:
    """An objection that was taken back stays so, whatever a browser sends with every page."""
    await signal(wire, "statistics")
    await wire.update(ANNA, change("withdraw_objection", "statistics", version=None))
    effects = await signal(wire, "statistics")
    decision = await checked(wire, ANNA, "statistics")

    assert effects == [UNCHANGED]
    assert decision.reason == shared.DECISION_REASON_NOT_OBJECTED


async def test_the_state_tells_of_it(wire: Wire) -> None:
    """The panel sees whose an objection is, and that one was taken back."""
    await signal(wire, "statistics")
    (event,) = await acts.history(wire, ANNA)
    before = await _state(wire)
    await wire.update(ANNA, change("withdraw_objection", "statistics", version=None))
    after = await _state(wire)
    await wire.update(ANNA, change("object", "statistics", version=None))
    own = await _state(wire)

    assert (before.objection_by_signal, before.HasField("objection_withdrawn_position")) == (
        True,
        False,
    )
    assert before.objection_recorded_time == event.recorded_time
    assert not after.HasField("objection_position")
    assert not after.HasField("objection_recorded_time")
    assert after.objection_withdrawn_position > before.objection_position
    assert own.HasField("objection_position")
    assert not own.objection_by_signal


async def _state(wire: Wire) -> shared.Consent:
    answer = await wire.consents.ListConsents(consents.ListConsentsRequest(subject_id=ANNA))
    return next(one.consent for one in answer.consents if one.consent.purpose_id == "statistics")


async def test_it_is_the_subjects_own(wire: Wire) -> None:
    """Nobody else has the subject's browser."""
    sent = wire.update(ANNA, change("signal", "statistics", version=None), actor=OPERATOR)

    assert (await refused(sent)).fields == ("actor.kind",)


async def test_a_marked_purpose() -> None:
    """A purpose that the catalogue marks heeds it too; a consent ends the objection."""
    marked = catalogues.purpose(catalogues.PROFILING, marked_for_signal=True)
    clock = FakeClock()
    async with (
        open_store("memory:", clock=clock) as store,
        serving(store, catalogues.catalogue(marked), clock) as wire,
    ):
        purposes = await wire.consents.ListPurposes(consents.ListPurposesRequest(locale="en"))
        await signal(wire, "profiling")
        objected = await checked(wire, ANNA, "profiling")
        await wire.update(ANNA, change("give", "profiling"))
        given = await checked(wire, ANNA, "profiling")
        effects = await signal(wire, "profiling")

    assert {one.id for one in purposes.purposes if one.heeds_signal} == {
        "profiling",
        "statistics",
    }
    assert marked.basis is LegalBasis.CONSENT
    assert objected.reason == shared.DECISION_REASON_OBJECTED
    assert given.reason == shared.DECISION_REASON_CONSENT_GIVEN
    assert effects == [UNCHANGED]


@pytest.mark.parametrize("action", ["give", "refuse"])
async def test_it_is_no_choice(wire: Wire, action: str) -> None:
    """It settles no choice: one made before it stays what it was."""
    await wire.update(ANNA, change(action, "newsletter"))
    await signal(wire, "newsletter")
    decision = await checked(wire, ANNA, "newsletter")

    assert decision.reason in {
        shared.DECISION_REASON_CONSENT_GIVEN,
        shared.DECISION_REASON_REFUSED,
    }
