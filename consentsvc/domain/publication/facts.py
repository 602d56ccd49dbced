"""What is true of a contact and a domain, by the word of the caller: the service keeps none of it.

No value of a contact is here, only which fields hold one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from consentsvc.domain.identifiers import SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.scope import ContactField, ContactId, DomainName, Role
from consentsvc.domain.words import Word


class ContactKind(Word):
    """What a contact is before the law. One of which nobody knows is treated as a person."""

    NATURAL = "natural"
    LEGAL = "legal"
    UNKNOWN = "unknown"


class PostalType(Word):
    """A form of postal information in EPP (RFC 5733): internationalised, or in local script."""

    INT = "int"
    LOC = "loc"


class Contact(NamedTuple):
    """A contact, and the account of the person or organisation whose it is.

    `pending` names fields whose new value is not stored yet. `verified`: the registry has verified
    the person. `in_trade`: the person acts in trade.
    """

    id: ContactId
    account: SubjectId
    kind: ContactKind = ContactKind.UNKNOWN
    has_personal_data: bool = True
    filled: frozenset[ContactField] = frozenset()
    pending: frozenset[ContactField] = frozenset()
    postal_types: frozenset[PostalType] = frozenset()
    verified: bool = False
    in_trade: bool = False

    @property
    def legal(self) -> bool:
        """Whether it is known to be no natural person."""
        return self.kind is ContactKind.LEGAL


class Domain(NamedTuple):
    """A domain, and which contact it has in which role.

    `transferred_at` is when it came from another registrar, if it did. `sponsored`: it is with this
    registrar. `proxy`: a proxy service stands in for its contacts.
    """

    name: DomainName
    registered_at: Instant
    transferred_at: Instant | None = None
    sponsored: bool = True
    proxy: bool = False
    bindings: Mapping[Role, ContactId] = MappingProxyType({})


class Facts(NamedTuple):
    """What a question is about: a domain, its contacts, and the other uses of these contacts.

    Every contact that a binding names is there.
    """

    domain: Domain
    contacts: Mapping[ContactId, Contact]
    others: tuple[Domain, ...] = ()
