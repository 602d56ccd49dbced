"""What is wrong with profiles although each of their keys is right."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Protocol

from consentsvc.domain.identifiers import SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.facts import Contact, ContactKind, Domain
from consentsvc.domain.publication.profile import Clause, Condition, Profile, Publisher
from consentsvc.domain.scope import ContactId, DomainName, Role
from consentsvc.toml_reading import File, Table

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST = 253


class _Row(Protocol):
    @property
    def clause(self) -> Clause: ...
    @property
    def place(self) -> tuple[str | int, ...]: ...


class _Draft(Protocol):
    @property
    def options(self) -> Mapping[str, bool]: ...
    @property
    def valid_from(self) -> Instant | None: ...
    def profile(self, options: Mapping[str, bool]) -> Profile: ...


def is_suffix(text: str) -> bool:
    """Whether it is one or more A-labels (RFC 5890) in lower case."""
    labels = text.split(".")
    return len(text) <= _LONGEST and all(map(_is_a_label, labels)) and not labels[-1].isdigit()


def _is_a_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if label[2:4] != "--":
        return True
    if not label.startswith("xn--"):
        return False
    try:
        decoded = label[4:].encode().decode("punycode")
        return not decoded.isascii() and decoded.encode("punycode").decode() == label[4:]
    except UnicodeError:
        return False


def refuse_shared_suffixes(
    claims: Iterable[tuple[File, str, Publisher, Sequence[DomainName]]],
) -> None:
    """Reports each suffix that a profile of the same publisher has already."""
    claimed: dict[tuple[Publisher, DomainName], str] = {}
    for file, name, publisher, suffixes in claims:
        for place, suffix in enumerate(suffixes):
            other = claimed.setdefault((publisher, suffix), name)
            if other != name:
                own = file.root.has("suffixes")
                key: tuple[str | int, ...] = ("suffixes", place) if own else ("extends",)
                file.report(key, f"takes {suffix}, which {other} has: one publisher, one profile")


def refuse_clauses_that_never_apply(root: Table, draft: _Draft, rows: Sequence[_Row]) -> None:
    """Reports each clause that decides nothing of anybody at any time, as earlier ones do."""
    alive: set[int] = set()
    for choice in product((True, False), repeat=len(draft.options)):
        profile = draft.profile(dict(zip(draft.options, choice, strict=True)))
        alive |= {id(clause) for clause in _deciding(profile)}
    for row in rows:
        if id(row.clause) not in alive:
            _report(root, row, "never applies: clauses before it decide all of it, or its dates do")


def refuse_overlaps(root: Table, rows: Sequence[_Row]) -> None:
    """Reports dated clauses for the same that are in force at one time: one of them is a slip."""
    for first, second in combinations(rows, 2):
        one, other = first.clause, second.clause
        if (
            one.roles & other.roles
            and one.fields & other.fields
            and one.condition == other.condition
            and _dated(one)
            and _dated(other)
            and _meet(one, other)
        ):
            number = first.place[1]
            _report(root, second, f"is in force while clauses[{number}] is, for the same")


def _report(root: Table, row: _Row, message: str) -> None:
    root.report(message, *row.place)


def _dated(clause: Clause) -> bool:
    return clause.valid_from is not None or clause.valid_to is not None


def _meet(one: Clause, other: Clause) -> bool:
    return (
        one.valid_to is None or other.valid_from is None or other.valid_from < one.valid_to
    ) and (other.valid_to is None or one.valid_from is None or one.valid_from < other.valid_to)


def _deciding(profile: Profile) -> Iterator[Clause]:
    """Every clause that decides a field of some contact at some time."""
    conditions = [one.condition for one in profile.clauses]
    bounds = {one.valid_from for one in profile.clauses} | {one.valid_to for one in profile.clauses}
    start = profile.valid_from or Instant(0)
    times = {start, *(one for one in bounds if one is not None and one > start)}
    came = {Instant(0), *_moments(conditions)}
    for legal, personal, verified, trade in product(
        _values(conditions, "legal"),
        _values(conditions, "has_personal_data"),
        _values(conditions, "verified"),
        _values(conditions, "in_trade"),
    ):
        kind = ContactKind.LEGAL if legal else ContactKind.NATURAL
        contact = Contact(
            ContactId("C"), SubjectId("A"), kind, personal, verified=verified, in_trade=trade
        )
        for role, at, registered in product(Role, times, came):
            domain = Domain(DomainName("example"), registered)
            table = profile.table(role, contact, legal, domain, at, verified=verified)
            yield from table.values()


def _values(conditions: Sequence[Condition], name: str) -> tuple[bool, ...]:
    """Both, if any condition asks about it."""
    asked = any(getattr(one, name) is not None for one in conditions)
    return (False, True) if asked else (False,)


def _moments(conditions: Sequence[Condition]) -> Iterator[Instant]:
    for one in conditions:
        yield from (bound for bound in (one.since, one.before) if bound is not None)
