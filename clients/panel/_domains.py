"""My domains: what is published of each contact, with exceptions for a domain and a role."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from consentclient import (
    Action,
    Change,
    ConsentEntry,
    ConsentError,
    ContactField,
    ContactRole,
    NoticeRef,
    PositionConflict,
    Profile,
    Publication,
    PublicationQuestion,
    Purpose,
    RoleNotOffered,
    Scope,
)
from panel._choices import read
from panel._contacts import Contacts, DomainHolding, Holding
from panel._fields import GROUPS, Seen, Switch, resolved, seen, stated
from panel._visit import CHANNEL, FormRefused, Said, Visit, as_fresh_as_told, as_position
from registry_sync import ContactRecord, DomainRecord, Registries, contact_facts, domain_facts

FORM = "domains-1"
PAGE = 25

_EVERYTHING = "everything"
_MOST_OTHERS = 10_000
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A domain in the list. `mark` stands for its name in addresses."""

    name: str
    mark: str
    roles: Mapping[str, list[ContactRole]]


@dataclass(frozen=True, slots=True)
class Role:
    """A contact in one role of a domain: its own switches, and what the public sees."""

    role: ContactRole
    publication: Publication
    switches: list[Switch]
    seen: list[Seen]


@dataclass(frozen=True, slots=True)
class Bound:
    """One of the customer's contacts in a domain."""

    contact: ContactRecord
    switches: list[Switch]
    roles: list[Role]


