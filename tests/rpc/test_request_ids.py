"""A request id stands for one request, and for its first answer."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.answers import checked
from tests.support.refusals import refused
from tests.support.wire import Wire, change

ANNA = "customer:8213"


async def test_first_answer(wire: Wire) -> None:
    """A repeat gets the first answer byte for byte, even after later changes, and adds nothing."""
    changes = change("give", "newsletter"), change("give", "reseller42.newsletter")
    first = await wire.update(ANNA, *changes, request_id="r-1")
    await wire.update(ANNA, change("withdraw", "newsletter"), request_id="r-2")
    await wire.update(ANNA, change("refuse", "reseller42.newsletter"), request_id="r-3")
    before = await acts.head(wire)
    again = await wire.update(ANNA, *changes, request_id="r-1")

    assert again.SerializeToString(deterministic=True) == first.SerializeToString(
        deterministic=True
    )
    assert await acts.head(wire) == before
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN


async def test_first_answer_of_nothing(wire: Wire) -> None:
    """An answer that recorded nothing is remembered as well."""
    first = await wire.update(
        ANNA, change("withdraw_objection", "newsletter", version=None), request_id="r-1"
    )
    await wire.update(ANNA, change("object", "newsletter", version=None), request_id="r-2")
    again = await wire.update(
        ANNA, change("withdraw_objection", "newsletter", version=None), request_id="r-1"
    )

    assert again == first
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_OBJECTED


async def test_expected_position_is_of_the_first(wire: Wire) -> None:
    """A retry is not told that its own first attempt moved the consent on."""
    changed = change("give", "newsletter", expected_position=0)
    first = await wire.update(ANNA, changed, request_id="r-1")

    assert await wire.update(ANNA, changed, request_id="r-1") == first


async def test_refused_is_not_remembered(wire: Wire) -> None:
    """An id whose request was refused is free: nothing was done in its name."""
    bad = change("give", "newsletter", expected_position=5)
    refusal = await refused(wire.update(ANNA, bad, request_id="r-1"))
    answer = await wire.update(ANNA, change("give", "newsletter"), request_id="r-1")

    assert refusal.reason == "POSITION_CONFLICT"
    assert answer.outcomes[0].effect == consents.CHANGE_EFFECT_RECORDED


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "customer:2"},
        {"changes": (change("give", "profiling"),)},
        {"changes": (change("refuse", "newsletter"),)},
        {"changes": (change("give", "newsletter", locale="fr"),)},
        {"changes": (change("give", "newsletter"), change("give", "profiling"))},
        {"actor": acts.OPERATOR},
        {"evidence": shared.Evidence(action="ticked")},
        {"claimed_time": acts.stamp(1)},
    ],
    ids=["subject", "purpose", "action", "locale", "more", "actor", "evidence", "time"],
)
async def test_other_content(wire: Wire, other: dict[str, Any]) -> None:
    """The same id with any other content is refused, and nothing is recorded."""
    await wire.update(ANNA, change("give", "newsletter"), request_id="r-1")
    before = await acts.head(wire)
    subject = other.pop("subject", ANNA)
    changes = other.pop("changes", (change("give", "newsletter"),))
    refusal = await refused(wire.update(subject, *changes, request_id="r-1", **other))

    assert (refusal.code.name, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert await acts.head(wire) == before


async def test_another_method(wire: Wire) -> None:
    """The id of one method is taken for all the others, but for a link, which nothing holds up."""
    asked = await wire.update(ANNA, change("give", "reseller42.newsletter"), request_id="r-1")
    token = await acts.withdrawal_token(wire, ANNA, "statistics")
    redeemed = await acts.redeem(wire, token, request_id="r-1")
    calls: list[Awaitable[object]] = [
        acts.confirm(wire, asked.outcomes[0].confirmation_token, request_id="r-1"),
        acts.restrict(wire, ANNA, request_id="r-1"),
        acts.lift(wire, ANNA, request_id="r-1"),
        acts.report_death(wire, ANNA, request_id="r-1"),
        acts.revoke(wire, ANNA, "newsletter", request_id="r-1"),
    ]
    refusals = [await refused(call) for call in calls]

    assert {one.reason for one in refusals} == {"REQUEST_ID_REUSED"}
    assert redeemed.effect == consents.CHANGE_EFFECT_RECORDED


async def test_methods_with_equal_fields(wire: Wire) -> None:
    """Two methods whose messages have the very same bytes are two requests."""
    await acts.restrict(wire, ANNA, request_id="r-1")
    refusal = await refused(acts.lift(wire, ANNA, request_id="r-1"))

    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_rights(wire: Wire) -> None:
    """Instructions about a subject are repeated alike."""
    await wire.update(ANNA, change("give", "newsletter"))
    first = await acts.revoke(wire, ANNA, "newsletter", request_id="r-1")
    await wire.update(ANNA, change("give", "newsletter"))
    again = await acts.revoke(wire, ANNA, "newsletter", request_id="r-1")
    refusal = await refused(acts.revoke(wire, ANNA, "profiling", request_id="r-1"))

    assert again == first
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_identical_in_parallel(wire: Wire) -> None:
    """Fifty identical requests at once are one event and one answer."""
    before = await acts.head(wire)
    answers = await asyncio.gather(
        *(wire.update(ANNA, change("give", "newsletter"), request_id="r-1") for _ in range(50))
    )

    assert len({one.SerializeToString(deterministic=True) for one in answers}) == 1
    assert await acts.head(wire) == before + 1


async def test_first_writes_in_parallel(wire: Wire) -> None:
    """Fifty first writes about one subject at once make one subject, with all events in order."""
    actions = ["give", "refuse"] * 25
    answers = await asyncio.gather(
        *(wire.update(ANNA, change(action, "newsletter")) for action in actions)
    )
    happened = await acts.history(wire, ANNA)
    recorded = [one.outcomes[0].position for one in answers if one.outcomes[0].position]
    state = await acts.state(wire, ANNA, "newsletter")

    assert [one.position for one in happened] == sorted(recorded)
    assert len({one.pseudonym for one in happened}) == 1
    assert {one.subject_id for one in happened} == {ANNA}
    assert (state.choice.kind, state.position) == (happened[-1].kind, happened[-1].position)
    assert acts.kinds(happened).count("CONSENT_GIVEN") == 25


async def test_different_content_in_parallel(wire: Wire) -> None:
    """Of fifty different requests with one id exactly one is carried out."""
    results = await asyncio.gather(
        *(
            wire.update(f"customer:{number}", change("give", "newsletter"), request_id="r-1")
            for number in range(50)
        ),
        return_exceptions=True,
    )
    carried_out = [one for one in results if isinstance(one, consents.UpdateConsentsResponse)]

    assert len(carried_out) == 1
    assert acts.kinds(await acts.log(wire)).count("CONSENT_GIVEN") == 1
