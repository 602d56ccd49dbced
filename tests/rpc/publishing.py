"""A domain with its contacts, and the questions about it, each in a line."""

from typing import Any

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import publication_service_pb2 as messages
from tests.support.acts import SYSTEM, stamp
from tests.support.wire import Wire, change

WHOIS = "whois"
REGISTERED = stamp(1_700_000_000_000_000)
ALL = ("all",)


def field(name: str) -> shared.ContactField.ValueType:
    """A field by its name in small letters."""
    return shared.ContactField.Value(f"CONTACT_FIELD_{name.upper()}")


def role(name: str) -> shared.ContactRole.ValueType:
    """A role by its name in small letters."""
    return shared.ContactRole.Value(f"CONTACT_ROLE_{name.upper()}")


def scope(*fields: str, contact: str = "", domain: str = "", of: str = "") -> shared.Scope:
    """A scope; with nothing but fields, the whole account."""
    return shared.Scope(
        contact_id=contact,
        domain=domain,
        role=role(of) if of else shared.CONTACT_ROLE_UNSPECIFIED,
        fields=[field(one) for one in fields],
    )


async def say(
    wire: Wire, action: str, reach: shared.Scope, subject: str = "anna", **options: Any
) -> consents.UpdateConsentsResponse:
    """Sends one choice about publication."""
    return await wire.update(subject, change(action, WHOIS, scope=reach), **options)


def contact(
    name: str = "C1",
    subject: str = "anna",
    *,
    held: tuple[str, ...] = ("name", "phone", "email"),
    **options: Any,
) -> messages.ContactFacts:
    """A natural person's contact, with values in some fields."""
    return messages.ContactFacts(
        contact_id=name,
        subject_id=subject,
        **{"kind": messages.CONTACT_KIND_NATURAL, **options},
        filled_fields=[field(one) for one in held],
    )


def domain(name: str = "example.cz", *, bound: dict[str, str] | None = None, **options: Any) -> Any:
    """A domain that is with us; C1 is its registrant unless said otherwise."""
    return messages.DomainFacts(
        name=name,
        **{"register_time": REGISTERED, "sponsored": True, **options},
        bindings=[
            messages.ContactBinding(role=role(one), contact_id=who)
            for one, who in (bound or {"registrant": "C1"}).items()
        ],
    )


def question(
    about: messages.DomainFacts | None = None,
    of: str = "registrant",
    contacts: tuple[messages.ContactFacts, ...] = (),
    **options: Any,
) -> messages.PublicationQuestion:
    """A question about the registrant of example.cz, unless said otherwise."""
    return messages.PublicationQuestion(
        purpose_id=WHOIS,
        domain=about or domain(),
        role=role(of),
        contacts=contacts or (contact(),),
        **options,
    )


async def resolve(
    wire: Wire, asked: messages.PublicationQuestion | None = None, **options: Any
) -> messages.ResolvePublicationResponse:
    """Asks one question."""
    return await wire.publications.ResolvePublication(
        messages.ResolvePublicationRequest(question=asked or question(), **options)
    )


def seen(publication: messages.Publication) -> dict[str, tuple[str, str]]:
    """What the public sees, and why, by field; those without a value left out."""
    told = publication.fields
    found = {
        shared.ContactField.Name(name).removeprefix("CONTACT_FIELD_").lower(): (
            messages.FieldOutcome.Name(outcome).removeprefix("FIELD_OUTCOME_"),
            messages.PublicationReason.Name(reason).removeprefix("PUBLICATION_REASON_"),
        )
        for name, outcome, reason in zip(told.fields, told.outcomes, told.reasons, strict=True)
    }
    return {name: one for name, one in found.items() if one[0] not in {"ABSENT", "NOT_OUTPUT"}}


async def shown(wire: Wire, asked: messages.PublicationQuestion | None = None) -> set[str]:
    """The fields that are published."""
    answer = await resolve(wire, asked)
    return {name for name, (outcome, _) in seen(answer.publication).items() if outcome == "PUBLISH"}


async def report(wire: Wire, resolved: int, **options: Any) -> messages.ReportPublicationResponse:
    """Tells that the registry took what it was told about C1."""
    return await wire.publications.ReportPublication(
        messages.ReportPublicationRequest(
            purpose_id=WHOIS,
            subject_id="anna",
            actor=SYSTEM,
            channel="registry_sync",
            scope=shared.Scope(contact_id="C1"),
            report=shared.PublicationReport(
                outcome=shared.REPORT_OUTCOME_APPLIED,
                registry="CZ.NIC",
                resolved_position=resolved,
                published_fields=[field("name")],
                code=1000,
            ),
            **{"request_id": wire.request_id(), **options},
        )
    )
