"""The questions behind `consentsvc publication explain`, and their answers as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consentsvc.cli import _printing, _shapes
from consentsvc.cli._exits import Ended, Exit

if TYPE_CHECKING:
    from consentclient import (
        ContactFacts,
        ContactRole,
        FieldPublication,
        Publication,
        PublicationQuestion,
    )

# For a domain of which nothing is known but the contacts that were named.
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def from_directory(file: Path, domain: str, purpose: str) -> "list[PublicationQuestion]":
    """The questions about a domain of the registrar's directory."""
    from consentclient import PublicationQuestion
    from registry_sync import DirectoryInvalid, JsonLines, contact_facts, domain_facts, domain_name

    try:
        name = domain_name(domain)
    except ValueError as error:
        raise click.BadParameter("must be a domain name", param_hint="DOMAIN") from error
    try:
        with JsonLines(file) as directory:
            record = directory.domain(name)
            if record is None:
                raise Ended(Exit.USAGE, f"{file}: has no such domain")
            if not record.bindings:
                raise Ended(Exit.USAGE, f"{file}: has no contact for this domain")
            bound = [directory.contact(one) for one in dict.fromkeys(record.bindings.values())]
            contacts = [one for one in bound if one is not None]
            others = {
                one.name: one
                for contact in contacts
                for one in directory.domains_of(contact.id)
                if one.name != record.name
            }
            told = {one.id for one in contacts}
            return [
                PublicationQuestion(
                    purpose,
                    domain_facts(record, record.bindings),
                    role,
                    tuple(map(contact_facts, contacts)),
                    other_domains=tuple(
                        domain_facts(
                            one, {at: who for at, who in one.bindings.items() if who in told}
                        )
                        for one in others.values()
                    ),
                )
                for role in _in_order(record.bindings)
            ]
    except DirectoryInvalid as error:
        raise Ended(Exit.USAGE, str(error)) from error


def from_options(
    domain: str, purpose: str, contacts: Sequence[str], *, legal: bool
) -> "list[PublicationQuestion]":
    """The questions about a domain whose contacts are named, each as ROLE=SUBJECT/CONTACT.

    Every field of theirs is taken to hold a value.
    """
    from consentclient import ContactRole, DomainFacts, PublicationQuestion

    bindings: dict[ContactRole, str] = {}
    facts: dict[str, ContactFacts] = {}
    for one in contacts:
        name, _, who = one.partition("=")
        subject, _, contact = who.rpartition("/")
        if name not in {one.value for one in ContactRole} or not subject or not contact:
            raise click.BadParameter(f"{one}: must be ROLE=SUBJECT/CONTACT", param_hint="--contact")
        role = ContactRole(name)
        if role in bindings:
            raise click.BadParameter(f"{name} is named twice", param_hint="--contact")
        bindings[role] = contact
        facts[contact] = _whole(subject, contact, legal=legal)
    known = DomainFacts(domain, _LONG_AGO, bindings, sponsored=True)
    return [
        PublicationQuestion(purpose, known, role, tuple(facts.values()))
        for role in _in_order(bindings)
    ]


def as_json(one: "Publication") -> dict[str, Any]:
    """An answer as the object that `--json` prints."""
    return {
        "domain": one.domain,
        "role": one.role.value,
        "contact_id": one.contact_id,
        "profile": one.profile_id,
        "profile_version": one.profile_version,
        "registry": one.registry,
        "position": one.position,
        "valid_until": _printing.moment(one.valid_until),
        "read_at": one.read_at,
        "fields": {
            field.value: {
                "outcome": found.outcome.name,
                "reason": found.reason.name,
                "control": found.control and found.control.name,
                "rule": found.rule and found.rule.name,
                "group": found.group,
                "position": found.position,
                "notice": _shapes.notice(found.notice),
            }
            for field, found in one.fields.items()
        },
        "redacted": [
            {"name": member.name, "method": member.method.value} for member in one.redactions
        ],
    }


def show(answers: "Sequence[Publication]") -> None:
    """Prints what the public sees, one line for each role and field."""
    _printing.table(
        ("role", "contact", "field", "outcome", "reason", "event", "who decides", "rule"),
        [
            (
                one.role.value,
                one.contact_id,
                field.value,
                found.outcome.name,
                found.reason.name,
                found.position,
                found.control and found.control.name,
                _rule(found),
            )
            for one in answers
            for field, found in one.fields.items()
        ],
    )
    first = answers[0]
    _printing.facts(
        [
            ("profile", first.profile_id and f"{first.profile_id} {first.profile_version}"),
            ("registry", first.registry),
            (
                "valid until",
                min((one.valid_until for one in answers if one.valid_until), default=None),
            ),
            ("read at", first.read_at),
        ]
    )


def _rule(found: "FieldPublication") -> str | None:
    if found.rule is None:
        return None
    return found.rule.name + (f", switch {found.group}" if found.group else "")


def _whole(subject: str, contact: str, *, legal: bool) -> "ContactFacts":
    from consentclient import ContactFacts, ContactField, ContactKind

    kind = ContactKind.LEGAL if legal else ContactKind.NATURAL
    filled = frozenset(one for one in ContactField if one is not ContactField.ALL)
    return ContactFacts(contact, subject, kind, filled)


def _in_order(roles: "Any") -> "list[ContactRole]":
    from consentclient import ContactRole

    return [role for role in ContactRole if role in roles]
