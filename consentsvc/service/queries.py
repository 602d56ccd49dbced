"""Answers: may we do this for this person?"""

from collections.abc import Container, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.consent import NOTHING_KNOWN, NOTHING_STANDS, Consent, Standing
from consentsvc.domain.decision import Decision, decide
from consentsvc.domain.errors import InvalidRequest, NoticeNotPublished, PositionUnknown
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.publication import choices, listing
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach, Scope
from consentsvc.service.links import Links
from consentsvc.service.ports import (
    Clock,
    EventStore,
    History,
    Published,
    Question,
    Record,
    Stretch,
)

# Longer than any commit takes, unless the disk has failed.
_SETTLING = timedelta(minutes=1)


class Consistency(NamedTuple):
    """How fresh, or how old, an answer must be; with neither, the head at this moment."""

    at_least: Position | None = None
    as_of: Instant | None = None


LATEST = Consistency()


class Checked(NamedTuple):
    """One list of decisions for each question, all made at one position.

    `tokens` are withdrawal tokens, one for each decision that permits, None for the rest; the
    lists are empty unless tokens were asked for.
    """

    read_at: Position
    decisions: list[list[Decision]]
    tokens: list[list[str | None]]


class Entry(NamedTuple):
    """A consent, and the decision that follows from it now."""

    purpose: PurposeId
    consent: Consent
    decision: Decision
    scope: Scope | None = None


class Choices(NamedTuple):
    """Everything that a subject's panel shows."""

    read_at: Position
    standing: Standing
    entries: list[Entry]


