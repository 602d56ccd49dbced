"""What may be published, through the client: both of them."""

from datetime import UTC, datetime

import pytest

from consentclient import (
    SUBJECT,
    Action,
    Actor,
    ActorKind,
    AnswerNotUnderstood,
    AsyncConsentClient,
    Change,
    ContactFacts,
    ContactField,
    ContactKind,
    ContactRole,
    DiscloseCommand,
    DiscloseList,
    DomainFacts,
    EventKind,
    FieldOutcome,
    FieldRule,
    InvalidRequest,
    InvalidScope,
    Operation,
    PublicationControl,
    PublicationQuestion,
    PublicationReason,
    PublicationReport,
    Publisher,
    Reason,
    RedactionMethod,
    ReportOutcome,
    RevocationReason,
    RoleNotOffered,
    Scope,
    ScopeNeeded,
)
from consentclient import _publication_words as words
from consentclient._decisions import NoticeRef
from consentsvc.domain.catalogue import Catalogue
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import publication_service_pb2 as messages
from tests.support import catalogues
from tests.support.catalogues import WHOIS


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.with_publication()


REGISTRANT = shared.CONTACT_ROLE_REGISTRANT
NOTICE = NoticeRef("1", "en")
REGISTERED = datetime(2024, 2, 1, tzinfo=UTC)
ALL = frozenset({ContactField.ALL})
EMAIL = frozenset({ContactField.EMAIL})
CONTACT = ContactFacts(
    "C1",
    "anna",
    ContactKind.NATURAL,
    frozenset({ContactField.NAME, ContactField.PHONE, ContactField.EMAIL}),
)


def question(
    name: str = "example.cz",
    role: ContactRole = ContactRole.REGISTRANT,
    operation: Operation | None = None,
    **options: object,
) -> PublicationQuestion:
    """What may be seen of anna's contact."""
    return PublicationQuestion(
        WHOIS,
        DomainFacts(name, REGISTERED, {ContactRole.REGISTRANT: "C1"}, sponsored=True),
        role,
        (CONTACT,),
        operation=operation,
        **options,  # type: ignore[arg-type]  # what a question takes
    )


async def say(
    client: AsyncConsentClient, action: Action, scope: Scope | None, actor: Actor = SUBJECT
) -> str:
    """One choice of anna's; returns where it stands."""
    notice = None if action is Action.WITHDRAW else NOTICE
    updated = await client.update(
        "anna", [Change(WHOIS, action, notice, scope=scope)], channel="panel", actor=actor
    )
    assert updated.outcomes[0].scope == scope
    return updated.written_at


async def test_resolved(client: AsyncConsentClient) -> None:
    """A consent publishes its fields, with everything that justifies it."""
    fresh = await say(client, Action.GIVE, Scope(EMAIL, "C1", "example.cz"))
    answer = await client.resolve(question(), at_least_as_fresh=fresh)
    email = answer.fields[ContactField.EMAIL]

    assert answer.published_fields == {ContactField.NAME, ContactField.EMAIL}
    assert (email.outcome, email.reason, email.control, email.rule, email.group) == (
        FieldOutcome.PUBLISH,
        PublicationReason.CONSENT,
        PublicationControl.REGISTRY_KNOB,
        FieldRule.OPT_IN,
        "email",
    )
    assert email.position == answer.position
    assert email.notice is not None
    assert (email.notice.version, answer.profile_id, answer.per_contact) == ("1", "cz", True)
    assert answer.fields[ContactField.FAX].control is None


async def test_told_and_told_again(client: AsyncConsentClient) -> None:
    """The state of one answer is the next one's previous: nothing is told twice."""
    await say(client, Action.GIVE, Scope(EMAIL, "C1"))
    first = await client.resolve(question(operation=Operation.UPDATE))
    second = await client.resolve(question(operation=Operation.UPDATE, previous=first.state))
    listed = DiscloseList(flag=True, elements=frozenset({"addr", "email"}))

    assert first.commands == (DiscloseCommand(listed),)
    assert first.state == listed
    assert second.commands == (DiscloseCommand(None),)


async def test_registrars_own(client: AsyncConsentClient) -> None:
    """Of a gTLD come the redaction members of the registrar's own RDAP."""
    answer = await client.resolve(question("example.com", publisher=Publisher.REGISTRAR))
    email = next(one for one in answer.redactions if one.name == "Registrant Email")

    assert email.method is RedactionMethod.REPLACEMENT_VALUE
    assert email.post_path
    assert email.replacement_path
    assert email.pre_path is None


