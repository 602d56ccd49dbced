"""Requests, and the links by which subjects confirm them."""

import base64
from datetime import timedelta

import pytest

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.answers import checked, ref
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change

ANNA = "customer:8213"
PURPOSE = "reseller42.newsletter"
OPEN_FOR = timedelta(hours=30 * 24)


async def ask(wire: Wire, purpose: str = PURPOSE) -> consents.ChangeOutcome:
    answer = await wire.update(ANNA, change("give", purpose, locale="fr"))
    if answer.outcomes[0].effect != consents.CHANGE_EFFECT_AWAITING_CONFIRMATION:
        answer = await wire.update(ANNA, change("request", purpose), actor=acts.OPERATOR)
    return answer.outcomes[0]


async def test_double_opt_in(wire: Wire, clock: FakeClock) -> None:
    """A confirmed request is a consent given on the notice that was asked about."""
    asked = await ask(wire)
    clock.advance(timedelta(hours=1))
    confirmed = await acts.confirm(wire, asked.confirmation_token)
    decision = await checked(wire, ANNA, PURPOSE)
    given = (await acts.history(wire, ANNA))[-1]

    assert asked.confirmation_expire_time.ToDatetime() == (
        (await acts.history(wire, ANNA))[0].recorded_time.ToDatetime() + OPEN_FOR
    )
    assert confirmed.purpose_id == PURPOSE
    assert (decision.reason, decision.position) == (
        shared.DECISION_REASON_CONSENT_GIVEN,
        confirmed.position,
    )
    assert decision.notice == ref(PURPOSE, locale="fr")
    assert given.refers_to == asked.position
    assert given.actor == acts.SUBJECT
    assert given.channel == "link"


async def test_asked_by_an_operator(wire: Wire) -> None:
    """What somebody else asked for counts once the subject confirms it."""
    answer = await wire.update(ANNA, change("give", "newsletter"), actor=acts.OPERATOR)
    await acts.confirm(wire, answer.outcomes[0].confirmation_token)

    assert (await checked(wire, ANNA, "newsletter")).answer == shared.ANSWER_PERMITTED


async def test_used(wire: Wire) -> None:
    """A token confirms once; the consent stands as it was."""
    asked = await ask(wire)
    await acts.confirm(wire, asked.confirmation_token)
    before = await acts.head(wire)
    refusal = await refused(acts.confirm(wire, asked.confirmation_token))

    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "CONFIRMATION_USED")
    assert refusal.metadata == {"purpose_id": PURPOSE}
    assert await acts.head(wire) == before
    assert (await checked(wire, ANNA, PURPOSE)).answer == shared.ANSWER_PERMITTED


async def test_used_then_withdrawn(wire: Wire) -> None:
    """A used token does not bring back a consent that was withdrawn since."""
    asked = await ask(wire)
    await acts.confirm(wire, asked.confirmation_token)
    await wire.update(ANNA, change("withdraw", PURPOSE))
    refusal = await refused(acts.confirm(wire, asked.confirmation_token))

    assert refusal.code.name == "FAILED_PRECONDITION"
    assert (await checked(wire, ANNA, PURPOSE)).reason == shared.DECISION_REASON_WITHDRAWN


@pytest.mark.parametrize("said", ["refuse", "withdraw", "object", "revoke"])
@pytest.mark.parametrize("before", [None, "refuse", "withdraw", "object"])
async def test_void(wire: Wire, said: str, before: str | None) -> None:
    """A refusal, withdrawal, objection or revocation voids a request, also where it repeats one."""
    if before is not None:
        await wire.update(ANNA, change(before, PURPOSE))
    asked = await ask(wire)
    if said == "revoke":
        await acts.revoke(wire, ANNA, PURPOSE)
    else:
        await wire.update(ANNA, change(said, PURPOSE))
    refusal = await refused(acts.confirm(wire, asked.confirmation_token))

    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "CONFIRMATION_VOID")
    assert refusal.metadata == {"purpose_id": PURPOSE}
    assert (await checked(wire, ANNA, PURPOSE)).answer == shared.ANSWER_NOT_PERMITTED


async def test_void_for_good(wire: Wire) -> None:
    """An objection voids a request even if it is taken back; another request is a new one."""
    first = await ask(wire)
    await wire.update(ANNA, change("object", PURPOSE))
    await wire.update(ANNA, change("withdraw_objection", PURPOSE))
    in_between = await checked(wire, ANNA, PURPOSE)
    second = await ask(wire)
    refusal = await refused(acts.confirm(wire, first.confirmation_token))

    assert in_between.reason == shared.DECISION_REASON_NEVER_ASKED
    assert refusal.reason == "CONFIRMATION_VOID"
    assert (await acts.confirm(wire, second.confirmation_token)).position


async def test_no_of_another_purpose(wire: Wire) -> None:
    """A no to one purpose does not void a request for another."""
    asked = await ask(wire)
    await wire.update(ANNA, change("object", "newsletter"), change("refuse", "profiling"))

    assert (await acts.confirm(wire, asked.confirmation_token)).purpose_id == PURPOSE


async def test_no_of_another_subject(wire: Wire) -> None:
    """Nor does somebody else's no."""
    asked = await ask(wire)
    await wire.update("customer:2", change("refuse", PURPOSE))

    assert (await acts.confirm(wire, asked.confirmation_token)).purpose_id == PURPOSE