class Queries:
    """Reads the log and decides. Nothing here changes a consent."""

    def __init__(self, store: EventStore, catalogue: Catalogue, links: Links, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._links = links
        self._clock = clock

    async def check(
        self,
        questions: Sequence[Question],
        consistency: Consistency = LATEST,
        *,
        with_tokens: bool = False,
    ) -> Checked:
        """Decides every question, all at one position of the log."""
        purposes = [self._catalogue.undivided(question.purpose) for question in questions]
        published = await published_by(consistency.as_of, self._store, self._clock)
        records = await self._store.records(questions, consistency.as_of)
        refuse_stale(records.read_at, consistency)
        # After the read: one that had to wait must not answer with a validity that has run out.
        at = self._clock() if consistency.as_of is None else consistency.as_of
        decisions = [
            _decided(purpose, answers, at, published and published.get(purpose.id, ()))
            for purpose, answers in zip(purposes, records.answers, strict=True)
        ]
        tokens = await self._tokens(questions, records.answers, decisions) if with_tokens else []
        return Checked(records.read_at, decisions, tokens)

    async def choices(self, subject: SubjectId, consistency: Consistency = LATEST) -> Choices:
        """Reads a subject's consents, at least one for every purpose in the catalogue's order."""
        read_at, record = await self._store.subject_record(subject)
        refuse_stale(read_at, consistency)
        now = self._clock()
        left = await self._store.remains(subject)
        if record is None and not left.erased:
            # Whoever came back in between has it in a record of their own.
            read_at, record = await self._store.subject_record(subject)
        standing = left.standing
        if record is not None and any(record.standing):
            standing = record.standing
        consents = {one: left.consent(one) for one in left.objected}
        if record is not None:
            consents |= record.consents
        entries = []
        for purpose in self._catalogue.purposes.values():
            consent = consents.get(purpose.id, NOTHING_KNOWN)
            if purpose.takes_scope:
                sayings = {} if record is None else record.sayings.get(purpose.id, {})
                entries += _scoped(purpose, consent, standing, sayings, now)
            else:
                entries.append(Entry(purpose.id, consent, decide(purpose, consent, standing, now)))
        return Choices(read_at, standing, entries)

    async def undivided_choices(
        self, subject: SubjectId, consistency: Consistency = LATEST
    ) -> Choices:
        """The same without the purposes that take a scope; costs no more for many domains."""
        # Of every purpose, as what stands above all choices comes with each.
        purposes = self._catalogue.purposes.values()
        questions = [Question(purpose.id, [subject]) for purpose in purposes]
        records = await self._store.records(questions)
        refuse_stale(records.read_at, consistency)
        now = self._clock()
        standing = NOTHING_STANDS
        entries = []
        for purpose, ((_, consent, standing),) in zip(purposes, records.answers, strict=True):
            if not purpose.takes_scope:
                entries.append(Entry(purpose.id, consent, decide(purpose, consent, standing, now)))
        return Choices(records.read_at, standing, entries)

    async def notice(self, purpose: PurposeId, version: str, locale: str) -> Published:
        """Finds a notice that was ever published; raises `NoticeNotPublished`."""
        for one in await self._store.published():
            if (one.purpose, one.notice.version, one.notice.locale) == (purpose, version, locale):
                return one
        raise NoticeNotPublished("the purpose has had no notice of that version in that locale")

    async def history(
        self,
        subject: SubjectId,
        stretch: Stretch,
        consistency: Consistency = LATEST,
    ) -> History:
        """Reads a stretch of a subject's events."""
        page = await self._store.subject_events(subject, stretch)
        refuse_stale(page.head, consistency)
        if stretch.past is not None and stretch.past > page.head:
            raise PositionUnknown("the page begins past the head of this log")
        return page

    async def _tokens(
        self,
        questions: Sequence[Question],
        answers: Sequence[Sequence[Record]],
        decisions: Sequence[Sequence[Decision]],
    ) -> list[list[str | None]]:
        strangers = {
            subject
            for question, records, decided in zip(questions, answers, decisions, strict=True)
            for subject, record, decision in zip(question.subjects, records, decided, strict=True)
            if decision.permitted and record.pseudonym is None
        }
        # A yes to somebody without events (an opt-out purpose) needs a way out too.
        made = await self._store.pseudonyms(strangers) if strangers else {}

        def token(purpose: PurposeId, subject: SubjectId, known: Pseudonym | None) -> str:
            return self._links.withdrawal(known or made[subject], purpose)

        return [
            [
                token(question.purpose, subject, record.pseudonym) if decision.permitted else None
                for subject, record, decision in zip(
                    question.subjects, records, decided, strict=True
                )
            ]
            for question, records, decided in zip(questions, answers, decisions, strict=True)
        ]


def _scoped(
    purpose: Purpose,
    consent: Consent,
    standing: Standing,
    sayings: Mapping[Reach, Sayings],
    now: Instant,
) -> list[Entry]:
    said = choices.Choices(sayings, standing, consent.objection_position)
    moment = choices.Moment(now, purpose)
    found = [
        Entry(purpose.id, one.consent, listing.decided(said, one.scope, moment), one.scope)
        for one in listing.stated(consent, sayings)
    ]
    return found or [Entry(purpose.id, consent, listing.silence(said, moment))]


def _decided(
    purpose: Purpose, records: Sequence[Record], at: Instant, published: Container[str] | None
) -> list[Decision]:
    return [decide(purpose, consent, standing, at, published) for _, consent, standing in records]


async def published_by(
    as_of: Instant | None, store: EventStore, clock: Clock
) -> dict[PurposeId, set[str]] | None:
    """The versions of notices that had been published at a moment of the past; None for now."""
    if as_of is None:
        return None
    now = clock()
    if as_of >= now:
        raise InvalidRequest.field("consistency.as_of_time", "must lie in the past")
    if as_of > add(now, -_SETTLING):
        # An event gets its time before it is committed. Once a write that comes later has passed,
        # nothing with an earlier time is still to come.
        await store.write(lambda transaction: transaction.head)
    versions: dict[PurposeId, set[str]] = {}
    for one in await store.published():
        if one.recorded_at <= as_of:
            versions.setdefault(one.purpose, set()).add(one.notice.version)
    return versions


def refuse_stale(read_at: Position, consistency: Consistency) -> None:
    """Refuses to answer from before what the caller has seen."""
    # A store on one file is never behind what it has acknowledged: a position that it does not
    # have was never its own.
    if consistency.at_least is not None and consistency.at_least > read_at:
        raise PositionUnknown("the token is past the head of this log")