async def show(visit: Visit) -> Response:
    """The contacts with their switches, and a page of domains."""
    (purpose, entries, position), holding = await asyncio.gather(_said(visit), _holding(visit))
    names = sorted(holding.uses)
    pages = max(1, -(-len(names) // PAGE))
    asked = visit.request.query_params.get("page", "")
    known = asked.isascii() and asked.isdigit() and len(asked) < _DIGITS
    number = min(max(1, int(asked)), pages) if known else 1
    shown = names[(number - 1) * PAGE : number * PAGE]
    return visit.page(
        "domains.html",
        purpose=purpose,
        position=position,
        contacts=[
            (one, stated(entries, one.values, one.id), titled(one))
            for one in holding.contacts.values()
        ],
        lines=[_line(visit, holding, name) for name in shown],
        titles={one.id: titled(one) for one in holding.contacts.values()},
        count=len(names),
        number=number,
        pages=pages,
    )


async def show_domain(visit: Visit) -> Response:
    """One domain: the switches of its contacts, and beside them what the public sees."""
    (purpose, _, position), holding = await asyncio.gather(_said(visit), _holding(visit))
    name = _named(visit, holding, visit.request.path_params["mark"])
    if name is None:
        return visit.trouble("domains.missing", 404)
    contacts = _contacts(visit)
    domain, profiles = await asyncio.gather(
        contacts.domain(name, frozenset(holding.contacts)), visit.desk.client.list_profiles()
    )
    if domain is None:
        return visit.trouble("domains.missing", 404)
    bound = await _bound(visit, holding, domain, profiles)
    found = Registries(profiles).registry(name)
    publications = [role.publication for one in bound for role in one.roles]
    return visit.page(
        "domain.html",
        purpose=purpose,
        position=position,
        name=name,
        mark=visit.request.path_params["mark"],
        bound=bound,
        titles={one.contact.id: titled(one.contact) for one in bound},
        registry=next((one.registry for one in publications if one.registry), None),
        per_contact=found is not None and found[1].per_contact,
    )


async def turn(visit: Visit) -> Response:
    """One switch: of everything, of a contact, of a contact in a domain or in a role of it."""
    holding = await _holding(visit)
    (purpose, _, _) = await _said(visit)
    scope, back, place = _scope(visit, holding)
    try:
        at, version, locale, sha256 = visit.form.get("shown", "").split(" ")
        notice = NoticeRef(version, locale, bytes.fromhex(sha256))
        expected = as_position(at)
    except ValueError:
        raise FormRefused("refused.incomplete", 400) from None
    on = visit.form.get("turn")
    if on not in {"on", "off"}:
        raise FormRefused("refused.incomplete", 400)
    action = Action.GIVE if on == "on" else Action.WITHDRAW
    said = f"said.published_{on}"
    try:
        updated = await visit.desk.client.update(
            visit.subject_id,
            [Change(purpose.id, action, notice, expected, scope)],
            channel=CHANNEL,
            evidence=visit.evidence(FORM, "one switch"),
            request_id=visit.request_id,
        )
    except PositionConflict:
        return visit.done(back, Said("said.conflict", place))
    except RoleNotOffered:
        return visit.done(back, Said("said.not_offered", place))
    return visit.done(back, Said(said, place), updated.written_at)


def titled(contact: ContactRecord) -> str:
    """What a contact is called on a page: by its own name, or else by its number."""
    values = contact.values
    return values.get(ContactField.ORGANIZATION) or values.get(ContactField.NAME) or contact.id


async def _said(visit: Visit) -> tuple[Purpose, list[ConsentEntry], int]:
    """The purpose of publication, what was said about it, and the position of the latest word."""
    purposes, consents = await read(visit, with_scopes=True)
    wanted = visit.desk.settings.publication_purpose
    purpose = next((one for one in purposes if one.id == wanted and one.takes_scope), None)
    if purpose is None:
        raise FormRefused("trouble.missing", 404)
    entries = [one for one in consents.entries if one.consent.purpose_id == purpose.id]
    return purpose, entries, max(one.consent.position for one in entries)


def _contacts(visit: Visit) -> Contacts:
    if visit.desk.contacts is None:
        raise FormRefused("trouble.missing", 404)
    return visit.desk.contacts


async def _holding(visit: Visit) -> Holding:
    return await _contacts(visit).of(visit.subject_id)


def _mark(visit: Visit, name: str) -> str:
    # No address holds a name: it would be in every log between here and the reader.
    return visit.desk.signer.mark("domain", visit.subject_id, name)


def _named(visit: Visit, holding: Holding, mark: str) -> str | None:
    return next((name for name in holding.uses if _mark(visit, name) == mark), None)


def _line(visit: Visit, holding: Holding, name: str) -> Line:
    roles: dict[str, list[ContactRole]] = {}
    for use in holding.uses[name]:
        roles.setdefault(use.contact, []).append(use.role)
    return Line(name, _mark(visit, name), roles)


def _scope(visit: Visit, holding: Holding) -> tuple[Scope, str, str]:
    """How far a switch reaches, the page that it is on, and its place there.

    Whatever is not the customer's own is refused, as if there were no such thing.
    """
    form, group = visit.form, visit.form.get("group", "")
    contact, name = form.get("contact"), form.get("domain")
    if group == _EVERYTHING and contact is None:
        return Scope(frozenset({ContactField.ALL})), "/domains", ""
    if group not in GROUPS or contact is None or contact not in holding.contacts:
        raise FormRefused("refused.incomplete", 400)
    if name is None and "role" in form:
        raise FormRefused("refused.incomplete", 400)
    fields = GROUPS[group]
    if name is None:
        place = f"{contact} {group}"
        return Scope(fields, contact), f"/domains#{visit.place(place)}", place
    roles = [use.role for use in holding.uses.get(name, ()) if use.contact == contact]
    back, place = f"/domains/{_mark(visit, name)}", f"{contact} {group}"
    if not roles:
        raise FormRefused("refused.incomplete", 400)
    if "role" not in form:
        return Scope(fields, contact, name), f"{back}#{visit.place(place)}", place
    role = next((one for one in roles if one.value == form["role"]), None)
    if role is None:
        raise FormRefused("refused.incomplete", 400)
    place = f"{contact} {role.value} {group}"
    return Scope(fields, contact, name, role), f"{back}#{visit.place(place)}", place


async def _bound(
    visit: Visit, holding: Holding, domain: DomainHolding, profiles: Sequence[Profile]
) -> list[Bound]:
    own = [
        (role, contact)
        for role, contact in domain.record.bindings.items()
        if contact in holding.contacts
    ]
    registries = Registries(profiles)
    questions = [_question(visit, domain, role, contact, registries) for role, contact in own]
    answers = await as_fresh_as_told(
        visit, lambda fresh: visit.desk.client.resolve_many(questions, at_least_as_fresh=fresh)
    )
    by_contact: dict[str, list[Role]] = {}
    for (role, contact), answer in zip(own, answers, strict=True):
        if isinstance(answer, ConsentError):
            raise answer
        values = holding.contacts[contact].values
        by_contact.setdefault(contact, []).append(
            Role(role, answer, resolved([answer]), seen(answer, values))
        )
    return [
        Bound(holding.contacts[contact], resolved([one.publication for one in roles]), roles)
        for contact, roles in by_contact.items()
    ]


def _question(
    visit: Visit, domain: DomainHolding, role: ContactRole, contact: str, registries: Registries
) -> PublicationQuestion:
    """What may the public see? Where a switch is the contact's, its other uses have their say."""
    record = domain.record
    here, others = registries.registry(record.name), list[DomainRecord]()
    if here is not None and here[1].per_contact:
        others = [
            one
            for one in domain.others[contact]
            if (there := registries.registry(one.name)) is not None and there[0] == here[0]
        ][:_MOST_OTHERS]
    return PublicationQuestion(
        visit.desk.settings.publication_purpose,
        domain_facts(record, record.bindings),
        role,
        tuple(contact_facts(one) for one in domain.bound.values()),
        tuple(
            domain_facts(one, {role: at for role, at in one.bindings.items() if at == contact})
            for one in others
        ),
    )