async def test_many(client: AsyncConsentClient) -> None:
    """A question that cannot be answered has its error in its place."""
    answers = await client.resolve_many([question(), question(role=ContactRole.TECH), question()])

    assert isinstance(answers[1], InvalidRequest)
    assert answers[1].violations[0].field == "questions[1].role"
    assert answers[0] == answers[2]
    assert await client.resolve_many([]) == []
    with pytest.raises(ValueError, match="more than 2000"):
        await client.resolve_many([question()] * 2_001)


async def test_refused(client: AsyncConsentClient) -> None:
    """What is wrong with a scope arrives as the class that says so."""
    for scope, error in (
        (None, ScopeNeeded),
        (Scope(ALL, domain="example.cz"), InvalidScope),
        (Scope(ALL, "C1", "example.com", ContactRole.BILLING), RoleNotOffered),
    ):
        with pytest.raises(error):
            await say(client, Action.GIVE, scope)
    with pytest.raises(ScopeNeeded):
        await client.check("anna", WHOIS)


async def test_listed_and_followed(client: AsyncConsentClient) -> None:
    """Lists and events carry the scope, and the purpose says that it takes one."""
    scope = Scope(EMAIL, "C1", "example.cz", ContactRole.REGISTRANT)
    await say(client, Action.GIVE, scope)
    entries = [
        one
        for one in (await client.list_consents("anna")).entries
        if one.consent.purpose_id == WHOIS
    ]
    purposes = {one.id: one.takes_scope for one in await client.list_purposes("en")}
    history = [one async for one in client.history("anna")]

    assert [(one.consent.scope, one.decision.reason) for one in entries] == [
        (scope, Reason.CONSENT_GIVEN)
    ]
    assert [one for one, takes in purposes.items() if takes] == [WHOIS]
    assert [one.scope for one in history] == [scope]


async def test_reported(client: AsyncConsentClient) -> None:
    """What a registry made of it is an event like any other."""
    asked = await client.resolve(question())
    report = PublicationReport(ReportOutcome.REFUSED, "CZ.NIC", asked.read_position, EMAIL, 2308)
    told = await client.report_publication(
        "anna", WHOIS, report, contact_id="C1", channel="registry_sync"
    )
    (event,) = [one async for one in client.history("anna")]

    assert (event.position, event.kind) == (told.position, EventKind.PUBLICATION_REPORTED)
    assert event.report == report
    assert event.scope == Scope(frozenset(), "C1")


async def test_revoked(client: AsyncConsentClient) -> None:
    """A transfer ends consents for the domain."""
    await say(client, Action.GIVE, Scope(ALL))
    await client.revoke(
        "anna",
        [WHOIS],
        reason=RevocationReason.TRANSFERRED_AWAY,
        actor=Actor(ActorKind.SYSTEM),
        channel="transfers",
        scope=Scope(ALL, "C1", "example.cz"),
    )
    answer = await client.resolve(question())

    assert answer.fields[ContactField.EMAIL].reason is PublicationReason.REVOKED


async def test_profiles(client: AsyncConsentClient) -> None:
    """The registries' rules can be listed."""
    profiles = {one.id: one for one in await client.list_profiles()}

    assert profiles["cz"].publisher is Publisher.REGISTRY
    assert profiles["gtld"].offered_roles == {ContactRole.REGISTRANT, ContactRole.TECH}


def test_an_answer_of_the_future() -> None:
    """What this client does not know is never taken for published, nor a torn answer for one."""
    fields = messages.FieldPublications(
        fields=[13], outcomes=[99], reasons=[99], controls=[99], rules=[99],  # type: ignore[list-item]  # words to come
        positions=[0], notice_indexes=[0], group_indexes=[0],
    )  # fmt: skip
    answer = words.publication(messages.Publication(role=REGISTRANT, fields=fields), "", 0)
    fields.outcomes.append(messages.FIELD_OUTCOME_PUBLISH)

    assert answer.fields[ContactField.EMAIL].outcome is FieldOutcome.OTHER
    assert answer.published_fields == frozenset()
    with pytest.raises(AnswerNotUnderstood):
        words.publication(messages.Publication(role=REGISTRANT, fields=fields), "", 0)
    with pytest.raises(AnswerNotUnderstood):
        words.publications(
            messages.BatchResolvePublicationsResponse(results=[messages.PublicationResult()]), 1
        )
