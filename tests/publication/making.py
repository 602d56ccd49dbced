"""Worlds at random: contacts, domains, and a log of what was said."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from consentsvc import profiles as registry_profiles
from consentsvc.cli._cases import PURPOSE
from consentsvc.domain.events import Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant, add, instant
from consentsvc.domain.publication.choices import Choices, Moment, Sayings, fold
from consentsvc.domain.publication.facts import Contact, ContactKind, Domain, Facts
from consentsvc.domain.publication.profile import Profiles
from consentsvc.domain.publication.resolve import Resolution
from consentsvc.domain.publication.wire import Operation
from consentsvc.domain.scope import (
    COMMON_FIELDS,
    EVERY_FIELD,
    ContactField,
    ContactId,
    DomainName,
    Reach,
    Role,
)
from tests.publication.naive import TLDS, Entry

K = EventKind
F = ContactField
START = instant(datetime(2025, 11, 1, tzinfo=UTC))
DATES = {
    "it": instant(datetime(2019, 5, 2, tzinfo=UTC)),
    "de": instant(datetime(2025, 12, 6, tzinfo=UTC)),
}
_VERSION = PURPOSE.current
_NOTICE = _VERSION.notices["en"]
NOTICE = NoticeRef(_NOTICE.version, _NOTICE.locale, _NOTICE.sha256)

ACCOUNTS = [SubjectId("A"), SubjectId("B")]
CONTACTS = [ContactId("C1"), ContactId("C2")]
ALL_FIELDS = [one for one in F if one is not F.ALL]


class World(NamedTuple):
    """Facts, a log, and a question."""

    facts: Facts
    role: Role
    log: tuple[Entry, ...]
    now: Instant


@cache
def profiles() -> Profiles:
    """Those that come with the package, and registries for two gTLDs."""
    more = {
        "hiding.toml": 'extends = "epp-hiding"\nsuffixes = ["org"]',
        "showing.toml": 'extends = "epp-showing"\nsuffixes = ["net"]',
    }
    return registry_profiles.load(more=more)


def choices(log: Sequence[Entry]) -> dict[SubjectId, Choices]:
    """What the program keeps of a log."""
    sayings: dict[SubjectId, dict[Reach, Sayings]] = {}
    for one in log:
        event = Event(
            one.position, one.at, one.kind, PURPOSE.id, None, NOTICE, one.refers_to, None
        )  # fmt: skip
        mine = sayings.setdefault(one.account, {})
        mine[one.reach] = fold(mine.get(one.reach, {}), event, one.fields)
    return {account: Choices(said) for account, said in sayings.items()}


def resolution(
    world: World,
    operation: Operation | None = None,
    said: Mapping[SubjectId, Choices] | None = None,
) -> Resolution:
    """The program's answer, by what the log says unless something else is said."""
    return Resolution(
        profiles(),
        world.facts,
        world.role,
        choices(world.log) if said is None else said,
        Moment(world.now, PURPOSE),
        operation=operation,
    )


def fields(most: int = 4) -> st.SearchStrategy[frozenset[ContactField]]:
    """All, or some: more often those with something in common."""
    some = st.frozensets(st.sampled_from(ALL_FIELDS), min_size=1, max_size=most)
    return st.one_of(st.just(EVERY_FIELD), st.just(EVERY_FIELD), some)


@st.composite
def reaches(draw: st.DrawFn, names: Sequence[DomainName]) -> Reach:
    """Any of the four scopes."""
    depth = draw(st.integers(0, 3))
    if depth == 0:
        return Reach()
    contact = draw(st.sampled_from(CONTACTS))
    if depth == 1:
        return Reach(contact)
    name = draw(st.sampled_from(names))
    return Reach(contact, name, None if depth == 2 else draw(st.sampled_from(Role)))


