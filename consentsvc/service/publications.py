"""What may be published, and what a registry made of being told so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import PositionUnknown
from consentsvc.domain.events import Actor, EventKind, NewEvent, Personal, PublicationReport
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.publication import encode
from consentsvc.domain.publication.choices import Choices, Moment
from consentsvc.domain.publication.facts import Facts
from consentsvc.domain.publication.profile import Profiles, Publisher
from consentsvc.domain.publication.resolve import Resolution
from consentsvc.domain.publication.wire import NOTHING, Operation, Sent, Told
from consentsvc.domain.scope import ContactField, Reach, Role
from consentsvc.service.ports import Clock, EventStore, Inquiry, Request, Transaction
from consentsvc.service.queries import LATEST, Consistency, published_by, refuse_stale
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, Written, once


class PublicationQuestion(NamedTuple):
    """A contact in a role of a domain, and what stands at the registry, if it is to be told."""

    facts: Facts
    role: Role
    publisher: Publisher | None = None
    operation: Operation | None = None
    previous: Sent = None
    data_changed: frozenset[ContactField] = frozenset()


class Published(NamedTuple):
    """The answer to a question, and what the registry is to be told of it."""

    resolution: Resolution
    told: Told = NOTHING


class Answers(NamedTuple):
    """One answer for each question, all read at one position."""

    read_at: Position
    published: list[Published]


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody's word of what a registry made of what it was told."""

    purpose: PurposeId
    subject: SubjectId
    actor: Actor
    channel: str
    report: PublicationReport
    request: Request


class Publications:
    """Resolves what may be published, and records what became of it."""

    def __init__(
        self, store: EventStore, catalogue: Catalogue, profiles: Profiles, clock: Clock
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._profiles = profiles
        self._clock = clock

    async def resolve(
        self,
        purpose_id: PurposeId,
        questions: Sequence[PublicationQuestion],
        consistency: Consistency = LATEST,
    ) -> Answers:
        """Decides every question, all at one position of the log."""
        purpose = self._catalogue.divided(purpose_id)
        published = await published_by(consistency.as_of, self._store, self._clock)
        versions = None if published is None else published.get(purpose.id, set())
        said: dict[SubjectId, Choices] = {}

        def moment() -> Moment:
            now = self._clock() if consistency.as_of is None else consistency.as_of
            return Moment(now, purpose, versions)

        asked = moment()
        resolutions = [
            Resolution(
                self._profiles, one.facts, one.role, said, asked, one.publisher, one.operation
            )
            for one in questions
        ]
        wanted: dict[SubjectId, list[Reach]] = {}
        for resolution in resolutions:
            for subject, reaches in resolution.needs():
                wanted.setdefault(subject, []).extend(reaches)
        inquiries = [Inquiry(one, frozenset(reaches)) for one, reaches in wanted.items()]
        records = await self._store.choices(purpose.id, inquiries, consistency.as_of)
        refuse_stale(records.read_at, consistency)
        said.update(
            (one.subject, choices) for one, choices in zip(inquiries, records.answers, strict=True)
        )
        # After the read: one that had to wait must not answer with a validity that has run out.
        asked = moment()
        published_now = []
        for question, resolution in zip(questions, resolutions, strict=True):
            resolution.ask_at(asked)
            published_now.append(_published(question, resolution))
        return Answers(records.read_at, published_now)

    async def report(self, report: Report) -> Written:
        """Records what a registry made of what it was told; changes no consent.

        Of somebody who was erased nothing is recorded: a report that comes after that must not
        bring back whom it was about.
        """
        purpose = self._catalogue.divided(report.purpose)
        personal = Personal(
            report.subject,
            report.actor,
            report.channel,
            report=report.report,
        )

        def record(transaction: Transaction) -> Outcome:
            if report.report.resolved_at > transaction.head:
                raise PositionUnknown("the resolved position is past the head of this log")
            if transaction.is_erased(report.subject):
                return UNCHANGED._replace(purpose=purpose.id)
            event = NewEvent(EventKind.PUBLICATION_REPORTED, purpose.id, personal)
            return Outcome(Effect.RECORDED, purpose.id, transaction.append(event))

        return await self._store.write(
            lambda transaction: once(
                transaction, report.request, report.subject, lambda: [record(transaction)]
            ),
            {report.subject},
        )


def _published(question: PublicationQuestion, resolution: Resolution) -> Published:
    if question.operation is None:
        return Published(resolution)
    return Published(resolution, encode.told(resolution, question.previous, question.data_changed))
