"""The rules of the design once more, told as naively as possible: a list, and loops over it.

Shares no line with `consentsvc.domain`, so that a mistake would have to be made twice.
"""

import calendar
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THIRTY_DAYS = 30 * 24 * 60 * 60 * 1_000_000

NOES = {
    "consent_refused": "REFUSED",
    "consent_withdrawn": "WITHDRAWN",
    "consent_revoked": "REVOKED",
}
VOIDS = {*NOES, "objection_raised"}


class Answer(NamedTuple):
    """A decision: why, by which event, on which version of the notice, and until when."""

    reason: str
    position: int | None = None
    version: str | None = None
    until: int | None = None

    @property
    def permitted(self) -> bool:
        """Whether it is a yes."""
        return self.reason in {"CONSENT_GIVEN", "NOT_OBJECTED"}


@dataclass(frozen=True)
class Happened:
    """An event: its place is its place in the list, counted from 1.

    An objection that came by a signal is of the kind `signal` here.
    """

    at: int
    kind: str
    subject: str | None = None
    purpose: str | None = None
    version: str | None = None
    refers_to: int | None = None


@dataclass
class Rules:
    """What the catalogue says of a purpose. `versions` says of each whether it asks again."""

    opt_out: bool = False
    months: int | None = None
    confirmed: bool = False
    versions: dict[str, bool] = field(default_factory=lambda: {"1": False})


