"""One-click withdrawal links (RFC 8058)."""

import base64
from datetime import timedelta

import pytest

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.answers import checked, unpacked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change

ANNA, BEN = "customer:8213", "customer:8214"
RECORDED, UNCHANGED = consents.CHANGE_EFFECT_RECORDED, consents.CHANGE_EFFECT_UNCHANGED


async def test_withdraws(wire: Wire) -> None:
    """One click takes the consent back, in the subject's own name."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    answer = await acts.redeem(wire, token)
    last = (await acts.history(wire, ANNA))[-1]

    assert (answer.purpose_id, answer.effect) == ("newsletter", RECORDED)
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN
    assert acts.kinds([last]) == ["CONSENT_WITHDRAWN"]
    assert (last.actor, last.channel) == (acts.SUBJECT, "link")


async def test_one_subject_and_one_purpose(wire: Wire) -> None:
    """It withdraws nothing else of the subject, and nothing of anybody else."""
    for subject in (ANNA, BEN):
        await wire.update(subject, change("give", "newsletter"), change("give", "profiling"))
    await acts.redeem(wire, await acts.withdrawal_token(wire, ANNA, "newsletter"))

    assert (await checked(wire, ANNA, "profiling")).answer == shared.ANSWER_PERMITTED
    assert (await checked(wire, BEN, "newsletter")).answer == shared.ANSWER_PERMITTED


async def test_never_expires(wire: Wire, clock: FakeClock) -> None:
    """A link from a mail of twenty years ago still withdraws."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    clock.advance(timedelta(days=365 * 20))
    answer = await acts.redeem(wire, token)

    assert answer.effect == RECORDED


async def test_twice(wire: Wire) -> None:
    """Redeeming again succeeds and records nothing."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    effects = [(await acts.redeem(wire, token)).effect for _ in range(3)]

    assert effects == [RECORDED, UNCHANGED, UNCHANGED]
    assert len(await acts.history(wire, ANNA)) == 2


async def test_after_giving_again(wire: Wire) -> None:
    """A link that was used withdraws a later consent as well."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    await acts.redeem(wire, token)
    await wire.update(ANNA, change("give", "newsletter"))
    answer = await acts.redeem(wire, token)

    assert answer.effect == RECORDED
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN


@pytest.mark.parametrize("standing", ["restriction", "death", "objection"])
async def test_under_whatever_stands(wire: Wire, standing: str) -> None:
    """It works under a restriction, after a reported death, and under an objection."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    match standing:
        case "restriction":
            await acts.restrict(wire, ANNA)
        case "death":
            await acts.report_death(wire, ANNA)
        case _:
            await wire.update(ANNA, change("object", "newsletter"))
    answer = await acts.redeem(wire, token)

    assert answer.effect == RECORDED
    assert (await acts.state(wire, ANNA, "newsletter")).choice.kind == (
        shared.EVENT_KIND_CONSENT_WITHDRAWN
    )


async def test_ends_a_request(wire: Wire) -> None:
    """It voids a request that came after the last withdrawal."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    await acts.redeem(wire, token)
    asked = await wire.update(ANNA, change("give", "newsletter"), actor=acts.OPERATOR)
    answer = await acts.redeem(wire, token)
    refusal = await refused(acts.confirm(wire, asked.outcomes[0].confirmation_token))

    assert answer.effect == RECORDED
    assert refusal.reason == "CONFIRMATION_VOID"


async def test_described(wire: Wire) -> None:
    """Either kind tells what it is for, changes nothing, and cannot be altered."""
    await wire.update(ANNA, change("give", "newsletter"))
    asked = await wire.update(ANNA, change("give", "profiling"), actor=acts.OPERATOR)
    head = await acts.head(wire)
    withdrawal = await acts.withdrawal_token(wire, ANNA, "newsletter")
    confirmation = asked.outcomes[0].confirmation_token
    found = [
        await wire.consents.DescribeLink(consents.DescribeLinkRequest(token=token))
        for token in (withdrawal, confirmation)
    ]
    altered = consents.DescribeLinkRequest(token=withdrawal[:-2])
    refusal = await refused(wire.consents.DescribeLink(altered))

    assert [(one.kind, one.purpose_id) for one in found] == [
        (consents.LINK_KIND_WITHDRAWAL, "newsletter"),
        (consents.LINK_KIND_CONFIRMATION, "profiling"),
    ]
    assert refusal.reason == "LINK_UNKNOWN"
    assert await acts.head(wire) == head


