"""What the rules and somebody's word make of the fields of a contact, in one use of it.

Whose contact it is, and when it was said, does not matter here. What does matter differs little
from contact to contact, so each decision is made once and then shared. Every function here sees
its arguments and nothing else, and its arguments are the key by which it is found again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from consentsvc.domain.events import NoticeRef
from consentsvc.domain.identifiers import Position
from consentsvc.domain.publication.choices import Verdict
from consentsvc.domain.publication.profile import NO_TABLE, Clause, Control, Instead, Rule, Table
from consentsvc.domain.scope import ContactField
from consentsvc.domain.words import Word


class Outcome(Word):
    """What the public sees of a field."""

    PUBLISH = "publish"
    REDACT = "redact"
    REPLACE = "replace"
    PROXY = "proxy"
    ABSENT = "absent"
    NOT_OUTPUT = "not_output"


class Reason(Word):
    """Why the public sees it."""

    CONSENT = "consent"
    MANDATORY = "mandatory"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    PENDING = "pending"
    NOTICE_SUPERSEDED = "notice_superseded"
    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    DATA_CHANGE_PENDING = "data_change_pending"
    COARSE_CAPABILITY = "coarse_capability"
    SHARED_HANDLE = "shared_handle"
    NEVER = "never"
    NOT_SPONSORED = "not_sponsored"
    UNKNOWN_PROFILE = "unknown_profile"
    PROXY_ACTIVE = "proxy_active"
    NO_DATA = "no_data"
    ROLE_NOT_OUTPUT = "role_not_output"


Heard: TypeAlias = tuple[Rule, ContactField, Verdict, NoticeRef | None]
"""What was heard of a field under a rule that asks, but for when it was said.

That of `ContactField.ALL` holds for every field of which nothing else was heard.
"""

NOTHING_HEARD = 0
"""The place of what decides where nobody's word does; the first that was heard has place 1."""


