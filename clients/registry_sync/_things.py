"""Which switches at which registries a change concerns, and what is asked about each."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from consentclient import (
    ContactFacts,
    ContactField,
    ContactRole,
    DiscloseList,
    DomainFacts,
    ExtensionValues,
    Operation,
    Profile,
    PublicationQuestion,
    Publisher,
    RegistryState,
)
from registry_sync._applied import Applied
from registry_sync._directory import ContactRecord, Directory, DomainRecord, Use
from registry_sync._due import CONTACT, DOMAIN, FORMER, Thing
from registry_sync._sending import SENT

_log = logging.getLogger(__name__)

# What the service takes of other uses.
_OTHERS = 10_000

# No registry's extension is in this state, so whatever is wanted is told.
_UNKNOWN = ExtensionValues({"unknown": ""})

_NEVER_TOLD = Applied(sure=False)

# Names no domain. A contact that no domain has is asked about as if one had it.
_NO_DOMAIN = "no-domain"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Lost(Exception):
    """Something may be public, and it is not known whose it is, or was."""


class Inquiry(NamedTuple):
    """What is asked about a thing, the contact that is told, and what its values are known by.

    `unused`: no domain has the contact, so that its object may be gone.
    """

    question: PublicationQuestion
    contact: ContactRecord
    digests: Mapping[ContactField, str]
    unused: bool = False

    @property
    def facts(self) -> ContactFacts:
        """What the service is told of the contact; without values that are not stored yet."""
        facts = next(one for one in self.question.contacts if one.contact_id == self.contact.id)
        return replace(facts, pending_fields=frozenset()) if facts.pending_fields else facts


class Registries:
    """The registries that take commands, found by the longest suffix of a domain's name."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._by_suffix = {
            suffix: profile
            for profile in profiles
            if profile.publisher is Publisher.REGISTRY
            for suffix in profile.suffixes
        }

    def thing(self, use: Use) -> Thing | None:
        """What the registry has a switch for, where a contact is used; None if it takes no wish."""
        found = self.registry(use.domain)
        if found is None:
            return None
        registry, profile = found
        if profile.per_contact:
            return Thing(CONTACT, registry, use.contact)
        return Thing(DOMAIN, registry, use.domain)

    def names(self) -> frozenset[str]:
        """The registries that take commands, as the job names them."""
        return frozenset(
            _named(profile, suffix)
            for suffix, profile in self._by_suffix.items()
            if profile.has_commands
        )

    def registry(self, domain: str) -> tuple[str, Profile] | None:
        """The registry of a domain that takes commands, by its name and rules."""
        rest = domain
        while rest:
            profile = self._by_suffix.get(rest)
            if profile is not None:
                if not profile.has_commands:
                    return None
                return _named(profile, rest), profile
            rest = rest.partition(".")[2]
        return None

    def suffix(self, name: str) -> str:
        """A suffix of a registry, by its name; it must be one that takes commands."""
        return next(
            suffix for suffix, profile in self._by_suffix.items() if _named(profile, suffix) == name
        )


