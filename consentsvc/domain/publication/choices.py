"""What a person said about the publication of their data: the fold, and what follows for a field.

For each reach and field the latest event of each kind is kept: one of them decides, whatever is
asked. Which one is found when it is asked, because a choice at a wider reach, a transfer and the
clock all have their say then.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from consentsvc.domain.catalogue import Purpose
from consentsvc.domain.consent import Standing
from consentsvc.domain.decision import REQUEST_OPEN_FOR
from consentsvc.domain.events import DENIALS, Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.instants import Instant, add, add_months
from consentsvc.domain.scope import EVERY_FIELD, ContactField, Reach, Scope, covering, overlap
from consentsvc.domain.words import Word


class Mark(NamedTuple):
    """What is kept of an event that can still decide. `recorded_at` is its `holds_from`."""

    kind: EventKind
    position: Position
    recorded_at: Instant
    notice: NoticeRef | None = None


class Said(NamedTuple):
    """The latest of each kind for one reach and one field.

    `denied` is a refusal, withdrawal or revocation. `expired` is the event that a consent ran out:
    a no that is not taken back by anything but a new consent. `request_expired`: an event has
    recorded that the request ran out.
    """

    given: Mark | None = None
    denied: Mark | None = None
    expired: Mark | None = None
    request: Mark | None = None
    request_expired: bool = False


Sayings = Mapping[ContactField, Said]
"""What was said at one reach, by the field that was named, which may be `ContactField.ALL`."""

NOTHING_SAID = Said()


def fold(
    sayings: Sayings, event: Event, fields: Iterable[ContactField]
) -> dict[ContactField, Said]:
    """Takes one more event at the same reach into account, for the fields that it names."""
    folded = dict(sayings)
    named = frozenset(fields)
    # What it refers to may have been said of other fields than it names: of all, or of some.
    of_consent = event.refers_to is None or any(
        said.given is not None and said.given.position == event.refers_to
        for said in folded.values()
    )
    for field in named:
        said = _fold(folded.get(field, NOTHING_SAID), event, of_consent=of_consent)
        if said != NOTHING_SAID:
            folded[field] = said
    for field, said in list(folded.items()):
        asked = said.request
        if (
            asked is not None
            and asked.position == event.refers_to
            and (field in named or ContactField.ALL in named)
        ):
            folded[field] = _answered(said, event.kind)
    return folded


def _fold(said: Said, event: Event, *, of_consent: bool) -> Said:
    mark = Mark(event.kind, event.position, event.holds_from, event.notice)
    match event.kind:
        case EventKind.CONSENT_GIVEN:
            return said._replace(given=mark)
        case EventKind.CONSENT_REQUESTED:
            return said._replace(request=mark, request_expired=False)
        case EventKind.CONSENT_EXPIRED if of_consent:
            return said._replace(expired=mark)
        case kind if kind in DENIALS:
            return said._replace(denied=mark)
    return said


def _answered(said: Said, kind: EventKind) -> Said:
    """What is left of a request that an event refers to."""
    match kind:
        case EventKind.CONSENT_GIVEN:
            return said._replace(request=None, request_expired=False)
        case EventKind.CONSENT_EXPIRED:
            return said._replace(request_expired=True)
    return said


class Verdict(Word):
    """Whether a field is consented to, or why not."""

    CONSENT = "consent"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOTICE_SUPERSEDED = "notice_superseded"
    PENDING = "pending"
    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"


class Answer(NamedTuple):
    """What holds for one field, the event that decided, and until when time leaves it so."""

    verdict: Verdict
    position: Position | None = None
    notice: NoticeRef | None = None
    valid_until: Instant | None = None

    @property
    def consented(self) -> bool:
        """Whether it is a yes."""
        return self.verdict is Verdict.CONSENT


_NO = {
    EventKind.CONSENT_REFUSED: Verdict.REFUSED,
    EventKind.CONSENT_WITHDRAWN: Verdict.WITHDRAWN,
    EventKind.CONSENT_REVOKED: Verdict.REVOKED,
    EventKind.CONSENT_EXPIRED: Verdict.EXPIRED,
}
# What is on an enumeration is looked up in Python each time that it is named.
_ALL = ContactField.ALL
_SILENCE = Answer(Verdict.NO_CONSENT)


class Choices(NamedTuple):
    """Everything that one account has said about one purpose, and what stands above it."""

    sayings: Mapping[Reach, Sayings]
    standing: Standing = Standing()
    objection: Position | None = None


SILENT = Choices({})


class Moment(NamedTuple):
    """When a question is asked, by the rules of which purpose.

    `published` holds the versions of notices that were published by then; None stands for all.
    `transferred_at` is when the domain came from another registrar: what was consented to before
    was consented to elsewhere.
    """

    now: Instant
    purpose: Purpose
    published: Container[str] | None = None
    transferred_at: Instant | None = None


class Spoken:
    """What an account has said of one target, for any of its fields.

    All fields but those that are `named` have the answer of `ContactField.ALL`.
    """

    __slots__ = ("_above", "_latest", "_moment", "_sayings", "named")

    def __init__(self, choices: Choices, reaches: Sequence[Reach], moment: Moment) -> None:
        sayings = choices.sayings
        self._above = _above(choices)
        self._sayings = [sayings[one] for one in reaches if one in sayings] if sayings else []
        self._moment = moment
        self._latest: tuple[list[Said], bool, Answer] | None = None
        self.named = frozenset().union(*self._sayings) - EVERY_FIELD

    def answer(self, field: ContactField, heeds_requests: bool = True) -> Answer:
        """Decides one field; it can be told not to heed that the person was asked anew."""
        if self._above is not None:
            return self._above
        if not self._sayings:
            return _SILENCE
        said = [_about(field, sayings) for sayings in self._sayings]
        latest = self._latest
        # Of fields that were named together the very same was said.
        if latest is not None and latest[0] == said and latest[1] is heeds_requests:
            return latest[2]
        found = _answer(said, self._moment, heeds_requests)
        self._latest = said, heeds_requests, found
        return found


def answer(
    choices: Choices, reaches: Sequence[Reach], field: ContactField, moment: Moment
) -> Answer:
    """Decides one field; `reaches` are those that cover the target, the narrowest first."""
    return Spoken(choices, reaches, moment).answer(field)


def _above(choices: Choices) -> Answer | None:
    """What stands above everything that was chosen."""
    standing = choices.standing
    if standing.death is not None:
        return Answer(Verdict.DECEASED, standing.death)
    if standing.restriction is not None:
        return Answer(Verdict.RESTRICTED, standing.restriction)
    if choices.objection is not None:
        return Answer(Verdict.OBJECTED, choices.objection)
    return None


def _answer(said: Sequence[Said], moment: Moment, heeds_requests: bool) -> Answer:
    decided = _by_choice(said, moment)
    if decided.consented or not heeds_requests:
        return decided
    return _by_request(said, decided, moment.now) or decided


def _about(field: ContactField, sayings: Sayings) -> Said:
    """What was said of a field by its name and of all fields, the latest of each kind."""
    by_name, of_all = sayings.get(field), sayings.get(_ALL)
    if by_name is None or of_all is None:
        return by_name or of_all or NOTHING_SAID
    return Said(
        _latest(by_name.given, of_all.given),
        _latest(by_name.denied, of_all.denied),
        _latest(by_name.expired, of_all.expired),
        _latest(by_name.request, of_all.request),
    )


def _latest(*marks: Mark | None) -> Mark | None:
    latest: Mark | None = None
    for mark in marks:
        if mark is not None and (latest is None or mark.position > latest.position):
            latest = mark
    return latest


def _by_choice(said: Sequence[Said], moment: Moment) -> Answer:
    # From wide to narrow, so that each reach knows the latest no at its own and every wider one;
    # the narrowest that has something left to say comes last, and decides.
    decided: Mark | None = None
    denied = START
    for one in reversed(said):
        given, no, expired, _, _ = one
        if no is not None and no.position > denied:
            denied = no.position
        if given is not None and (
            given.position < denied
            or (moment.transferred_at is not None and given.recorded_at < moment.transferred_at)
        ):
            given = None
        decided = _latest(given, no, expired) or decided
    if decided is None:
        return _SILENCE
    if decided.kind is not EventKind.CONSENT_GIVEN:
        return Answer(_NO[decided.kind], decided.position, decided.notice)
    purpose, notice = moment.purpose, decided.notice
    months = purpose.validity_months
    ends = None if months is None else add_months(decided.recorded_at, months)
    if ends is not None and moment.now >= ends:
        return Answer(Verdict.EXPIRED, decided.position, notice)
    if notice is None or purpose.superseded(notice.version, moment.published):
        return Answer(Verdict.NOTICE_SUPERSEDED, decided.position, notice, ends)
    return Answer(Verdict.CONSENT, decided.position, notice, ends)


def _by_request(said: Sequence[Said], decided: Answer, now: Instant) -> Answer | None:
    """What a request says that is later than, and at least as narrow as, what decided."""
    latest: Mark | None = None
    for one in said:
        if one.request is not None and one.request.position > (decided.position or START):
            latest = _latest(latest, one.request)
        if decided.position is not None and decided.position in _positions(one):
            break  # wider requests are less specific than what decided
    if latest is None:
        return None
    ends = add(latest.recorded_at, REQUEST_OPEN_FOR)
    if now >= ends:
        return Answer(Verdict.EXPIRED, latest.position, latest.notice)
    return Answer(Verdict.PENDING, latest.position, latest.notice, ends)


def _positions(said: Said) -> set[Position]:
    return {mark.position for mark in said[:4] if mark is not None}


def denial_changes(
    kind: EventKind, scope: Scope, notice: NoticeRef | None, sayings: Mapping[Reach, Sayings]
) -> bool:
    """Whether a no would change anything: for its own fields, or for what is said inside it.

    It changes nothing only if the very same was the last word on each of the fields at this reach,
    and nobody has consented or been asked since at this reach or inside it.
    """
    here = sayings.get(scope.reach, {})
    oldest: Position | None = None
    for field in scope.fields:
        said = _about(field, here)
        if said.denied is None or said.denied.kind is not kind:
            return True
        if notice is not None and said.denied.notice != notice:
            return True
        if said.expired is not None and said.expired.position > said.denied.position:
            return True
        oldest = min(oldest or said.denied.position, said.denied.position)
    for reach, inside in sayings.items():
        if not (scope.reach.covers(reach) or reach.covers(scope.reach)):
            continue
        for field, said in inside.items():
            if not overlap(scope.fields, {field}):
                continue
            for mark in (said.given, said.request):
                if mark is not None and mark.position > (oldest or START):
                    return True
    return False


def ran_out(
    purpose: Purpose | None, sayings: Mapping[Reach, Sayings], now: Instant
) -> list[tuple[Position, Scope]]:
    """Names consents and requests that have run out by `now` and are not yet marked so.

    Each with its reach and the fields of which it is still the latest word, in the order of their
    positions.
    """
    months = None if purpose is None else purpose.validity_months
    found: dict[tuple[Position, Reach], set[ContactField]] = {}
    for reach in sayings:
        for field, given, request in running(sayings, reach):
            if given is not None and months and now >= add_months(given.recorded_at, months):
                found.setdefault((given.position, reach), set()).add(field)
            if request is not None and now >= add(request.recorded_at, REQUEST_OPEN_FOR):
                found.setdefault((request.position, reach), set()).add(field)
    return [
        (position, Scope(reach, frozenset(fields)))
        for (position, reach), fields in sorted(found.items(), key=lambda one: one[0][0])
    ]


def running(
    sayings: Mapping[Reach, Sayings], reach: Reach
) -> Iterator[tuple[ContactField, Mark | None, Mark | None]]:
    """For each field named at a reach, the consent and the request that time will end.

    That is what no event has ended: neither one that says that it ran out, nor a no. Of `sayings`
    only the reach itself and those that cover it are looked at.
    """
    above = [sayings[one] for one in covering(reach) if one in sayings]
    for field, said in sayings[reach].items():
        given, request = said.given, said.request
        if given is not None and (
            _is_later(said.expired, given)
            or any(_is_later(no, given) for no in _noes(above, field))
        ):
            given = None
        if request is not None and (said.request_expired or _is_later(said.denied, request)):
            request = None
        yield field, given, request


def _noes(above: Sequence[Sayings], field: ContactField) -> Iterator[Mark | None]:
    """What was last refused, withdrawn or revoked of a field, at each of some reaches."""
    for fields in above:
        for spoken in {field, ContactField.ALL} & fields.keys():
            yield fields[spoken].denied


def _is_later(mark: Mark | None, than: Mark) -> bool:
    return mark is not None and mark.position > than.position
