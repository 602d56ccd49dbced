"""What the registrar knows of its domains and contacts: the one port to its own systems.

The consent service keeps no contact data, so the job brings the facts, and for a data change the
values. Everything is read when it is needed, and nothing is kept.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

import idna

from consentclient import ContactField, ContactKind, ContactRole, PostalType

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")  # an address of numbers is no name
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A contact of the registrar's, and the account whose it is.

    `values` are what is stored, by field; an empty one is not there. `handle` is its id at the
    registries, the contact's own unless said otherwise; no other contact has it.
    """

    id: str
    account: str
    kind: ContactKind = ContactKind.UNKNOWN
    has_personal_data: bool = True
    values: Mapping[ContactField, str] = field(default_factory=dict, repr=False)
    pending: frozenset[ContactField] = frozenset()
    postal_types: frozenset[PostalType] = frozenset()
    verified: bool = False
    in_trade: bool = False
    handle: str = ""


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """A domain of the registrar's. `name` is in A-labels, in lower case."""

    name: str
    registered: datetime
    bindings: Mapping[ContactRole, str]
    transferred: datetime | None = None
    sponsored: bool = True
    proxy: bool = False


def domain_name(text: str) -> str:
    """Reads a name as the consent service does: any script and case, with the root's dot or not.

    It comes back in A-labels and lower case. Raises ValueError for what is no name of a domain.
    """
    name = text.removesuffix(".")
    if not name.isascii():
        name = idna.encode(name, uts46=True).decode("ascii")
    name = name.lower()
    if len(name) > _LONGEST_NAME or not _DOMAIN.fullmatch(name):
        raise ValueError("not a domain name")
    return name


class Use(NamedTuple):
    """A contact in a role of a domain."""

    contact: str
    domain: str
    role: ContactRole


class Directory(Protocol):
    """The registrar's domains and contacts, by the questions that the job asks.

    An answer may be a moment old; what changes later is found by the next reconciliation, or by the
    event that comes with it.
    """

    def contact(self, contact_id: str) -> ContactRecord | None:
        """Reads one contact."""
        ...

    def contact_by_handle(self, handle: str) -> ContactRecord | None:
        """Reads the contact that has a handle now, in whatever case."""
        ...

    def domain(self, name: str) -> DomainRecord | None:
        """Reads one domain."""
        ...

    def uses(
        self, account: str, contact_id: str | None = None, domain: str | None = None
    ) -> Iterator[Use]:
        """Finds where contacts of an account are bound: any of them, or one; anywhere, or there."""
        ...

    def domains_of(self, contact_id: str) -> Iterator[DomainRecord]:
        """Finds the domains that a contact is bound to."""
        ...

    def all_uses(self) -> Iterator[Use]:
        """Reads every use of every contact, those of one contact together."""
        ...

    def count(self) -> int:
        """How many domains there are."""
        ...