async def test_last_moment(wire: Wire, clock: FakeClock) -> None:
    """A microsecond before 30 × 24 hours are over a request can be confirmed."""
    asked = await ask(wire)
    clock.advance(OPEN_FOR - timedelta(microseconds=1))

    assert (await checked(wire, ANNA, PURPOSE)).reason == (
        shared.DECISION_REASON_PENDING_CONFIRMATION
    )
    assert (await acts.confirm(wire, asked.confirmation_token)).position


async def test_expired(wire: Wire, clock: FakeClock) -> None:
    """At exactly 30 × 24 hours it no longer can; it has to be asked for anew."""
    asked = await ask(wire)
    clock.advance(OPEN_FOR)
    decision = await checked(wire, ANNA, PURPOSE)
    refusal = await refused(acts.confirm(wire, asked.confirmation_token))
    anew = await ask(wire)

    assert asked.confirmation_expire_time.ToMicroseconds() == clock.now
    assert decision.reason == shared.DECISION_REASON_EXPIRED
    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "CONFIRMATION_EXPIRED")
    assert refusal.metadata == {"purpose_id": PURPOSE}
    assert (await acts.confirm(wire, anew.confirmation_token)).position


async def test_its_own_request_only(wire: Wire) -> None:
    """Of two requests each token confirms its own."""
    first, second = await ask(wire), await ask(wire)
    await acts.confirm(wire, first.confirmation_token)
    await acts.confirm(wire, second.confirmation_token)
    happened = await acts.history(wire, ANNA)

    assert first.confirmation_token != second.confirmation_token
    assert [one.refers_to for one in happened[2:]] == [first.position, second.position]


@pytest.mark.parametrize(
    "token",
    ["", "A", "AAAA", "not base64!", "é", "A" * 64, "A" * 100_000],
    ids=["empty", "one", "short", "other letters", "not ASCII", "long", "very long"],
)
async def test_unknown(wire: Wire, token: str) -> None:
    """A token that this service did not make is unknown, whatever it is."""
    confirming = await refused(acts.confirm(wire, token))
    redeeming = await refused(acts.redeem(wire, token))

    assert (confirming.code.name, confirming.reason) == ("NOT_FOUND", "LINK_UNKNOWN")
    assert (redeeming.code.name, redeeming.reason) == ("NOT_FOUND", "LINK_UNKNOWN")


async def test_kinds_are_not_exchanged(wire: Wire) -> None:
    """A confirmation link does not withdraw, a withdrawal link does not confirm."""
    asked = await ask(wire)
    await wire.update(ANNA, change("give", "newsletter"))
    withdrawal = await acts.withdrawal_token(wire, ANNA, "newsletter")

    assert (await refused(acts.redeem(wire, asked.confirmation_token))).reason == "LINK_UNKNOWN"
    assert (await refused(acts.confirm(wire, withdrawal))).reason == "LINK_UNKNOWN"


async def test_no_identifier_inside(wire: Wire) -> None:
    """Neither the subject nor the purpose can be read from a token."""
    asked = await ask(wire)
    token = asked.confirmation_token
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    pseudonym = (await acts.history(wire, ANNA))[0].pseudonym

    for hidden in (b"8213", b"newsletter", b"reseller", pseudonym):
        assert hidden not in raw
        assert hidden not in token.encode()


async def test_repeated(wire: Wire) -> None:
    """Repeating a confirmation with its request id gets the first answer, not CONFIRMATION_USED."""
    asked = await ask(wire)
    first = await acts.confirm(wire, asked.confirmation_token, request_id="confirm-1")
    again = await acts.confirm(wire, asked.confirmation_token, request_id="confirm-1")

    assert again == first


async def test_repeated_request(wire: Wire) -> None:
    """Repeating a request gets the same confirmation token."""
    changes = change("give", PURPOSE)
    first = await wire.update(ANNA, changes, request_id="ask-1")
    again = await wire.update(ANNA, changes, request_id="ask-1")

    assert again == first
    assert first.outcomes[0].confirmation_token


async def test_revoking_what_ran_out(wire: Wire, clock: FakeClock) -> None:
    """A request that ran out and was never settled can be revoked, once."""
    await ask(wire)
    clock.advance(OPEN_FOR)
    effects = [(await acts.revoke(wire, ANNA, PURPOSE)).outcomes[0].effect for _ in range(2)]

    assert effects == [consents.CHANGE_EFFECT_RECORDED, consents.CHANGE_EFFECT_UNCHANGED]
    assert (await checked(wire, ANNA, PURPOSE)).reason == shared.DECISION_REASON_REVOKED


async def test_under_restriction(wire: Wire) -> None:
    """Choices can be recorded under a restriction; they count once it is lifted."""
    asked = await ask(wire)
    await acts.restrict(wire, ANNA)
    await acts.confirm(wire, asked.confirmation_token)
    frozen = await checked(wire, ANNA, PURPOSE)
    await acts.lift(wire, ANNA)

    assert frozen.reason == shared.DECISION_REASON_RESTRICTED
    assert (await checked(wire, ANNA, PURPOSE)).answer == shared.ANSWER_PERMITTED
