"""Scopes, contacts, domains and fields: messages to the domain's words and back."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import idna

from consentsvc.domain import identifiers
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.publication.offering import refuse_unsound
from consentsvc.domain.scope import EVERY_FIELD, ContactField, DomainName, Reach, Role, Scope
from consentsvc.v1 import consent_pb2 as messages

_FIELDS = {messages.ContactField.Value(f"CONTACT_FIELD_{one.name}"): one for one in ContactField}
FIELDS_OUT = {one: value for value, one in _FIELDS.items()}
ROLES = {messages.ContactRole.Value(f"CONTACT_ROLE_{one.name}"): one for one in Role}
ROLES_OUT = {one: value for value, one in ROLES.items()}


def domain_name(value: str, field: str) -> DomainName:
    """Accepts a domain name in any script and case, with or without the root's dot."""
    name = value.removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            # Its message quotes the name.
            raise InvalidRequest.field(field, "must be a domain name") from error
    return identifiers.domain_name(name, field)


def contact_fields(
    values: Sequence[messages.ContactField.ValueType], field: str
) -> frozenset[ContactField]:
    """Accepts known fields, each by its name: `ALL` has no place here."""
    # Of three lists in every question two are mostly empty, and to turn one over is not for free: a
    # slice of a repeated field takes half of what it takes to go through the field itself.
    if not values:
        return frozenset()
    given = tuple(values[:])
    known = _known(given)
    if known is None:
        index = next(place for place, value in enumerate(given) if _known((value,)) is None)
        raise InvalidRequest.field(f"{field}[{index}]", "must be one of the fields")
    return known


# Contacts hold values in much the same fields.
@lru_cache(maxsize=4_096)
def _known(values: tuple[messages.ContactField.ValueType, ...]) -> frozenset[ContactField] | None:
    known = frozenset(_FIELDS.get(value, ContactField.ALL) for value in values)
    return None if ContactField.ALL in known else known


def reach(message: messages.Scope, field: str) -> Reach:
    """Accepts account, contact, domain and role, each inside the one before."""
    role = ROLES.get(message.role)
    if role is None and message.role != messages.CONTACT_ROLE_UNSPECIFIED:
        raise InvalidRequest.field(f"{field}.role", "must be one of the roles")
    found = Reach(
        identifiers.contact_id(message.contact_id, f"{field}.contact_id")
        if message.contact_id
        else None,
        domain_name(message.domain, f"{field}.domain") if message.domain else None,
        role,
    )
    refuse_unsound(found, field)
    return found


def scope(message: messages.Scope, field: str) -> Scope:
    """Accepts a reach, and ALL alone or some fields."""
    fields = message.fields
    if not fields:
        raise InvalidRequest.field(f"{field}.fields", "must name the fields, or ALL")
    reached = reach(message, field)
    if messages.CONTACT_FIELD_ALL in fields:
        if len(fields) > 1:
            raise InvalidRequest.field(f"{field}.fields", "must hold ALL alone")
        return Scope(reached, EVERY_FIELD)
    return Scope(reached, contact_fields(fields, f"{field}.fields"))


def fields_out(
    fields: Iterable[ContactField],
) -> list[messages.ContactField.ValueType]:
    """Fields in one order."""
    return sorted(FIELDS_OUT[one] for one in fields)


def scope_out(one: Scope) -> messages.Scope:
    """A scope as it was understood."""
    message = reach_out(one.reach)
    message.fields.extend(fields_out(one.fields))
    return message


def reach_out(one: Reach) -> messages.Scope:
    """A reach as it was understood, without fields."""
    return messages.Scope(
        contact_id=one.contact or "",
        domain=one.domain or "",
        role=messages.CONTACT_ROLE_UNSPECIFIED if one.role is None else ROLES_OUT[one.role],
    )
