"""RDAP redaction members (RFC 9537), with the names and methods that ICANN registered for gTLDs.

Paths are JSONPath into a domain object whose contacts are jCards, as the gTLD profile has them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from consentsvc.domain.publication.decided import Kind, Outcome
from consentsvc.domain.publication.resolve import FieldResult
from consentsvc.domain.scope import ContactField, Role
from consentsvc.domain.words import Word


class Method(Word):
    """What became of a value (RFC 9537, section 3)."""

    REMOVAL = "removal"
    EMPTY_VALUE = "emptyValue"
    REPLACEMENT_VALUE = "replacementValue"


class Member(NamedTuple):
    """One redacted element. A path is None where the method has none of its kind."""

    name: str
    method: Method
    pre_path: str | None = None
    post_path: str | None = None
    replacement_path: str | None = None


_ENTITIES = {Role.REGISTRANT: ("Registrant", "registrant"), Role.TECH: ("Tech", "technical")}
_ONLY_OF_TECH = frozenset(
    {ContactField.NAME, ContactField.PHONE, ContactField.PHONE_EXT, ContactField.EMAIL}
)

# Each with its registered name, what becomes of its value, and where it is in the jCard.
_FIELDS: Mapping[ContactField, tuple[str, Method, str]] = {
    ContactField.NAME: ("Name", Method.EMPTY_VALUE, "[?(@[0]=='fn')][3]"),
    ContactField.ORGANIZATION: ("Organization", Method.REMOVAL, "[?(@[0]=='org')]"),
    ContactField.STREET: ("Street", Method.EMPTY_VALUE, "[?(@[0]=='adr')][3][:3]"),
    ContactField.CITY: ("City", Method.EMPTY_VALUE, "[?(@[0]=='adr')][3][3]"),
    ContactField.POSTAL_CODE: ("Postal Code", Method.EMPTY_VALUE, "[?(@[0]=='adr')][3][5]"),
    ContactField.PHONE: ("Phone", Method.REMOVAL, "[?(@[0]=='tel' && @[1].type=='voice')]"),
    ContactField.PHONE_EXT: (
        "Phone Ext",
        Method.REMOVAL,
        "[?(@[0]=='tel' && @[1].type=='voice')][1].ext",
    ),
    ContactField.FAX: ("Fax", Method.REMOVAL, "[?(@[0]=='tel' && @[1].type=='fax')]"),
    ContactField.FAX_EXT: (
        "Fax Ext",
        Method.REMOVAL,
        "[?(@[0]=='tel' && @[1].type=='fax')][1].ext",
    ),
    ContactField.EMAIL: ("Email", Method.REPLACEMENT_VALUE, "[?(@[0]=='email')]"),
}
_CONTACT_URI = "[?(@[0]=='contact-uri')]"


def redacted(role: Role, results: Mapping[ContactField, FieldResult | Kind]) -> tuple[Member, ...]:
    """One member for each field that is held back; none for roles that have no registered names.

    State and country have no name: they cannot be redacted as such.
    """
    if role not in _ENTITIES:
        return ()
    members = []
    for field, (name, method, path) in _FIELDS.items():
        if role is Role.TECH and field not in _ONLY_OF_TECH:
            continue
        one = results.get(field)
        if one is None or one.outcome not in {Outcome.REDACT, Outcome.REPLACE}:
            continue
        members.append(_member(role, name, method, path))
    return tuple(members)


@lru_cache(maxsize=64)
def _member(role: Role, name: str, method: Method, path: str) -> Member:
    prefix, entity = _ENTITIES[role]
    card = f"$.entities[?(@.roles[0]=='{entity}')].vcardArray[1]"
    full = f"{prefix} {name}"
    match method:
        case Method.REMOVAL:
            return Member(full, method, pre_path=card + path)
        case Method.EMPTY_VALUE:
            return Member(full, method, post_path=card + path)
        case Method.REPLACEMENT_VALUE:
            return Member(full, method, post_path=card + path, replacement_path=card + _CONTACT_URI)