async def test_always_the_same(wire: Wire) -> None:
    """All ways of asking hand out one token for a subject and a purpose, before and after."""
    await wire.update(ANNA, change("give", "newsletter"))
    first = await acts.withdrawal_token(wire, ANNA, "newsletter")
    await wire.update(ANNA, change("withdraw", "newsletter"))
    await wire.update(ANNA, change("give", "newsletter"))
    batch = await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(subject_ids=[ANNA, ANNA], purpose_ids=["newsletter"]),
            with_withdrawal_tokens=True,
        )
    )

    assert list(batch.decisions.withdrawal_tokens) == [first, first]
    assert await acts.withdrawal_token(wire, ANNA, "newsletter") == first


async def test_all_different(wire: Wire) -> None:
    """No two subjects, and no two purposes, have one token."""
    for subject in (ANNA, BEN):
        await wire.update(subject, change("give", "newsletter"), change("give", "profiling"))
    tokens = {
        await acts.withdrawal_token(wire, subject, purpose)
        for subject in (ANNA, BEN)
        for purpose in ("newsletter", "profiling", "statistics")
    }

    assert len(tokens) == 6


async def test_for_a_stranger(wire: Wire) -> None:
    """A yes to somebody without any event comes with a way out, too."""
    before = await acts.head(wire)
    token = await acts.withdrawal_token(wire, ANNA, "statistics")
    assert await acts.head(wire) == before
    answer = await acts.redeem(wire, token)

    assert answer.effect == RECORDED
    assert (await checked(wire, ANNA, "statistics")).reason == shared.DECISION_REASON_WITHDRAWN


async def test_only_with_a_yes(wire: Wire) -> None:
    """A token comes with a yes, only if asked for, and never with a no."""
    await wire.update(ANNA, change("give", "newsletter"))
    await wire.update(BEN, change("refuse", "newsletter"))
    unasked = await wire.check(ANNA, "newsletter")
    refusing = await wire.check(BEN, "newsletter", with_withdrawal_token=True)
    batch = await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(subject_ids=[ANNA, BEN], purpose_ids=["newsletter"]),
            with_withdrawal_tokens=True,
        )
    )

    assert not unasked.decision.withdrawal_token
    assert not refusing.decision.withdrawal_token
    assert [bool(one.withdrawal_token) for one in unpacked(batch.decisions)] == [True, False]


async def test_not_for_the_past(wire: Wire) -> None:
    """Tokens are refused together with `as_of_time`."""
    past = shared.Consistency(as_of_time=acts.stamp(1))
    batch = queries.CheckBatch(subject_ids=[ANNA], purpose_ids=["newsletter"])
    one = await refused(
        wire.check(ANNA, "newsletter", consistency=past, with_withdrawal_token=True)
    )
    many = await refused(
        wire.queries.BatchCheckConsents(
            queries.BatchCheckConsentsRequest(
                batch=batch, consistency=past, with_withdrawal_tokens=True
            )
        )
    )

    assert one.fields == many.fields == ("consistency.as_of_time",)


async def test_no_identifier_inside(wire: Wire) -> None:
    """Neither the subject, nor its pseudonym, nor the purpose can be read from a token."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    pseudonym = (await acts.history(wire, ANNA))[0].pseudonym

    for hidden in (b"8213", b"customer", b"newsletter", pseudonym):
        assert hidden not in raw
        assert hidden not in token.encode()


async def test_repeated(wire: Wire) -> None:
    """No click is lost to an id that was used before: a later consent is withdrawn again."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    first = await acts.redeem(wire, token, request_id="click-1")
    await wire.update(ANNA, change("give", "newsletter"))
    again = await acts.redeem(wire, token, request_id="click-1")

    assert (first.effect, again.effect) == (RECORDED, RECORDED)
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN


async def test_repeated_from_elsewhere(wire: Wire) -> None:
    """Nor is a withdrawal lost if the click came from another browser than the first one."""
    await wire.update(ANNA, change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, ANNA, "newsletter")
    await acts.redeem(
        wire, token, request_id="click-1", evidence=shared.Evidence(session_reference="one")
    )
    await wire.update(ANNA, change("give", "newsletter"))
    await acts.redeem(
        wire, token, request_id="click-1", evidence=shared.Evidence(session_reference="two")
    )

    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN
