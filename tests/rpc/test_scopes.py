"""Choices with a scope, on the wire: taken, refused, listed, confirmed, revoked."""

from datetime import timedelta

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import Pseudonym, PurposeId
from consentsvc.service.links import Links
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.rpc.publishing import ALL, WHOIS, report, say, scope, shown
from tests.support import acts, catalogues
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good, send
from tests.support.wire import Wire, change

CONTACT = scope(*ALL, contact="C1")
DOMAIN = scope(*ALL, contact="C1", domain="example.cz")
RECORDED, UNCHANGED, AWAITING = (
    consents.CHANGE_EFFECT_RECORDED,
    consents.CHANGE_EFFECT_UNCHANGED,
    consents.CHANGE_EFFECT_AWAITING_CONFIRMATION,
)


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.with_publication()


WRONG = {
    "none": (None, "SCOPE_NEEDED", "scope"),
    "no fields": (shared.Scope(contact_id="C1"), "INVALID_FIELD", "scope.fields"),
    "all and one": (scope("all", "name"), "INVALID_FIELD", "scope.fields"),
    "unknown field": (shared.Scope.FromString(b"\x20\x63"), "INVALID_FIELD", "scope.fields[0]"),
    "domain alone": (scope(*ALL, domain="a.cz"), "INVALID_SCOPE", "scope.contact_id"),
    "role alone": (scope(*ALL, contact="C1", of="tech"), "INVALID_SCOPE", "scope.domain"),
    "no domain name": (
        scope(*ALL, contact="C1", domain="example"),
        "INVALID_FIELD",
        "scope.domain",
    ),
    "no contact id": (scope(*ALL, contact="C 1"), "INVALID_FIELD", "scope.contact_id"),
    "unknown role": (
        shared.Scope.FromString(
            scope(*ALL, contact="C1", domain="a.cz").SerializeToString() + b"\x18\x09"
        ),
        "INVALID_FIELD",
        "scope.role",
    ),
    "role not offered": (
        scope(*ALL, contact="C1", domain="example.com", of="admin"),
        "ROLE_NOT_OFFERED",
        "scope.role",
    ),
}


@pytest.mark.parametrize(("reach", "reason", "path"), WRONG.values(), ids=WRONG)
async def test_refused(wire: Wire, reach: shared.Scope | None, reason: str, path: str) -> None:
    """A consent with a scope that there is not is refused by its field, and leaves nothing."""
    before = await acts.head(wire)
    refusal = await refused(wire.update("anna", change("give", WHOIS, scope=reach)))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", reason)
    assert refusal.fields == (f"changes[0].{path}",)
    assert await acts.head(wire) == before


async def test_a_no_is_taken_for_every_role(wire: Wire) -> None:
    """Refusing and withdrawing succeed also where no consent is offered."""
    reach = scope(*ALL, contact="C1", domain="example.com", of="admin")
    told = [await say(wire, action, reach) for action in ("refuse", "withdraw")]

    assert [one.outcomes[0].effect for one in told] == [RECORDED, RECORDED]


@pytest.mark.parametrize("action", ["give", "object"])
async def test_where_none_belongs(wire: Wire, action: str) -> None:
    """A purpose that is decided for the account takes no scope, and an objection never does."""
    purpose = "newsletter" if action == "give" else WHOIS
    refusal = await refused(wire.update("anna", change(action, purpose, scope=scope(*ALL))))

    assert (refusal.reason, refusal.fields) == ("SCOPE_NOT_TAKEN", ("changes[0].scope",))


@pytest.mark.parametrize("method", ["CheckConsent", "BatchCheckConsents", "RevokeConsents"])
async def test_no_answer_for_the_account(wire: Wire, method: str) -> None:
    """Whether "it" may be published is no question: a check is refused, never answered."""
    request = good(method)
    if method == "CheckConsent":
        request.purpose_id = WHOIS
        refusal = await refused(send(wire, request))
        assert (refusal.reason, refusal.fields) == ("SCOPE_NEEDED", ("purpose_id",))
    elif method == "RevokeConsents":
        request.purpose_ids[:] = ["newsletter", WHOIS]
        refusal = await refused(send(wire, request))
        assert (refusal.reason, refusal.fields) == ("SCOPE_NEEDED", ("purpose_ids[1]",))
    else:
        request.batch.purpose_ids[1] = WHOIS
        answer = await send(wire, request)
        assert [one.index for one in answer.decisions.errors] == [1]
        assert answer.decisions.answers[1] == shared.ANSWER_UNSPECIFIED


async def test_several_reaches_at_once(wire: Wire) -> None:
    """Accept these, refuse those: one request, each with its own scope, in its outcome too."""
    told = await wire.update(
        "anna",
        change("give", WHOIS, scope=CONTACT),
        change("refuse", WHOIS, scope=DOMAIN),
        change("give", "newsletter"),
    )

    assert [one.scope for one in told.outcomes] == [CONTACT, DOMAIN, shared.Scope()]
    assert await shown(wire) == {"name"}


async def test_a_contradiction(wire: Wire) -> None:
    """Two choices about one field at one reach cannot both be meant."""
    refusal = await refused(
        wire.update(
            "anna",
            change("give", WHOIS, scope=CONTACT),
            change("refuse", WHOIS, scope=scope("name", contact="C1")),
        )
    )

    assert refusal.fields == ("changes[1].purpose_id",)


class TestNothingChanges:
    async def test_said_twice(self, wire: Wire) -> None:
        """The same no again records nothing; the same yes renews."""
        effects = [
            (await say(wire, action, CONTACT)).outcomes[0].effect
            for action in ("withdraw", "withdraw", "give", "give", "withdraw")
        ]

        assert effects == [RECORDED, UNCHANGED, RECORDED, RECORDED, RECORDED]

    async def test_part_of_what_was_said(self, wire: Wire) -> None:
        """Withdrawing a part of what is withdrawn records nothing; withdrawing more does."""
        await say(wire, "withdraw", scope("name", "phone", contact="C1"))
        part = await say(wire, "withdraw", scope("phone", contact="C1"))
        more = await say(wire, "withdraw", scope("phone", "email", contact="C1"))

        assert part.outcomes[0].effect == UNCHANGED
        assert more.outcomes[0].effect == RECORDED

    async def test_a_consent_inside(self, wire: Wire) -> None:
        """A withdrawal counts again when somebody has consented inside it since."""
        await say(wire, "withdraw", CONTACT)
        await say(wire, "give", DOMAIN)
        again = await say(wire, "withdraw", CONTACT)

        assert again.outcomes[0].effect == RECORDED
        assert await shown(wire) == {"name"}


class TestRequests:
    async def test_confirmed(self, wire: Wire) -> None:
        """What a reseller asks for is published once the person follows the link, no earlier."""
        asked = await say(wire, "give", DOMAIN, actor=acts.RESELLER)
        before = await shown(wire)
        await acts.confirm(wire, asked.outcomes[0].confirmation_token)

        assert asked.outcomes[0].effect == AWAITING
        assert before == {"name"}
        assert await shown(wire) == {"name", "phone", "email"}

    @pytest.mark.parametrize(
        ("no", "void"),
        [
            (DOMAIN, True),
            (CONTACT, True),
            (scope("phone", contact="C1"), True),
            (scope(*ALL, contact="C1", domain="example.cz", of="tech"), False),
            (scope(*ALL, contact="C2"), False),
        ],
        ids=["same", "wider", "a part", "inside", "elsewhere"],
    )
    async def test_void(self, wire: Wire, no: shared.Scope, void: bool) -> None:
        """A later no to all of it or a part voids the link; one inside or elsewhere does not."""
        asked = await say(wire, "request", DOMAIN)
        await say(wire, "withdraw", no)
        confirming = acts.confirm(wire, asked.outcomes[0].confirmation_token)

        if void:
            assert (await refused(confirming)).reason == "CONFIRMATION_VOID"
        else:
            await confirming

    async def test_ran_out(self, wire: Wire, clock: FakeClock) -> None:
        """After 30 days a link confirms nothing."""
        asked = await say(wire, "request", DOMAIN)
        clock.advance(timedelta(days=30))
        refusal = await refused(acts.confirm(wire, asked.outcomes[0].confirmation_token))

        assert refusal.reason == "CONFIRMATION_EXPIRED"


async def test_revoked_for_a_domain(wire: Wire) -> None:
    """A transfer away ends the consent for the domain, also one that reaches further."""
    await say(wire, "give", scope(*ALL))
    told = await acts.revoke(wire, "anna", WHOIS, scope=DOMAIN)
    again = await acts.revoke(wire, "anna", WHOIS, scope=DOMAIN)

    assert [told.outcomes[0].effect, again.outcomes[0].effect] == [RECORDED, UNCHANGED]
    assert await shown(wire) == {"name"}


NARROW = scope("email", contact="C1", domain="example.cz")
IN_COMMON = {
    "the same": NARROW,
    "further out": scope("email"),
    "further in": scope("email", contact="C1", domain="example.cz", of="tech"),
    "all fields": DOMAIN,
}
APART = {
    "another domain": scope("email", contact="C1", domain="example.fr"),
    "another contact": scope(*ALL, contact="C2"),
    "another field": scope("phone", contact="C1", domain="example.cz"),
}


@pytest.mark.parametrize("said", IN_COMMON.values(), ids=IN_COMMON)
@pytest.mark.parametrize("action", ["give", "refuse", "withdraw", "request"])
async def test_position_conflict(wire: Wire, action: str, said: shared.Scope) -> None:
    """What was decided before something that it has anything in common with is refused."""
    await say(wire, "give", scope(*ALL))
    seen = await _position(wire)
    await say(wire, action, said)
    for late in ("give", "withdraw"):
        refusal = await refused(wire.update("anna", _late(late, NARROW, seen)))

        assert (refusal.code.name, refusal.reason) == ("ABORTED", "POSITION_CONFLICT")