class Kind(NamedTuple):
    """What the public sees of a field, why, who decides, and the place of what decided it."""

    outcome: Outcome
    reason: Reason
    control: Control | None = None
    notice: NoticeRef | None = None
    place: int = NOTHING_HEARD

    @property
    def published(self) -> bool:
        """Whether the public sees the value."""
        return self.outcome is Outcome.PUBLISH


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Every field in its order, by the rules of a table.

    `used` are the places of what decided them, each once, and `by_field` takes from a list of what
    is at each place what belongs to each field. Two are the same only if they are one: comparing
    all that is in them would cost more than it saves.
    """

    table: Table
    kinds: Mapping[ContactField, Kind]
    used: tuple[int, ...]
    by_field: Callable[[Sequence[Position]], Sequence[Position]]


class Asking(NamedTuple):
    """Fields that hold a value and wait for somebody's word under one rule.

    `heeds_requests`: that the person was asked anew counts, too. An objection stands all the same.
    """

    rule: Rule
    fields: tuple[ContactField, ...]
    heeds_requests: bool


_ABSENT = Kind(Outcome.ABSENT, Reason.NO_DATA)
_NOT_OUTPUT = Kind(Outcome.NOT_OUTPUT, Reason.ROLE_NOT_OUTPUT)
_WITHOUT_VALUE = frozenset({Outcome.ABSENT, Outcome.NOT_OUTPUT})
_SHOWABLE = frozenset({Outcome.PUBLISH, *_WITHOUT_VALUE})
_NOT_KEPT_BACK = frozenset({Outcome.PUBLISH, Outcome.ABSENT})
_INSTEAD = {Instead.REDACT: Outcome.REDACT, Instead.REPLACE: Outcome.REPLACE}
_REASONS = {one: Reason[one.name] for one in Verdict}
_SWITCHED = frozenset({Rule.OPT_IN, Rule.OPT_OUT})

# A no of the person's own, or one that stands above their choices; what merely lapsed is no
# objection to a field that is published unless somebody objects.
_OBJECTIONS = frozenset(
    {
        Verdict.REFUSED,
        Verdict.WITHDRAWN,
        Verdict.REVOKED,
        Verdict.DECEASED,
        Verdict.RESTRICTED,
        Verdict.OBJECTED,
    }
)

# Contacts fall into some dozens of kinds, and what people say of them into a few more.
_KEPT = 4_096


@lru_cache(maxsize=_KEPT)
def asking(table: Table, filled: frozenset[ContactField], *, proxy: bool) -> tuple[Asking, ...]:
    """The fields of which somebody has a say, by the rule under which they are asked."""
    found: dict[Rule, list[ContactField]] = {}
    for one in () if proxy else _fields(table, filled):
        clause = table.get(one)
        if clause is not None and one in filled and clause.rule in _SWITCHED:
            found.setdefault(clause.rule, []).append(one)
    return tuple(Asking(rule, tuple(fields), rule is Rule.OPT_IN) for rule, fields in found.items())


@lru_cache(maxsize=_KEPT)
def unruled(filled: frozenset[ContactField], reason: Reason) -> Decided:
    """Nothing is published, for a reason that stands before every rule."""
    kind = Kind(Outcome.REDACT, reason)
    return _decided(NO_TABLE, dict.fromkeys(_fields(NO_TABLE, filled), kind))


@lru_cache(maxsize=_KEPT)
def decided(
    table: Table,
    filled: frozenset[ContactField],
    pending: frozenset[ContactField],
    heard: tuple[Heard, ...],
    *,
    proxy: bool,
) -> Decided:
    """What each field is by itself.

    Of each rule that is `asking`, something was heard for `ContactField.ALL`.
    """
    kinds: dict[ContactField, Kind] = {}
    by_field = {one[:2]: (place, one) for place, one in enumerate(heard, 1)}
    for one in _fields(table, filled):
        clause = table.get(one)
        if clause is None:
            kinds[one] = _NOT_OUTPUT
        elif proxy:
            kinds[one] = Kind(Outcome.PROXY, Reason.PROXY_ACTIVE, clause.control)
        elif one not in filled:
            kinds[one] = _ABSENT
        elif clause.rule is Rule.ALWAYS:
            kinds[one] = _mandatory(clause)
        elif clause.rule is Rule.NEVER:
            kinds[one] = Kind(_INSTEAD[clause.instead], Reason.NEVER, clause.control)
        else:
            of_all = by_field[clause.rule, ContactField.ALL]
            place, said = by_field.get((clause.rule, one), of_all)
            decide = _opt_in if clause.rule is Rule.OPT_IN else _opt_out
            kinds[one] = decide(clause, said, place, pending=one in pending)
    return _decided(table, kinds)


@lru_cache(maxsize=_KEPT)
def together(one: Decided, others: tuple[Decided, ...]) -> Decided:
    """The same, where fields that share a switch are published together or not at all.

    `others` have the switch, too.
    """
    kinds = dict(one.kinds)
    for group, fields in one.table.groups.items():
        outcomes = {
            each.kinds[field].outcome
            for each in (one, *others)
            for field in each.table.groups.get(group, ())
        }
        if not outcomes <= _NOT_KEPT_BACK:
            for field in fields:
                if kinds[field].published:
                    kinds[field] = kinds[field]._replace(
                        outcome=Outcome.REDACT, reason=Reason.COARSE_CAPABILITY
                    )
    return _decided(one.table, kinds)


@lru_cache(maxsize=_KEPT)
def shared(one: Decided, elsewhere: frozenset[Decided]) -> Decided:
    """The same, where what another use of the contact object does not publish is held back."""
    kinds = dict(one.kinds)
    for field, clause in one.table.items():
        if (
            clause.rule in _SWITCHED
            and field in kinds
            and kinds[field].published
            and not _outcomes(elsewhere, field) <= {Outcome.PUBLISH}
        ):
            kinds[field] = kinds[field]._replace(
                outcome=_INSTEAD[clause.instead], reason=Reason.SHARED_HANDLE
            )
    return _decided(one.table, kinds)


def may_show(one: Decided, elsewhere: frozenset[Decided], fields: Collection[ContactField]) -> bool:
    """Whether a switch for these fields may be on: all that hold a value are published.

    A switch of the contact object is the same for every use of it, so that what one use holds
    back is not shown for another, whichever of them is asked about.
    """
    here = {field: one.kinds.get(field, _ABSENT).outcome for field in fields}
    outcomes = set(here.values())
    if not outcomes <= _SHOWABLE:
        return False
    for field, outcome in here.items():
        everywhere = {outcome} | _outcomes(elsewhere, field)
        if everywhere != {Outcome.PUBLISH} and not everywhere <= _WITHOUT_VALUE:
            return False
    return Outcome.PUBLISH in outcomes


def all_published(kinds: Iterable[Kind]) -> bool:
    """Whether there is something to publish, and nothing is held back."""
    return {one.outcome for one in kinds} - _WITHOUT_VALUE == {Outcome.PUBLISH}


def _decided(table: Table, kinds: Mapping[ContactField, Kind]) -> Decided:
    places = [one.place for one in kinds.values()]
    return Decided(table, kinds, tuple(sorted({*places} - {NOTHING_HEARD})), itemgetter(*places))


def _fields(table: Table, filled: frozenset[ContactField]) -> Sequence[ContactField]:
    """What the profile outputs, and what else the contact holds."""
    more = filled.difference(table.order)
    return (*table.order, *sorted(more, key=lambda one: one.value))


def _outcomes(elsewhere: frozenset[Decided], field: ContactField) -> set[Outcome]:
    return {one.kinds[field].outcome for one in elsewhere if field in one.kinds}


def _mandatory(clause: Clause) -> Kind:
    return Kind(Outcome.PUBLISH, Reason.MANDATORY, clause.control)


def _withheld(clause: Clause, reason: Reason, notice: NoticeRef | None, place: int) -> Kind:
    return Kind(_INSTEAD[clause.instead], reason, clause.control, notice, place)


def _opt_in(clause: Clause, said: Heard, place: int, *, pending: bool) -> Kind:
    """What a field is that needs a consent."""
    _, _, verdict, notice = said
    if verdict is not Verdict.CONSENT:
        return _withheld(clause, _REASONS[verdict], notice, place)
    if pending:
        return _withheld(clause, Reason.DATA_CHANGE_PENDING, notice, place)
    return Kind(Outcome.PUBLISH, Reason.CONSENT, clause.control, notice, place)


def _opt_out(clause: Clause, said: Heard, place: int, *, pending: bool) -> Kind:
    """What a field is that is published unless somebody objects."""
    _, _, verdict, notice = said
    if verdict in _OBJECTIONS:
        return _withheld(clause, _REASONS[verdict], notice, place)
    if verdict is Verdict.CONSENT and not pending:
        return _opt_in(clause, said, place, pending=False)
    return _mandatory(clause)
