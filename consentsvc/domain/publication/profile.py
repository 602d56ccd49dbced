"""A registry's rules as data: who may publish what, and which switch it has.

A profile is a list of clauses, and for each field the first that fits decides. Clauses have dates,
so that what was right last year can still be told. `consentsvc.profiles` reads profiles from files
and answers for what is promised here of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.facts import Contact, Domain
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, DomainName, Role
from consentsvc.domain.words import Word


class Rule(Word):
    """What holds for a field before anybody is asked, and whose word counts."""

    ALWAYS = "always"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    NEVER = "never"


class Control(Word):
    """Who decides what the public sees."""

    OURS = "ours"
    REGISTRY_KNOB = "registry_knob"
    REGISTRY_FIXED = "registry_fixed"


class Instead(Word):
    """What the public sees where a value is not published."""

    REDACT = "redact"
    REPLACE = "replace"


class Switch(Word):
    """What the registry's switch belongs to."""

    NONE = "none"
    CONTACT = "contact"
    DOMAIN = "domain"


class Publisher(Word):
    """Who shows the data: the registrar in its own RDAP, or the registry."""

    REGISTRAR = "registrar"
    REGISTRY = "registry"


class Case(NamedTuple):
    """What conditions are about: a contact as the registry has it, and when its domain came there.

    That is the moment of registration, or of a later transfer.
    """

    legal: bool
    has_personal_data: bool
    verified: bool
    in_trade: bool
    came: Instant


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be so for a clause to fit; None asks nothing.

    `since` and `before` are about the moment at which the domain came.
    """

    legal: bool | None = None
    has_personal_data: bool | None = None
    verified: bool | None = None
    in_trade: bool | None = None
    since: Instant | None = None
    before: Instant | None = None

    def fits(self, case: Case) -> bool:
        """Whether it is so."""
        return (
            (self.legal is None or self.legal is case.legal)
            and (self.has_personal_data is None or self.has_personal_data is case.has_personal_data)
            and (self.verified is None or self.verified is case.verified)
            and (self.in_trade is None or self.in_trade is case.in_trade)
            and (self.since is None or case.came >= self.since)
            and (self.before is None or case.came < self.before)
        )


@dataclass(frozen=True, slots=True)
class Clause:
    """One row of the rules: for these fields in these roles, on this condition, at these times.

    Fields of one `group` are published together or not at all. From `valid_from` (inclusive) to
    `valid_to` (exclusive).
    """

    roles: frozenset[Role]
    fields: frozenset[ContactField]
    rule: Rule
    control: Control
    instead: Instead = Instead.REDACT
    group: str | None = None
    condition: Condition = Condition()
    valid_from: Instant | None = None
    valid_to: Instant | None = None

    def valid(self, at: Instant) -> bool:
        """Whether it is in force at a moment."""
        return (self.valid_from is None or at >= self.valid_from) and (
            self.valid_to is None or at < self.valid_to
        )


class Table(dict[ContactField, Clause]):
    """The clause that decides each field; a field that is not in it is not part of the output.

    `order` are the fields to tell of: the common ones, and what else the registry outputs. `groups`
    are the switches, each with the fields that share it. There is one of each, so it is told from
    others by what it is.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, clauses: Mapping[ContactField, Clause]) -> None:
        super().__init__(clauses)
        rare = sorted(self.keys() - COMMON_FIELDS, key=lambda one: one.value)
        self.order = (*COMMON_FIELDS, *rare)
        groups: dict[str, list[ContactField]] = {}
        for one, clause in clauses.items():
            if clause.group is not None:
                groups.setdefault(clause.group, []).append(one)
        self.groups = {group: tuple(fields) for group, fields in groups.items()}


