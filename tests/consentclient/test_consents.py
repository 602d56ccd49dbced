"""A customer's choices: shown, changed, confirmed, taken back."""

from datetime import UTC, datetime, timedelta

import pytest

from consentclient import (
    SUBJECT,
    Action,
    Actor,
    ActorKind,
    AnswerNotUnderstood,
    AsyncConsentClient,
    Change,
    Choice,
    Consent,
    Effect,
    EventKind,
    Evidence,
    LegalBasis,
    Link,
    LinkKind,
    Notice,
    NoticeRef,
    Outcome,
    Reason,
    RevocationReason,
    Signal,
    Tracker,
    TrackerKind,
)
from consentclient import _incoming as incoming
from consentsvc import catalogue as catalogues
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import PurposeId
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as messages
from tests.consentclient.both import opened
from tests.consentclient.servers import HeldStore, Service
from tests.support.catalogues import (
    NEWSLETTER,
    PROFILING,
    RESELLER_NEWSLETTER,
    STATISTICS,
    purpose,
    with_publication,
)
from tests.support.clock import START, FakeClock

OPERATOR = Actor(ActorKind.OPERATOR, "op7")


async def test_purposes(client: AsyncConsentClient, catalogue: Catalogue) -> None:
    """The catalogue comes whole, with the notices of the locale that was asked for."""
    purposes = {one.id: one for one in await client.list_purposes("fr")}

    newsletter, notice = purposes[NEWSLETTER], catalogue.purpose(NEWSLETTER).notice("1", "fr")
    assert list(purposes) == [NEWSLETTER, PROFILING, STATISTICS, RESELLER_NEWSLETTER]
    assert newsletter.controller.name == "Registrar"
    assert newsletter.notice == Notice(
        NoticeRef("1", "fr", notice.sha256), notice.title, notice.text
    )
    assert (newsletter.basis, newsletter.validity_months) == (LegalBasis.CONSENT, None)
    assert purposes[PROFILING].validity_months == 1
    assert purposes[STATISTICS].basis is LegalBasis.LEGITIMATE_INTEREST
    assert purposes[RESELLER_NEWSLETTER].needs_confirmation


async def test_trackers(store: HeldStore, clock: FakeClock, kind: str) -> None:
    """A purpose names what is stored or loaded under it."""
    async with (
        Service(store, catalogues.load(None), clock, rate=0) as service,
        opened(kind, service.target) as client,
    ):
        purposes = {one.id: one for one in await client.list_purposes("en")}

    trackers = purposes["newsletter_open_tracking"].trackers
    assert trackers == (
        Tracker(
            name="opening_pixel",
            kind=TrackerKind.PIXEL,
            host="mail.registrar.example",
            lifetime="nothing stored",
            goal="Measures how many of our newsletters and commercial e-mails are opened.",
        ),
    )


async def test_consents(
    client: AsyncConsentClient, notice: NoticeRef, catalogue: Catalogue
) -> None:
    """A subject's consents come one for every purpose, with the decisions that follow."""
    given = await client.give("ann", NEWSLETTER, notice, channel="panel")
    asked = await client.request("ann", RESELLER_NEWSLETTER, notice, channel="panel")
    objected = await client.raise_objection("ann", STATISTICS, channel="panel")

    consents = await client.list_consents("ann", at_least_as_fresh=objected.written_at)

    entries = {one.consent.purpose_id: one for one in consents.entries}
    position = given.outcomes[0].position
    assert position is not None
    shown = NoticeRef("1", "en", catalogue.purpose(NEWSLETTER).notice("1", "en").sha256)
    assert list(entries) == [NEWSLETTER, PROFILING, STATISTICS, RESELLER_NEWSLETTER]
    assert entries[NEWSLETTER].consent == Consent(
        purpose_id=NEWSLETTER,
        choice=Choice(EventKind.CONSENT_GIVEN, position, START, shown, expired=False),
        request=None,
        objection_position=None,
        position=position,
    )
    assert entries[NEWSLETTER].decision.reason is Reason.CONSENT_GIVEN
    assert entries[PROFILING].consent == Consent(PROFILING, None, None, None, 0)
    pending = entries[RESELLER_NEWSLETTER].consent.request
    assert pending is not None
    assert (pending.position, pending.expired) == (asked.outcomes[0].position, False)
    standing = entries[STATISTICS].consent
    assert standing.objection_position == objected.outcomes[0].position
    assert standing.objection_recorded_time == START
    assert consents.read_at == objected.written_at
    assert (consents.standing.restriction_position, consents.standing.death_position) == (None,) * 2