class NaiveLog:
    """Everything that happened, and what follows from it."""

    def __init__(self, rules: dict[str, Rules]) -> None:
        self.rules = deepcopy(rules)
        self.happened: list[Happened] = []

    def now(self, clock: int) -> int:
        """The time that an event gets: the clock's, but never before the last one's."""
        return max(clock, self.happened[-1].at if self.happened else 0)

    def add(self, event: Happened) -> int:
        """Appends an event and tells its position."""
        self.happened.append(event)
        return len(self.happened)

    def numbered(self) -> Iterable[tuple[int, Happened]]:
        """The events with their positions."""
        return enumerate(self.happened, start=1)

    def of(
        self, subject: str, purpose: str, as_of: int | None = None
    ) -> list[tuple[int, Happened]]:
        """The events that concern a subject and a purpose, up to a moment."""
        return [
            (position, event)
            for position, event in self.numbered()
            if event.subject == subject
            and event.purpose in {None, purpose}
            and (as_of is None or event.at <= as_of)
        ]

    def choice(self, events: list[tuple[int, Happened]]) -> tuple[int, Happened] | None:
        """The latest choice."""
        chosen = [one for one in events if one[1].kind in {"consent_given", *NOES}]
        return chosen[-1] if chosen else None

    def request(self, events: list[tuple[int, Happened]]) -> tuple[int, Happened] | None:
        """The latest request, if nothing since has settled it."""
        found = None
        for one in events:
            if one[1].kind == "consent_requested":
                found = one
            elif one[1].kind in {"consent_given", *VOIDS}:
                found = None
        return found

    def answer(self, subject: str, purpose: str, now: int, as_of: int | None = None) -> Answer:
        """The table of the design, from top to bottom."""
        events = self.of(subject, purpose, as_of)
        deaths = [position for position, event in events if event.kind == "death_reported"]
        if deaths:
            return Answer("DECEASED", deaths[0])
        restricted = None
        for position, event in events:
            if event.kind == "processing_restricted":
                restricted = position
            if event.kind == "restriction_lifted":
                restricted = None
        if restricted is not None:
            return Answer("RESTRICTED", restricted)
        objected = self.objection(events)
        if objected is not None:
            return Answer("OBJECTED", objected[0])
        by_choice = self._by_choice(purpose, events, now, as_of)
        request = self.request(events)
        if by_choice.permitted or request is None:
            return by_choice
        position, event = request
        if self.ran_out(purpose, events, request, now):
            return Answer("EXPIRED", position, event.version)
        return Answer("PENDING_CONFIRMATION", position, event.version, event.at + THIRTY_DAYS)

    def _by_choice(
        self, purpose: str, events: list[tuple[int, Happened]], now: int, as_of: int | None
    ) -> Answer:
        rules = self.rules[purpose]
        choice = self.choice(events)
        if choice is None:
            return Answer("NOT_OBJECTED" if rules.opt_out else "NEVER_ASKED")
        position, event = choice
        if event.kind in NOES:
            return Answer(NOES[event.kind], position, event.version)
        if self.ran_out(purpose, events, choice, now):
            return Answer("EXPIRED", position, event.version)
        if self._superseded(purpose, event, as_of):
            ends = self._ends(purpose, event)
            return Answer("NOTICE_SUPERSEDED", position, event.version, ends)
        return Answer("CONSENT_GIVEN", position, event.version, self._ends(purpose, event))

    def _superseded(self, purpose: str, given: Happened, as_of: int | None) -> bool:
        later = False
        for version, asks_again in self.rules[purpose].versions.items():
            published = as_of is None or any(
                event.kind == "notice_published"
                and (event.purpose, event.version) == (purpose, version)
                and event.at <= as_of
                for event in self.happened
            )
            if later and asks_again and published:
                return True
            later = later or version == given.version
        return False

    def _ends(self, purpose: str, event: Happened) -> int | None:
        if event.kind == "consent_requested":
            return event.at + THIRTY_DAYS
        months = self.rules[purpose].months
        return None if months is None else months_later(event.at, months)

    def ran_out(
        self,
        purpose: str,
        events: list[tuple[int, Happened]],
        one: tuple[int, Happened],
        now: int,
    ) -> bool:
        """Whether a consent or request is over, by the clock or because an event says so."""
        marked = any(
            event.kind == "consent_expired" and event.refers_to == one[0] for _, event in events
        )
        ends = self._ends(purpose, one[1])
        return marked or (ends is not None and now >= ends)

    def running_out(self, now: int) -> set[tuple[str, str, int]]:
        """What is over at a moment and not marked so: subject, purpose and position of each."""
        found = set()
        for subject in {event.subject for event in self.happened if event.subject}:
            for purpose in self.rules:
                events = self.of(subject, purpose)
                marked = {event.refers_to for _, event in events}
                for one in (self.choice(events), self.request(events)):
                    if one is None or one[0] in marked or one[1].kind in NOES:
                        continue
                    if self.ran_out(purpose, events, one, now):
                        found.add((subject, purpose, one[0]))
        return found

    def spent(self, subject: str, purpose: str, request: int, now: int) -> str | None:
        """Why a confirmation link no longer works, None if it does."""
        asked = self.happened[request - 1]
        for position, event in self.of(subject, purpose):
            if position > request:
                if event.kind == "consent_given" and event.refers_to == request:
                    return "CONFIRMATION_USED"
                if event.kind in VOIDS:
                    return "CONFIRMATION_VOID"
        replaced = self._superseded(purpose, asked, None)
        if replaced and self.counts_since(subject, purpose, request, now):
            return "CONFIRMATION_VOID"
        return "CONFIRMATION_EXPIRED" if now >= asked.at + THIRTY_DAYS else None

    def counts_since(self, subject: str, purpose: str, request: int, now: int) -> bool:
        """Whether a consent since a request is a yes, but for what stands above it."""
        events = self.of(subject, purpose)
        choice = self.choice(events)
        return (
            choice is not None
            and choice[0] > request
            and choice[1].kind == "consent_given"
            and not self.ran_out(purpose, events, choice, now)
            and not self._superseded(purpose, choice[1], None)
        )

    def kind_of(  # noqa: PLR0911 - one for each action
        self, subject: str, purpose: str, action: str, version: str | None, by_subject: bool
    ) -> str | None:
        """Which event a change becomes; None if it changes nothing."""
        events = self.of(subject, purpose)
        choice, asked = self.choice(events), self.request(events) is not None
        objected = self.objection(events) is not None
        match action:
            case "give" if not by_subject or self.rules[purpose].confirmed:
                return "consent_requested"
            case "give":
                return "consent_given"
            case "request":
                return "consent_requested"
            case "refuse" | "withdraw":
                kind = "consent_refused" if action == "refuse" else "consent_withdrawn"
                said = choice is not None and choice[1].kind == kind
                same = action == "withdraw" or (choice and choice[1].version == version)
                return None if said and same and not asked else kind
            case "object":
                last = [e.kind for _, e in events if e.purpose is not None][-1:]
                return None if objected and last == ["objection_raised"] else "objection_raised"
            case "signal":
                return "signal" if self.heeded(purpose, events) else None
            case _:
                return "objection_withdrawn" if objected else None

    def heeded(self, purpose: str, events: list[tuple[int, Happened]]) -> bool:
        """Whether a signal objects: the person has said nothing that it gives way to."""
        words = [e.kind for _, e in events if e.kind.startswith("objection_")]
        choice = self.choice(events)
        given = choice is not None and choice[1].kind == "consent_given"
        said = self.objection(events) or given or words[-1:] == ["objection_withdrawn"]
        return self.rules[purpose].opt_out and not said

    def objection(self, events: list[tuple[int, Happened]]) -> tuple[int, Happened] | None:
        """The objection that stands; one that is a signal gives way to a consent."""
        stands = None
        for one in events:
            kind = one[1].kind
            if kind == "objection_raised" or (kind == "signal" and stands is None):
                stands = one
            elif kind == "objection_withdrawn" or (
                kind == "consent_given" and stands is not None and stands[1].kind == "signal"
            ):
                stands = None
        return stands


def months_later(at: int, months: int) -> int:
    """The same time of day so many calendar months later, on the last day if there is no other."""
    moment = EPOCH + at * MICROSECOND
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return (moment.replace(year=year, month=month, day=day) - EPOCH) // MICROSECOND
