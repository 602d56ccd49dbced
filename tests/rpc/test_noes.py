"""Nobody is kept from a no."""

from typing import Any

import pytest

from consentsvc.domain.catalogue import EvidenceField
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts, catalogues
from tests.support.answers import checked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change, serving

ANNA = "customer:8213"
RECORDED, UNCHANGED = consents.CHANGE_EFFECT_RECORDED, consents.CHANGE_EFFECT_UNCHANGED

UNKNOWN = {
    "version": shared.NoticeRef(version="9", locale="en"),
    "locale": shared.NoticeRef(version="1", locale="de"),
    "hash": shared.NoticeRef(version="1", locale="en", sha256=b"x" * 32),
}
unknown = pytest.mark.parametrize("notice", UNKNOWN.values(), ids=UNKNOWN)


def on(action: str, notice: shared.NoticeRef) -> consents.ConsentChange:
    changed = change(action, "newsletter")
    changed.notice.CopyFrom(notice)
    return changed


@unknown
async def test_withdrawing(wire: Wire, notice: shared.NoticeRef) -> None:
    """A withdrawal from a page with an old or a wrong text is recorded, without the text."""
    await wire.update(ANNA, change("give", "newsletter"))
    answer = await wire.update(ANNA, on("withdraw", notice))
    decision = await checked(wire, ANNA, "newsletter")

    assert answer.outcomes[0].effect == RECORDED
    assert decision.reason == shared.DECISION_REASON_WITHDRAWN
    assert not decision.HasField("notice")
    assert not (await acts.history(wire, ANNA))[-1].HasField("notice")


@unknown
async def test_objecting(wire: Wire, notice: shared.NoticeRef) -> None:
    """So is an objection, and its end."""
    raised = await wire.update(ANNA, on("object", notice))
    ended = await wire.update(ANNA, on("withdraw_objection", notice))

    assert [raised.outcomes[0].effect, ended.outcomes[0].effect] == [RECORDED, RECORDED]


@unknown
@pytest.mark.parametrize("action", ["give", "refuse", "request"])
async def test_what_is_about_a_text(wire: Wire, action: str, notice: shared.NoticeRef) -> None:
    """What says yes or no to a text names one that was published."""
    refusal = await refused(wire.update(ANNA, on(action, notice)))

    assert refusal.reason == "UNKNOWN_NOTICE"
    assert await acts.history(wire, ANNA) == []


async def test_known_notice_is_kept(wire: Wire) -> None:
    """A notice that is known is kept with a withdrawal."""
    await wire.update(ANNA, change("withdraw", "newsletter"))

    assert (await checked(wire, ANNA, "newsletter")).notice.version == "1"


@pytest.mark.parametrize("length", [1_024, 1_025, 100_000])
async def test_user_agents(sqlite_store: EventStore, clock: FakeClock, length: int) -> None:
    """A user agent is cut to 1,024 characters: nobody wrote it, and nobody fails by it."""
    purpose = catalogues.purpose(
        catalogues.NEWSLETTER, evidence=frozenset({EvidenceField.USER_AGENT})
    )
    evidence = shared.Evidence(user_agent="é" * length)
    async with serving(sqlite_store, catalogues.catalogue(purpose), clock) as wire:
        await wire.update(ANNA, change("give", "newsletter"), evidence=evidence)
        token = await acts.withdrawal_token(wire, ANNA, "newsletter")
        await acts.redeem(wire, token, evidence=evidence)
        kept = [one.evidence.user_agent for one in await acts.history(wire, ANNA)]

    assert kept == ["é" * 1_024] * 2


async def test_refusing_another_text(sqlite_store: EventStore, clock: FakeClock) -> None:
    """Refusing the same text again changes nothing; refusing the next one is recorded."""
    versions = tuple(catalogues.version(catalogues.NEWSLETTER, name) for name in ("1", "2"))
    purpose = catalogues.purpose(catalogues.NEWSLETTER, versions=versions)
    async with serving(sqlite_store, catalogues.catalogue(purpose), clock) as wire:
        effects = [
            (await wire.update(ANNA, change("refuse", "newsletter", **named))).outcomes[0].effect
            for named in (_named("1"), _named("1"), _named("2"), _named("2", "fr"), _named("1"))
        ]

    assert effects == [RECORDED, UNCHANGED, RECORDED, RECORDED, RECORDED]


def _named(version: str, locale: str = "en") -> dict[str, Any]:
    return {"version": version, "locale": locale}


async def test_objecting_again(wire: Wire) -> None:
    """An objection repeated after another choice voids what was asked in between."""
    first = await wire.update(ANNA, change("object", "newsletter"))
    again = await wire.update(ANNA, change("object", "newsletter"))
    asked = await wire.update(ANNA, change("request", "newsletter"), actor=acts.OPERATOR)
    await wire.update(ANNA, change("give", "newsletter"))
    third = await wire.update(ANNA, change("object", "newsletter"))
    decision = await checked(wire, ANNA, "newsletter")
    token = asked.outcomes[0].confirmation_token
    refusal = await refused(acts.confirm(wire, token))

    assert [one.outcomes[0].effect for one in (first, again, third)] == [
        RECORDED,
        UNCHANGED,
        RECORDED,
    ]
    assert (decision.reason, decision.position) == (
        shared.DECISION_REASON_OBJECTED,
        third.outcomes[0].position,
    )
    assert refusal.reason == "CONFIRMATION_VOID"


async def test_revoking_an_opt_out(wire: Wire) -> None:
    """The yes of an opt-out purpose, which nobody had to give, can be ended by others as well."""
    first = await acts.revoke(wire, ANNA, "statistics", "newsletter")
    again = await acts.revoke(wire, ANNA, "statistics")

    assert [one.effect for one in first.outcomes] == [RECORDED, UNCHANGED]
    assert again.outcomes[0].effect == UNCHANGED
    assert (await checked(wire, ANNA, "statistics")).reason == shared.DECISION_REASON_REVOKED


@pytest.mark.parametrize("action", ["withdraw", "refuse", "object"])
async def test_after_a_death(wire: Wire, action: str) -> None:
    """A no is recorded after a reported death, in case the report was wrong."""
    await acts.report_death(wire, ANNA)
    answer = await wire.update(ANNA, change(action, "newsletter"))

    assert answer.outcomes[0].effect == RECORDED
    assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_DECEASED