class Questions:
    """Asks about things with the facts of the registrar's directory."""

    def __init__(
        self, directory: Directory, registries: Registries, purpose_id: str, secret: bytes
    ) -> None:
        self._directory = directory
        self._registries = registries
        self._purpose_id = purpose_id
        self._secret = secret

    def about(self, thing: Thing, applied: Applied) -> Inquiry | None:
        """What to ask about a thing; None if nothing of it is ours to change, or to be hidden yet.

        Raises `Lost`.
        """
        if thing.kind == CONTACT:
            return self._about_contact(thing, applied)
        if thing.kind == FORMER:
            return self._about_gone(thing, applied)
        domain = self._directory.domain(thing.name)
        if domain is None or not domain.sponsored or not domain.bindings:
            return None
        inquiry = self.about_role(domain, _first(domain.bindings), applied)
        if inquiry is None:
            raise Lost(thing.registry)  # the domain is ours, and it cannot be said whose it is
        return inquiry

    def about_role(
        self, domain: DomainRecord, role: ContactRole, applied: Applied
    ) -> Inquiry | None:
        """What to ask about a domain's switch, and a contact of the domain's."""
        contact = self._directory.contact(domain.bindings[role])
        if contact is None:
            return None
        question = PublicationQuestion(
            self._purpose_id,
            domain_facts(domain, domain.bindings),
            role,
            self._contacts(domain.bindings.values()),
            operation=Operation.UPDATE,
            previous=_previous(applied, frozenset()),
        )
        return Inquiry(question, contact, {})

    def _about_contact(self, thing: Thing, applied: Applied) -> Inquiry | None:
        contact = self._directory.contact(thing.name)
        if contact is None:
            return self._about_gone(thing, applied)
        domains = list(islice(self._domains(thing.registry, contact.id), _OTHERS + 2))
        main = next((one for one in domains if one.sponsored), None)
        if main is None:
            # What went to another registrar with its domains is not ours to change.
            if domains or applied == _NEVER_TOLD:
                return None
            return self._about_unused(thing, applied, contact, contact_facts(contact))
        others = [
            domain_facts(one, _bound_to(one, contact.id)) for one in domains if one is not main
        ]
        if len(others) > _OTHERS:
            # Each use has its say, and not all of them can be asked about. Doubt means no.
            _log.warning("a contact of %s is in more than %d domains", thing.registry, _OTHERS)
            others = [_not_to_be_published(others[0]), *others[1:_OTHERS]]
        bindings = _bound_to(main, contact.id)
        changed = self._changed(contact, applied)
        question = PublicationQuestion(
            self._purpose_id,
            domain_facts(main, bindings),
            _first(bindings),
            (contact_facts(contact),),
            other_domains=tuple(others),
            operation=Operation.UPDATE,
            previous=_previous(applied, changed),
            changed_fields=changed,
        )
        return Inquiry(question, contact, self._digests(contact, applied))

    def _about_gone(self, thing: Thing, applied: Applied) -> Inquiry | None:
        if (applied.sure and not applied.published) or applied == _NEVER_TOLD:
            return None
        if not applied.handle or applied.facts is None:
            raise Lost(thing.registry)
        other = self._directory.contact_by_handle(applied.handle)
        if other is not None and any(True for _ in self._domains(thing.registry, other.id)):
            return None  # another contact has it there, and all that is to be said of it
        facts = applied.facts
        contact = ContactRecord(facts.contact_id, facts.subject_id, handle=applied.handle)
        return self._about_unused(thing, applied, contact, facts)

    def _about_unused(
        self, thing: Thing, applied: Applied, contact: ContactRecord, facts: ContactFacts
    ) -> Inquiry:
        """What to ask about a contact that no domain has: all is to be hidden that can be.

        Its object may be there still, and show what it was told to show.
        """
        bindings = {ContactRole.REGISTRANT: contact.id}
        name = f"{_NO_DOMAIN}.{self._registries.suffix(thing.registry)}"
        main = DomainFacts(name, _LONG_AGO, bindings, sponsored=True)
        question = PublicationQuestion(
            self._purpose_id,
            main,
            ContactRole.REGISTRANT,
            (facts,),
            other_domains=(_not_to_be_published(replace(main, name=f"other.{name}")),),
            operation=Operation.UPDATE,
            previous=_previous(applied, frozenset()),
        )
        return Inquiry(question, contact, applied.digests or {}, unused=True)

    def _digests(self, contact: ContactRecord, applied: Applied) -> dict[ContactField, str]:
        """What tells later that a value has changed, and says nothing at a glance.

        Of a value that is not stored yet, that of the one before. Whoever has the state file has
        the key too, and can try guesses: a telephone number does not stand up to that.
        """
        before = applied.digests or {}
        digests = {one: before[one] for one in contact.pending if one in before}
        for name, value in contact.values.items():
            if name in SENT and name not in contact.pending:
                told = f"{contact.id}\0{name.value}\0{value}".encode()
                digests[name] = hashlib.blake2b(told, key=self._secret, digest_size=16).hexdigest()
        return digests

    def _domains(self, registry: str, contact_id: str) -> Iterator[DomainRecord]:
        for domain in self._directory.domains_of(contact_id):
            found = self._registries.registry(domain.name)
            if found is not None and found[0] == registry:
                yield domain

    def _changed(self, contact: ContactRecord, applied: Applied) -> frozenset[ContactField]:
        before = applied.digests
        if before is None:
            return frozenset()  # what the registry has came from elsewhere, and is right
        now = self._digests(contact, applied)
        return frozenset(
            one for one in now.keys() | before.keys() if now.get(one) != before.get(one)
        )

    def _contacts(self, ids: Iterable[str]) -> tuple[ContactFacts, ...]:
        found = [self._directory.contact(one) for one in dict.fromkeys(ids)]
        return tuple(contact_facts(one) for one in found if one is not None)


def _not_to_be_published(use: DomainFacts) -> DomainFacts:
    """A use that keeps everything back that is for anybody to decide."""
    return replace(use, sponsored=False)


def _named(profile: Profile, suffix: str) -> str:
    return f"{profile.id}/{suffix}" if profile.per_suffix else profile.id


def _previous(applied: Applied, changed: frozenset[ContactField]) -> RegistryState:
    """What the service is told of what stands.

    Of a `disclose` it is what is known: the list that is wanted is complete whatever stands. An
    extension may be told as a change, so where it is not known what stands, the service must know
    that. It is also told once more if it holds the person's own address, and that has changed.
    """
    state = applied.state
    if isinstance(state, DiscloseList):
        return state
    told = state.values.values() if state is not None else ()
    if not applied.sure or (ContactField.EMAIL in changed and "real" in told):
        return _UNKNOWN
    return state


def _bound_to(domain: DomainRecord, contact_id: str) -> dict[ContactRole, str]:
    """The roles of one contact. What others are to the domain says nothing about its object."""
    return {role: bound for role, bound in domain.bindings.items() if bound == contact_id}


def _first(bindings: Mapping[ContactRole, str]) -> ContactRole:
    return next(role for role in ContactRole if role in bindings)


def domain_facts(domain: DomainRecord, bindings: Mapping[ContactRole, str]) -> DomainFacts:
    """What the service is told of a domain, with these bindings of its."""
    return DomainFacts(
        domain.name,
        domain.registered,
        bindings,
        domain.sponsored,
        domain.transferred,
        domain.proxy,
    )


def contact_facts(contact: ContactRecord) -> ContactFacts:
    """What the service is told of a contact: which values there are, and none of them."""
    return ContactFacts(
        contact.id,
        contact.account,
        contact.kind,
        frozenset(contact.values),
        contact.pending,
        contact.postal_types,
        contact.has_personal_data,
        contact.verified,
        contact.in_trade,
    )