_GAPS = [timedelta(seconds=1), timedelta(days=1), timedelta(days=10), timedelta(days=30)]
_KINDS = [
    K.CONSENT_GIVEN, K.CONSENT_GIVEN, K.CONSENT_GIVEN, K.CONSENT_REFUSED, K.CONSENT_WITHDRAWN,
    K.CONSENT_REVOKED, K.CONSENT_REQUESTED, K.CONSENT_EXPIRED,
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn, names: Sequence[DomainName], most: int = 8) -> tuple[Entry, ...]:
    """What was said, with confirmations and endings of what was there."""
    at = START
    log: list[Entry] = []
    for number in range(1, draw(st.integers(0, most)) + 1):
        at = add(at, draw(st.sampled_from(_GAPS)))
        kind = draw(st.sampled_from(_KINDS))
        account = draw(st.sampled_from(ACCOUNTS[:1] * 3 + ACCOUNTS))
        reach, named = draw(reaches(names)), draw(fields())
        refers_to = None
        ended = [one for one in log if one.kind in {K.CONSENT_GIVEN, K.CONSENT_REQUESTED}]
        asked = [one for one in log if one.kind is K.CONSENT_REQUESTED]
        if kind is K.CONSENT_EXPIRED:
            if not ended:
                continue
            about = draw(st.sampled_from(_latest(ended)))
            _, _, _, account, reach, named, _ = about
            refers_to = about.position
        elif kind is K.CONSENT_GIVEN and asked and draw(st.booleans()):
            about = draw(st.sampled_from(_latest(asked)))
            _, _, _, account, reach, named, _ = about
            refers_to = about.position
        log.append(Entry(Position(number), at, kind, account, reach, named, refers_to))
    return tuple(log)


def _latest(entries: Sequence[Entry]) -> list[Entry]:
    """Those that no later one of their kind has replaced: an ending is of what still stands."""
    return [
        one
        for place, one in enumerate(entries)
        if not any(
            later.kind is one.kind and later.account == one.account and later.reach == one.reach
            for later in entries[place + 1 :]
        )
    ]


@st.composite
def contacts(draw: st.DrawFn, contact_id: ContactId, account: SubjectId) -> Contact:
    """A contact that holds much, or little."""
    held = draw(
        st.one_of(
            st.just(frozenset(ALL_FIELDS)),
            st.just(frozenset(COMMON_FIELDS)),
            st.frozensets(st.sampled_from(ALL_FIELDS)),
        )
    )
    pending = draw(st.frozensets(st.sampled_from(ALL_FIELDS), max_size=2))
    return Contact(
        contact_id,
        account,
        draw(st.sampled_from([*ContactKind, ContactKind.NATURAL])),
        draw(st.booleans()),
        held,
        pending if draw(st.integers(0, 3)) == 0 else frozenset(),
        frozenset(),
        draw(st.booleans()),
        draw(st.integers(0, 4)) == 0,
    )


@st.composite
def domains(draw: st.DrawFn, name: DomainName) -> Domain:
    """A domain, mostly with us and without a proxy, with its registrant and maybe others."""
    registered = draw(st.sampled_from([Instant(DATES["it"] - 1), DATES["it"], START]))
    transferred = draw(
        st.sampled_from([None, None, DATES["it"], add(START, timedelta(days=15))])
    )  # fmt: skip
    bound = {Role.REGISTRANT: draw(st.sampled_from(CONTACTS))}
    for role in (Role.TECH, Role.ADMIN):
        if draw(st.integers(0, 2)) == 0:
            bound[role] = draw(st.sampled_from(CONTACTS))
    return Domain(
        name,
        registered,
        transferred,
        draw(st.integers(0, 9)) > 0,
        draw(st.integers(0, 9)) == 0,
        bound,
    )


@st.composite
def worlds(draw: st.DrawFn, tlds: Sequence[str] = TLDS, most: int = 8) -> World:
    """A domain, another one that is mostly of the same registry, and what was said."""
    tld = draw(st.sampled_from(tlds))
    names = [DomainName(f"a.{tld}")]
    if draw(st.booleans()):
        names.append(DomainName(f"b.{draw(st.sampled_from([tld, tld, 'com']))}"))
    found = [draw(domains(name)) for name in names]
    accounts = [ACCOUNTS[0], draw(st.sampled_from(ACCOUNTS))]
    people = {
        one: draw(contacts(one, account)) for one, account in zip(CONTACTS, accounts, strict=True)
    }
    log = draw(logs(names, most))
    end = log[-1].at if log else START
    now = add(end, draw(st.sampled_from([timedelta(0), *_GAPS])))
    role = draw(st.sampled_from(list(found[0].bindings)))
    return World(Facts(found[0], people, tuple(found[1:])), role, log, now)
