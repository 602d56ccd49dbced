"""Fields of a contact as people think of them, and what may be said of them in plain words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consentclient import (
    ConsentEntry,
    ContactField,
    FieldOutcome,
    FieldPublication,
    FieldRule,
    Publication,
    PublicationControl,
    PublicationReason,
)

_F = ContactField

GROUPS: Mapping[str, frozenset[ContactField]] = {
    "name": frozenset({_F.NAME}),
    "organization": frozenset({_F.ORGANIZATION}),
    "address": frozenset({_F.STREET, _F.CITY, _F.STATE_PROVINCE, _F.POSTAL_CODE, _F.COUNTRY}),
    "phone": frozenset({_F.PHONE, _F.PHONE_EXT, _F.MOBILE_PHONE}),
    "fax": frozenset({_F.FAX, _F.FAX_EXT}),
    "email": frozenset({_F.EMAIL}),
    "numbers": frozenset({_F.VAT, _F.IDENT, _F.NOTIFY_EMAIL}),
}
"""What one switch is for. A choice is about all fields of its group, held or not."""

# The person agreed; whatever keeps the value back is something else.
_AGREED = {
    PublicationReason.CONSENT,
    PublicationReason.COARSE_CAPABILITY,
    PublicationReason.SHARED_HANDLE,
    PublicationReason.DATA_CHANGE_PENDING,
}
# Nothing that the person could say would change it.
_BEYOND = {
    PublicationReason.NEVER,
    PublicationReason.NOT_SPONSORED,
    PublicationReason.UNKNOWN_PROFILE,
    PublicationReason.PROXY_ACTIVE,
    PublicationReason.ROLE_NOT_OUTPUT,
    PublicationReason.DECEASED,
    PublicationReason.RESTRICTED,
}
_NOTHING = {FieldOutcome.ABSENT, FieldOutcome.OTHER}


@dataclass(frozen=True, slots=True)
class Switch:
    """A group's switch at one reach. `on` is None where its fields differ; `why` explains.

    `fixed`: it would have no effect, so there is none.
    """

    group: str
    on: bool | None
    fixed: bool
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the public sees of one field: its value, or a word in its place."""

    field: ContactField
    value: str | None
    word: str


def stated(
    entries: Sequence[ConsentEntry], held: Iterable[ContactField], contact_id: str
) -> list[Switch]:
    """The switches of a contact for all its domains, by what was said for it or for everything."""
    about = [
        one
        for one in entries
        if one.consent.scope is not None
        and one.consent.scope.domain is None
        and one.consent.scope.contact_id in {None, contact_id}
    ]
    found = []
    for group, members in GROUPS.items():
        said = {_consented(about, field) for field in members & frozenset(held)}
        if said:
            found.append(Switch(group, said.pop() if len(said) == 1 else None, fixed=False))
    return found


def resolved(publications: Sequence[Publication]) -> list[Switch]:
    """The switches of a contact in one domain, by what the service decided for its roles."""
    found = []
    for group, members in GROUPS.items():
        results = [
            (one, result)
            for one in publications
            for field, result in one.fields.items()
            if field in members and result.outcome not in _NOTHING
        ]
        if not results:
            continue
        open_to_choice = [result for _, result in results if not _is_fixed(result)]
        said = {_is_agreed(result) for result in open_to_choice}
        found.append(
            Switch(
                group,
                said.pop() if len(said) == 1 else None,
                not open_to_choice,
                tuple(dict.fromkeys(_why(result) for _, result in results)),
            )
        )
    return found


def seen(publication: Publication, values: Mapping[ContactField, str]) -> list[Seen]:
    """What the public sees of a contact in a role, in the usual order of fields."""
    found = []
    for field in ContactField:
        result = publication.fields.get(field)
        if result is None or result.outcome is FieldOutcome.ABSENT:
            continue
        published = result.outcome is FieldOutcome.PUBLISH
        word = "redact" if result.outcome is FieldOutcome.OTHER else result.outcome.value
        found.append(Seen(field, values.get(field) if published else None, word))
    return found


def _consented(entries: Sequence[ConsentEntry], field: ContactField) -> bool:
    """Whether a field is consented to at the narrowest reach at which something was said of it."""
    covering = [
        one
        for one in entries
        if one.consent.scope is not None and one.consent.scope.fields & {field, ContactField.ALL}
    ]
    if not covering:
        return False
    narrowest = max(
        covering,
        key=lambda one: (
            one.consent.scope is not None and one.consent.scope.contact_id is not None,
            one.consent.scope is not None and field in one.consent.scope.fields,
        ),
    )
    if not narrowest.decision.permitted:
        return False
    # A no that came later and lies further out takes a yes back, for its fields.
    return not any(
        not one.decision.permitted and _position(one) > _position(narrowest) for one in covering
    )


def _position(entry: ConsentEntry) -> int:
    return entry.consent.choice.position if entry.consent.choice else 0


def _is_agreed(result: FieldPublication) -> bool:
    by_default = result.reason is PublicationReason.MANDATORY and result.rule is FieldRule.OPT_OUT
    return by_default or result.reason in _AGREED


def _is_fixed(result: FieldPublication) -> bool:
    if result.outcome is FieldOutcome.NOT_OUTPUT or result.reason in _BEYOND:
        return True
    if result.control is PublicationControl.REGISTRY_FIXED:
        return True
    return result.rule in {FieldRule.ALWAYS, FieldRule.NEVER}


def _why(result: FieldPublication) -> str:
    """The name of the text that explains a result."""
    if result.reason is PublicationReason.MANDATORY and result.rule is FieldRule.OPT_OUT:
        return "why.opt_out"
    return f"why.{result.reason.value}"