@pytest.mark.parametrize("said", APART.values(), ids=APART)
async def test_what_has_nothing_in_common(wire: Wire, said: shared.Scope) -> None:
    """Two pages about two things are not in each other's way."""
    await say(wire, "give", scope(*ALL))
    seen = await _position(wire)
    await say(wire, "refuse", said)
    told = await wire.update("anna", _late("withdraw", NARROW, seen))

    assert [one.effect for one in told.outcomes] == [RECORDED]


async def test_an_objection_is_about_every_scope(wire: Wire) -> None:
    """Raised or taken back since, it stands in the way of a change that was decided before."""
    for action in ("object", "withdraw_objection"):
        seen = await _position(wire)
        await wire.update("anna", change(action, WHOIS, version=None))
        refusal = await refused(wire.update("anna", _late("withdraw", NARROW, seen)))

        assert refusal.reason == "POSITION_CONFLICT"


async def test_a_report_moves_nothing(wire: Wire) -> None:
    """What a registry made of a choice is no choice: a page of before it still counts."""
    given = await say(wire, "give", NARROW)
    seen = await _position(wire)
    await report(wire, given.outcomes[0].position)
    told = await wire.update("anna", _late("withdraw", NARROW, seen))

    assert await acts.head(wire) > seen
    assert [one.effect for one in told.outcomes] == [RECORDED]


async def test_a_position_that_is_still_to_come(wire: Wire) -> None:
    """Nobody decided on what has not happened."""
    await say(wire, "give", DOMAIN)
    ahead = await _position(wire) + 1
    refusal = await refused(wire.update("anna", _late("withdraw", APART["another contact"], ahead)))

    assert refusal.reason == "POSITION_CONFLICT"


def _late(action: str, about: shared.Scope, expected: int) -> consents.ConsentChange:
    version = "1" if action == "give" else None
    return change(action, WHOIS, version=version, scope=about, expected_position=expected)


async def _position(wire: Wire) -> int:
    entries = (await acts.choices(wire, "anna")).consents
    return max(one.consent.position for one in entries if _whois(one))


async def test_listed(wire: Wire) -> None:
    """The panel sees one entry for whatever was said at each reach, with what follows from it."""
    silent = [one for one in (await acts.choices(wire, "anna")).consents if _whois(one)]
    await say(wire, "give", CONTACT)
    await say(wire, "refuse", scope("phone", contact="C1", domain="example.cz"))
    entries = [one for one in (await acts.choices(wire, "anna")).consents if _whois(one)]

    assert [one.decision.reason for one in silent] == [shared.DECISION_REASON_NEVER_ASKED]
    assert not silent[0].consent.HasField("scope")
    assert [(one.consent.scope, one.decision.reason) for one in entries] == [
        (CONTACT, shared.DECISION_REASON_CONSENT_GIVEN),
        (
            scope("phone", contact="C1", domain="example.cz"),
            shared.DECISION_REASON_REFUSED,
        ),
    ]
    assert len({one.consent.position for one in entries}) == 1


async def test_listed_without_scopes(wire: Wire) -> None:
    """The rest of the list is the same, and so is what stands above all of it."""
    await wire.update("anna", change("give", "newsletter"))
    await say(wire, "give", CONTACT)
    await acts.restrict(wire, "anna")
    listed = await acts.choices(wire, "anna")
    asked = consents.ListConsentsRequest(subject_id="anna", without_scopes=True)
    without = await wire.consents.ListConsents(asked)
    nobody = consents.ListConsentsRequest(subject_id="nobody", without_scopes=True)

    assert list(without.consents) == [one for one in listed.consents if not _whois(one)]
    assert without.standing == listed.standing
    assert without.standing.HasField("restriction_position")
    assert without.read_at == listed.read_at
    assert len((await wire.consents.ListConsents(nobody)).consents) == len(without.consents)


async def test_followed(wire: Wire) -> None:
    """A follower reads the scope of each choice, and a copy holds one state for each reach."""
    await say(wire, "give", CONTACT)
    await say(wire, "refuse", DOMAIN)
    scopes = [one.scope for one in await acts.log(wire) if one.subject_id]
    call = wire.events.SyncConsents(events.SyncConsentsRequest(purpose_ids=[WHOIS]))
    states: list[shared.Scope] = []
    async for answer in call:
        states += [one.scope for state in answer.states for one in state.consents]
        if answer.snapshot_complete:
            break
    call.cancel()

    assert scopes == [CONTACT, DOMAIN]
    assert states == [CONTACT, DOMAIN]


async def test_withdrawn_by_a_link_is_withdrawn_everywhere(
    wire: Wire, sqlite_store: EventStore
) -> None:
    """A link that withdraws the purpose ends consents at every reach, and once is enough."""
    await say(wire, "give", CONTACT)
    await say(wire, "give", DOMAIN)
    pseudonym = Pseudonym((await acts.log(wire))[-1].pseudonym)
    token = Links(sqlite_store.secret("links")).withdrawal(pseudonym, PurposeId(WHOIS))
    effects = [(await acts.redeem(wire, token)).effect for _ in range(2)]

    assert effects == [RECORDED, UNCHANGED]
    assert await shown(wire) == {"name"}


def _whois(entry: consents.ConsentEntry) -> bool:
    return entry.consent.purpose_id == WHOIS