async def test_consents_of_many_purposes(store: HeldStore, clock: FakeClock, kind: str) -> None:
    """A catalogue that does not fit on a page is listed whole."""
    purposes = [purpose(PurposeId(f"p{number}")) for number in range(1001)]
    many = Catalogue({one.id: one for one in purposes})
    async with (
        Service(store, many, clock, rate=0) as service,
        opened(kind, service.target) as client,
    ):
        consents = await client.list_consents("ann")

    assert [one.consent.purpose_id for one in consents.entries] == [one.id for one in purposes]


async def test_consents_without_scopes(kind: str, store: HeldStore, clock: FakeClock) -> None:
    """The purposes that take a scope are left out where they are not wanted."""
    offered = with_publication()
    async with (
        Service(store, offered, clock, rate=0) as service,
        opened(kind, service.target) as client,
    ):
        whole = await client.list_consents("ann")
        without = await client.list_consents("ann", with_scopes=False)

    left_out = [one for one in whole.entries if one not in without.entries]
    assert [offered.purpose(one.consent.purpose_id).takes_scope for one in left_out] == [True]
    assert len(without.entries) == len(whole.entries) - 1


async def test_several_changes_at_once(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """Changes of one request have an outcome each, in order."""
    updated = await client.update(
        "ann",
        [
            Change(NEWSLETTER, Action.GIVE, notice),
            Change(PROFILING, Action.WITHDRAW_OBJECTION),
            Change(RESELLER_NEWSLETTER, Action.GIVE, notice, expected_position=0),
        ],
        channel="panel",
    )

    given, unchanged, awaiting = updated.outcomes
    assert given.position is not None
    assert (given.purpose_id, given.effect) == (NEWSLETTER, Effect.RECORDED)
    assert unchanged == Outcome(PROFILING, Effect.UNCHANGED, None, None, None)
    assert awaiting.effect is Effect.AWAITING_CONFIRMATION
    assert awaiting.confirmation_token is not None
    assert awaiting.confirm_before == START + timedelta(days=30)


async def test_short_forms(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """Each short form records its own kind of event."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")
    await client.refuse("ann", NEWSLETTER, notice, channel="panel")
    await client.request("ann", NEWSLETTER, notice, channel="panel")
    await client.withdraw("ann", NEWSLETTER, channel="panel")
    await client.raise_objection("ann", NEWSLETTER, channel="panel")
    await client.withdraw_objection("ann", NEWSLETTER, channel="panel")

    assert [event.kind async for event in client.history("ann")] == [
        EventKind.CONSENT_GIVEN,
        EventKind.CONSENT_REFUSED,
        EventKind.CONSENT_REQUESTED,
        EventKind.CONSENT_WITHDRAWN,
        EventKind.OBJECTION_RAISED,
        EventKind.OBJECTION_WITHDRAWN,
    ]


async def test_everything_said_with_a_change(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """What is said with a change is found in the history as it was said."""
    claimed = datetime(2026, 2, 28, 12, 30, tzinfo=UTC)
    evidence = Evidence("session", "form 3", "switch", "192.0.2.1", "a browser")
    updated = await client.give(
        "ann",
        PROFILING,
        notice,
        channel="phone",
        actor=OPERATOR,
        evidence=evidence,
        claimed_time=claimed,
        request_id="mine",
        expected_position=0,
    )

    [event] = [one async for one in client.history("ann", at_least_as_fresh=updated.written_at)]

    assert event.position == updated.outcomes[0].position
    assert event.kind is EventKind.CONSENT_REQUESTED
    assert (event.subject_id, event.purpose_id, event.channel) == ("ann", PROFILING, "phone")
    assert (event.recorded_time, event.claimed_time) == (START, claimed)
    assert event.actor == OPERATOR
    assert event.evidence == Evidence("session", "form 3", "switch", "192.0.2.1", None)
    assert event.pseudonym is not None
    assert len(event.pseudonym) == 16
    assert event.notice is not None
    assert (event.notice.version, event.notice.locale) == ("1", "en")
    assert (event.refers_to, event.revocation_reason) == (None, None)


async def test_repeat_under_its_id(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A change repeated under its id gets the first answer, to the last detail."""
    first = await client.give(
        "ann", RESELLER_NEWSLETTER, notice, channel="panel", request_id="mine"
    )
    second = await client.give(
        "ann", RESELLER_NEWSLETTER, notice, channel="panel", request_id="mine"
    )

    assert first == second


async def test_confirmation(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A request counts once its link was used, and the event says which request it answers."""
    asked = await client.give("ann", RESELLER_NEWSLETTER, notice, channel="panel")
    pending = await client.check("ann", RESELLER_NEWSLETTER)
    token = asked.outcomes[0].confirmation_token
    assert token is not None

    confirmed = await client.confirm(token, evidence=Evidence(action="link"))

    decision = await client.check("ann", RESELLER_NEWSLETTER)
    *_, event = [one async for one in client.history("ann")]
    assert (pending.permitted, pending.reason) == (False, Reason.PENDING_CONFIRMATION)
    assert pending.valid_until == START + timedelta(days=30)
    assert (confirmed.purpose_id, confirmed.position) == (RESELLER_NEWSLETTER, decision.position)
    assert confirmed.written_at == decision.read_at
    assert decision.permitted
    assert event.refers_to == asked.outcomes[0].position
    assert event.evidence == Evidence(action="link")


async def test_link_may_be_used_again(client: AsyncConsentClient) -> None:
    """A withdrawal link withdraws once and then changes nothing; it never fails."""
    decision = await client.check("ann", STATISTICS, with_withdrawal_token=True)
    assert decision.withdrawal_token is not None

    first = await client.redeem(decision.withdrawal_token)
    second = await client.redeem(decision.withdrawal_token, request_id="mine")

    assert (first.purpose_id, first.effect) == (STATISTICS, Effect.RECORDED)
    assert (second.purpose_id, second.effect) == (STATISTICS, Effect.UNCHANGED)


async def test_link_is_described(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """Either kind of link tells what it does and for which purpose."""
    decision = await client.check("ann", STATISTICS, with_withdrawal_token=True)
    asked = await client.request("ann", NEWSLETTER, notice, channel="panel")
    tokens = (decision.withdrawal_token, asked.outcomes[0].confirmation_token)
    links = [await client.describe_link(token or "") for token in tokens]

    assert links == [
        Link(LinkKind.WITHDRAWAL, STATISTICS),
        Link(LinkKind.CONFIRMATION, NEWSLETTER),
    ]


async def test_signal(client: AsyncConsentClient) -> None:
    """A signal is told apart from an objection of the subject's own, in event and state."""
    change = Change(STATISTICS, Action.SIGNAL)
    effects = [
        (await client.update("ann", [change], channel="panel")).outcomes[0].effect for _ in range(2)
    ]
    signalled = await _statistics(client)
    await client.withdraw_objection("ann", STATISTICS, channel="panel")
    taken_back = await _statistics(client)
    events = [one async for one in client.history("ann")]

    assert effects == [Effect.RECORDED, Effect.UNCHANGED]
    assert [one.signal for one in events] == [Signal.GLOBAL_PRIVACY_CONTROL, None]
    assert signalled.objection_by_signal
    assert signalled.objection_position == events[0].position
    assert signalled.objection_recorded_time == events[0].recorded_time
    assert (taken_back.objection_position, taken_back.objection_by_signal) == (None, False)
    assert taken_back.objection_withdrawn_position == events[1].position
    assert taken_back.objection_recorded_time is None
    heeding = [one.id for one in await client.list_purposes("en") if one.heeds_signal]
    assert heeding == [STATISTICS]


async def _statistics(client: AsyncConsentClient) -> Consent:
    entries = (await client.list_consents("ann")).entries
    return next(one.consent for one in entries if one.consent.purpose_id == STATISTICS)


async def test_notice_of_any_version(client: AsyncConsentClient, catalogue: Catalogue) -> None:
    """A notice comes by its name, with its hash."""
    published = catalogue.purpose(NEWSLETTER).notice("1", "fr")

    assert await client.get_notice(NEWSLETTER, "1", "fr") == Notice(
        NoticeRef("1", "fr", published.sha256), published.title, published.text
    )


async def test_page_of_a_history(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A page begins anywhere, the latest event first, and tells how many there are."""
    for _ in range(5):
        await client.give("ann", NEWSLETTER, notice, channel="panel")
    every = [one async for one in client.history("ann")]
    first = await client.history_page("ann", page_size=2)
    last = await client.history_page("ann", skip=4, page_size=2)

    assert (list(first.events), first.total) == (every[:2:-1], 5)
    assert list(last.events) == every[:1]


async def test_long_history(client: AsyncConsentClient) -> None:
    """A history of several pages comes whole, oldest first."""
    for _ in range(60):
        await client.raise_objection("ann", STATISTICS, channel="panel")
        await client.withdraw_objection("ann", STATISTICS, channel="panel")

    positions = [event.position async for event in client.history("ann")]

    assert len(positions) == 120
    assert positions == sorted(positions)


async def test_nobody_has_a_history(client: AsyncConsentClient) -> None:
    """A subject that nobody has heard of has no events."""
    assert [event async for event in client.history("ann")] == []


async def test_rights(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A restriction, its end, a revocation and a death are each recorded once."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")

    restricted = await client.restrict("ann", actor=OPERATOR, channel="letter")
    again = await client.restrict("ann", actor=OPERATOR, channel="letter")
    frozen = await client.check("ann", NEWSLETTER, at_least_as_fresh=restricted.written_at)
    standing = (await client.list_consents("ann")).standing
    lifted = await client.lift_restriction("ann", actor=SUBJECT, channel="letter", request_id="1")
    revoked = await client.revoke(
        "ann",
        [NEWSLETTER, PROFILING],
        reason=RevocationReason.SUBJECT_CHANGED,
        actor=OPERATOR,
        channel="letter",
    )
    ended = await client.check("ann", NEWSLETTER)
    died = await client.report_death("ann", actor=OPERATOR, channel="letter")
    events = [event async for event in client.history("ann")]

    assert (restricted.effect, again.effect) == (Effect.RECORDED, Effect.UNCHANGED)
    assert frozen.reason is Reason.RESTRICTED
    assert (standing.restriction_position, standing.death_position) == (frozen.position, None)
    assert lifted.effect is Effect.RECORDED
    assert [one.effect for one in revoked.outcomes] == [Effect.RECORDED, Effect.UNCHANGED]
    assert ended.reason is Reason.REVOKED
    assert died.effect is Effect.RECORDED
    assert (await client.check("ann", STATISTICS)).reason is Reason.DECEASED
    assert [event.kind for event in events] == [
        EventKind.CONSENT_GIVEN,
        EventKind.PROCESSING_RESTRICTED,
        EventKind.RESTRICTION_LIFTED,
        EventKind.CONSENT_REVOKED,
        EventKind.DEATH_REPORTED,
    ]
    assert events[3].revocation_reason is RevocationReason.SUBJECT_CHANGED
    assert (events[1].purpose_id, events[2].actor) == (None, SUBJECT)


async def test_words_that_can_only_be_read(client: AsyncConsentClient) -> None:
    """What stands for words of the future is never sent."""
    with pytest.raises(ValueError, match="can only be read"):
        await client.restrict("ann", actor=Actor(ActorKind.OTHER), channel="letter")
    with pytest.raises(ValueError, match="can only be read"):
        await client.revoke(
            "ann", [NEWSLETTER], reason=RevocationReason.OTHER, actor=OPERATOR, channel="letter"
        )


def test_consent_of_a_scope_of_the_future() -> None:
    """A consent that reaches less far than the client understands is ignored."""
    decision = shared.Decision(answer=shared.ANSWER_PERMITTED)
    narrow = shared.Consent(purpose_id=NEWSLETTER, scope=shared.Scope(domain="a.example"))
    whole = shared.Consent(purpose_id=NEWSLETTER, position=7)
    message = messages.ListConsentsResponse(
        consents=[messages.ConsentEntry(consent=one, decision=decision) for one in (narrow, whole)]
    )

    assert [one.consent.position for one in incoming.consents(message).entries] == [7]


def test_purpose_without_an_end() -> None:
    """A purpose that does not say how long a consent lasts is not taken for one without end."""
    with pytest.raises(AnswerNotUnderstood):
        incoming.purposes(messages.ListPurposesResponse(purposes=[shared.Purpose()]))


async def test_list_of_purposes_is_not_one(client: AsyncConsentClient) -> None:
    """A single purpose is not taken for a list of letters."""
    with pytest.raises(TypeError, match="not one"):
        await client.revoke(
            "ann", NEWSLETTER, reason=RevocationReason.INVALID, actor=OPERATOR, channel="letter"
        )