NO_TABLE = Table({})
"""Nothing is output."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """How a wish is told to the registry, and for an EPP `disclose` what the server does by itself.

    `name` is one of `encode.ENCODERS`. `shows` is what the server does with an element that nobody
    mentioned: True shows it. A profile whose registry's default is not known says True: then every
    element that may not be shown is named, and none is shown by mistake. `forced` names elements
    that must be listed on update while the person is not verified.
    """

    name: str = "none"
    shows: bool = False
    forced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one registry, in one version.

    `own_registry` says that each of its suffixes is a registry of its own, with contact objects of
    its own. `kind_by_registrant`: what the registrant is before the law holds for every contact.
    `offers` are the roles whose contacts are offered a consent. `unverified` says in words what
    could not be verified, and took the closed reading.
    """

    id: str
    version: str
    registry: str
    suffixes: frozenset[DomainName]
    publisher: Publisher
    switch: Switch
    clauses: tuple[Clause, ...]
    encoder: Encoder = Encoder()
    offers: frozenset[Role] = frozenset(Role)
    proxy_allowed: bool = False
    kind_by_registrant: bool = False
    own_registry: bool = False
    valid_from: Instant | None = None
    unverified: tuple[str, ...] = ()
    elements: Mapping[str, frozenset[ContactField]] = field(init=False, repr=False)
    _bounds: tuple[Instant, ...] = field(init=False, repr=False)
    _arrivals: tuple[Instant, ...] = field(init=False, repr=False)

    # There is one of each, and hashing all of its clauses would cost more than any key saves.
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        groups: dict[str, frozenset[ContactField]] = {}
        for one in self.clauses:
            if one.group is not None:
                groups[one.group] = groups.get(one.group, frozenset()) | one.fields
        object.__setattr__(self, "elements", groups)
        clauses = self.clauses
        bounds = _bounds(bound for one in clauses for bound in (one.valid_from, one.valid_to))
        object.__setattr__(self, "_bounds", bounds)
        conditions = [one.condition for one in clauses]
        arrivals = _bounds(bound for one in conditions for bound in (one.since, one.before))
        object.__setattr__(self, "_arrivals", arrivals)

    def began(self, at: Instant) -> bool:
        """Whether the rules were known to hold at a moment."""
        return self.valid_from is None or at >= self.valid_from

    def table(
        self,
        role: Role,
        contact: Contact,
        legal: bool,
        domain: Domain,
        at: Instant,
        *,
        verified: bool,
    ) -> Table:
        """The clause that decides each field of a contact in a role of a domain."""
        came = domain.registered_at
        if domain.transferred_at is not None and domain.transferred_at > came:
            came = domain.transferred_at
        return _table(
            self,
            role,
            legal,
            contact.has_personal_data,
            verified,
            contact.in_trade,
            _period(self._arrivals, came),
            _period(self._bounds, at),
        )

    def next_change(self, at: Instant) -> Instant | None:
        """The first moment after `at` at which a clause begins or ends."""
        place = bisect_right(self._bounds, at)
        return self._bounds[place] if place < len(self._bounds) else None


_EVER = Instant(-(2**63))


def _bounds(bounds: Iterable[Instant | None]) -> tuple[Instant, ...]:
    return (_EVER, *sorted({one for one in bounds if one is not None}))


def _period(bounds: tuple[Instant, ...], at: Instant) -> Instant:
    """The beginning of the period that a moment is in: to the rules they are the same."""
    return bounds[bisect_right(bounds, at) - 1]


# A registry's contacts fall into a handful of cases, and many of these have one table.
@lru_cache(maxsize=4_096)
def _table(  # noqa: PLR0917 - the key by which it is found
    profile: Profile,
    role: Role,
    legal: bool,
    has_personal_data: bool,
    verified: bool,
    in_trade: bool,
    came: Instant,
    at: Instant,
) -> Table:
    case = Case(legal, has_personal_data, verified, in_trade, came)
    fitting = tuple(
        index
        for index, clause in enumerate(profile.clauses)
        if role in clause.roles and clause.valid(at) and clause.condition.fits(case)
    )
    return _first_of_each(profile, fitting)


@lru_cache(maxsize=4_096)
def _first_of_each(profile: Profile, fitting: tuple[int, ...]) -> Table:
    table: dict[ContactField, Clause] = {}
    for index in fitting:
        clause = profile.clauses[index]
        for one in clause.fields:
            table.setdefault(one, clause)
    return Table(table)


class Found(NamedTuple):
    """A profile, and the suffix by which it was found."""

    profile: Profile
    suffix: DomainName

    @property
    def registry(self) -> tuple[str, DomainName | None]:
        """Two domains with the same share one registry, and its contact objects."""
        return self.profile.id, self.suffix if self.profile.own_registry else None


class Profiles:
    """All profiles, found by the longest suffix of a domain's name."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.all = tuple(profiles)
        self._by_suffix: dict[DomainName, dict[Publisher | None, Found]] = {}
        for wanted in (Publisher.REGISTRAR, Publisher.REGISTRY):
            for one in self.all:
                if one.publisher is wanted:
                    for suffix in one.suffixes:
                        found = self._by_suffix.setdefault(suffix, {})
                        found[wanted] = found[None] = Found(one, suffix)

    def find(
        self, name: DomainName, at: Instant, publisher: Publisher | None = None
    ) -> Found | None:
        """The profile in force for a domain; None if nobody knows what holds for it.

        Without a publisher it is the registry's where it has one, and else the registrar's.
        """
        suffix = name
        while suffix:
            by_publisher = self._by_suffix.get(suffix)
            if by_publisher is not None:
                found = by_publisher.get(publisher)
                if found is not None:
                    return found if found.profile.began(at) else None
            suffix = DomainName(suffix.partition(".")[2])
        return None

    def offers(self, name: DomainName, role: Role, at: Instant) -> bool:
        """Whether anybody who publishes the domain offers a consent to contacts in a role.

        Where nobody knows what holds, nothing speaks against it: such a consent publishes nothing.
        """
        found = [self.find(name, at, publisher) for publisher in Publisher]
        known = [one.profile for one in found if one is not None]
        return not known or any(role in one.offers for one in known)
