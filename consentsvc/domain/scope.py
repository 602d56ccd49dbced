"""How far a publication choice reaches: over which contacts, domains and roles, and which fields.

The words are those of the registration data elements. A field is never left out to mean all of
them: that is said with `ContactField.ALL`.
"""

from collections.abc import Iterable
from typing import NamedTuple, NewType

from consentsvc.domain.words import Word

ContactId = NewType("ContactId", str)
DomainName = NewType("DomainName", str)
"""A domain name as its A-labels, in lower case, without a dot at its end."""


class ContactField(Word):
    """A registration data element of a contact. `ALL` stands for every one, and stands alone."""

    NAME = "name"
    ORGANIZATION = "organization"
    STREET = "street"
    CITY = "city"
    STATE_PROVINCE = "state_province"
    POSTAL_CODE = "postal_code"
    COUNTRY = "country"
    PHONE = "phone"
    PHONE_EXT = "phone_ext"
    FAX = "fax"
    FAX_EXT = "fax_ext"
    EMAIL = "email"
    VAT = "vat"
    IDENT = "ident"
    NOTIFY_EMAIL = "notify_email"
    MOBILE_PHONE = "mobile_phone"
    ALL = "all"


EVERY_FIELD = frozenset({ContactField.ALL})
COMMON_FIELDS = (
    ContactField.NAME,
    ContactField.ORGANIZATION,
    ContactField.STREET,
    ContactField.CITY,
    ContactField.STATE_PROVINCE,
    ContactField.POSTAL_CODE,
    ContactField.COUNTRY,
    ContactField.PHONE,
    ContactField.PHONE_EXT,
    ContactField.FAX,
    ContactField.FAX_EXT,
    ContactField.EMAIL,
)
"""The elements that every registration has a place for; the others are known to some registries."""


class Role(Word):
    """What a contact is to a domain."""

    REGISTRANT = "registrant"
    TECH = "tech"
    ADMIN = "admin"
    BILLING = "billing"


class Reach(NamedTuple):
    """Account, contact, domain, role: each inside the one before. With none, the whole account."""

    contact: ContactId | None = None
    domain: DomainName | None = None
    role: Role | None = None

    @property
    def sound(self) -> bool:
        """Whether it is one of the four: a domain is a contact's, a role is in a domain."""
        return not (
            (self.domain is not None and self.contact is None)
            or (self.role is not None and self.domain is None)
        )

    def covers(self, other: "Reach") -> bool:
        """Whether everything that `other` reaches is reached by this one too."""
        return all(mine is None or mine == theirs for mine, theirs in zip(self, other, strict=True))


ACCOUNT = Reach()


class Scope(NamedTuple):
    """A reach, and the fields that are spoken of in it."""

    reach: Reach
    fields: frozenset[ContactField]


EVERYTHING = Scope(ACCOUNT, EVERY_FIELD)
"""The whole account, every field."""


def covering(reach: Reach) -> tuple[Reach, ...]:
    """A reach and those that cover it, the narrowest first: never more than four."""
    wider = (reach, Reach(reach.contact, reach.domain), Reach(reach.contact), ACCOUNT)
    return tuple(dict.fromkeys(wider))


def reaches(contact: ContactId, domain: DomainName, role: Role) -> tuple[Reach, ...]:
    """The four reaches that cover a contact in a role of a domain, the narrowest first."""
    return Reach(contact, domain, role), Reach(contact, domain), Reach(contact), ACCOUNT


def overlap(one: Iterable[ContactField], other: Iterable[ContactField]) -> bool:
    """Whether two sets of fields have one in common."""
    left, right = frozenset(one), frozenset(other)
    return bool(left & right) or (bool(left and right) and ContactField.ALL in left | right)
