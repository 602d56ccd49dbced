"""Contacts of which is asked what may be published: choices in the log, batches of questions."""

import asyncio
import random
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from consentsvc import catalogue as catalogues
from consentsvc.domain.changes import Action
from consentsvc.domain.events import THE_SUBJECT
from consentsvc.domain.identifiers import CallerId, PurposeId, RequestId, SubjectId
from consentsvc.domain.publication.profile import Profiles
from consentsvc.domain.scope import (
    EVERY_FIELD,
    EVERYTHING,
    ContactField,
    ContactId,
    DomainName,
    Reach,
    Scope,
)
from consentsvc.server import system_clock
from consentsvc.service.consents import Change, Consents, ShownNotice, UpdateConsents
from consentsvc.service.links import Links
from consentsvc.service.ports import Request
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import publication_service_pb2 as messages

WHOIS = "whois_publication"
METHOD = "/consentsvc.v1.PublicationService/BatchResolvePublications"
BATCH = 1_000
_SEED = 8213
_AT_ONCE = 256
_SUFFIXES = ("cz", "com", "fr", "it", "ca")
_FILLED = [
    shared.CONTACT_FIELD_NAME,
    shared.CONTACT_FIELD_STREET,
    shared.CONTACT_FIELD_CITY,
    shared.CONTACT_FIELD_POSTAL_CODE,
    shared.CONTACT_FIELD_COUNTRY,
    shared.CONTACT_FIELD_PHONE,
    shared.CONTACT_FIELD_EMAIL,
]


def _domain(number: int) -> str:
    return f"domain-{number}.{_SUFFIXES[number % len(_SUFFIXES)]}"


async def fill(store_url: str, contacts: int) -> None:
    """Writes the choices of two thirds of the accounts, each at one of three reaches."""
    rng = random.Random(_SEED)
    catalogue = catalogues.load()
    async with open_store(store_url, clock=system_clock) as store:
        consents = Consents(
            store, catalogue, Profiles(()), Links(store.secret("links")), system_clock
        )

        async def choose(number: int) -> None:
            contact = Reach(ContactId(f"contact-{number}"))
            scope = rng.choice(
                (
                    EVERYTHING,
                    Scope(contact, EVERY_FIELD),
                    Scope(
                        contact._replace(domain=DomainName(_domain(number))),
                        frozenset({ContactField.NAME, ContactField.EMAIL}),
                    ),
                )
            )
            action = rng.choice([Action.GIVE, Action.GIVE, Action.REFUSE])
            await consents.update(
                UpdateConsents(
                    SubjectId(f"owner:{number}"),
                    THE_SUBJECT,
                    "panel",
                    [Change(action, PurposeId(WHOIS), ShownNotice("1", "en"), scope=scope)],
                    Request(CallerId("benchmark"), RequestId(f"publish-{number}"), b""),
                )
            )

        numbers = [number for number in range(contacts) if number % 3]
        for first in range(0, len(numbers), _AT_ONCE):
            await asyncio.gather(*map(choose, numbers[first : first + _AT_ONCE]))


def batch(first: int, size: int = BATCH) -> bytes:
    """A batch of questions as it goes over the wire, so that the caller costs next to nothing."""
    registered = Timestamp()
    registered.FromDatetime(datetime(2024, 2, 1, tzinfo=UTC))
    return messages.BatchResolvePublicationsRequest(
        questions=[
            messages.PublicationQuestion(
                purpose_id=WHOIS,
                domain=messages.DomainFacts(
                    name=_domain(number),
                    register_time=registered,
                    sponsored=True,
                    bindings=[
                        messages.ContactBinding(
                            role=shared.CONTACT_ROLE_REGISTRANT, contact_id=f"contact-{number}"
                        )
                    ],
                ),
                role=shared.CONTACT_ROLE_REGISTRANT,
                contacts=[
                    messages.ContactFacts(
                        contact_id=f"contact-{number}",
                        subject_id=f"owner:{number}",
                        kind=messages.CONTACT_KIND_NATURAL,
                        filled_fields=_FILLED,
                    )
                ],
                operation=messages.REGISTRY_OPERATION_UPDATE,
            )
            for number in range(first, first + size)
        ]
    ).SerializeToString()
