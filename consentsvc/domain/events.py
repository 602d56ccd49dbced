"""What can happen to a consent. An event is appended once and never changes."""

from dataclasses import dataclass
from typing import NamedTuple

from consentsvc.domain.identifiers import ActorId, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.scope import ContactField, Reach, Scope
from consentsvc.domain.words import Word


class EventKind(Word):
    """The stored names, after the W3C Data Privacy Vocabulary; they outlive every class here."""

    CONSENT_REQUESTED = "consent_requested"
    CONSENT_GIVEN = "consent_given"
    CONSENT_REFUSED = "consent_refused"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_EXPIRED = "consent_expired"
    OBJECTION_RAISED = "objection_raised"
    OBJECTION_WITHDRAWN = "objection_withdrawn"
    PROCESSING_RESTRICTED = "processing_restricted"
    RESTRICTION_LIFTED = "restriction_lifted"
    DEATH_REPORTED = "death_reported"
    NOTICE_PUBLISHED = "notice_published"
    PUBLICATION_REPORTED = "publication_reported"
    RECORD_EXPORTED = "record_exported"
    SUBJECT_ERASED = "subject_erased"
    DIRECTIONS_RECORDED = "directions_recorded"
    RECORD_READ = "record_read"


CHOICES = frozenset(
    {
        EventKind.CONSENT_GIVEN,
        EventKind.CONSENT_REFUSED,
        EventKind.CONSENT_WITHDRAWN,
        EventKind.CONSENT_REVOKED,
    }
)
"""The kinds of which the latest decides."""

DENIALS = CHOICES - {EventKind.CONSENT_GIVEN}
"""The choices that are a no, whoever's."""

STANDINGS = frozenset(
    {
        EventKind.PROCESSING_RESTRICTED,
        EventKind.RESTRICTION_LIFTED,
        EventKind.DEATH_REPORTED,
    }
)
"""The kinds that concern every purpose of a subject and so name none."""


class Signal(Word):
    """What a program said on the subject's behalf, and not the subject: it is no choice."""

    GLOBAL_PRIVACY_CONTROL = "global_privacy_control"
    """`Sec-GPC: 1`, which a browser sends with every request."""


class ActorKind(Word):
    """Who caused an event, seen from the subject."""

    SUBJECT = "subject"
    OPERATOR = "operator"
    RESELLER = "reseller"
    SYSTEM = "system"


class RevocationReason(Word):
    """Why somebody other than the subject ended a consent."""

    SUBJECT_CHANGED = "subject_changed"
    TRANSFERRED_AWAY = "transferred_away"
    LEGAL_BASIS_CHANGED = "legal_basis_changed"
    INVALID = "invalid"
    ERASURE = "erasure"


class Wish(Word):
    """What a person wants to become of their data after their death."""

    ERASE = "erase"
    KEEP = "keep"
    NONE = "none"


class Directions(NamedTuple):
    """A wish; of one to keep, until when. Erasure follows then (French law 78-17, art. 85)."""

    wish: Wish
    until: Instant | None = None

    def erase_at(self, death: Instant) -> Instant | None:
        """When the person is to be forgotten who died at a moment; None for not at all."""
        match self.wish:
            case Wish.ERASE:
                return death
            case Wish.KEEP if self.until is not None:
                return max(self.until, death)
            case _:
                return None


class Withheld(Word):
    """Why the personal part of an event is not there."""

    ERASED = "erased"
    RETENTION = "retention"


class ReportOutcome(Word):
    """What a registry did with what it was told."""

    APPLIED = "applied"
    REFUSED = "refused"


class PublicationReport(NamedTuple):
    """What a registry was told about a contact, or one use of it, and what it made of it.

    `resolved_at` is the position at which was resolved what it was told. `published` are the fields
    that it was told to show, or shows by its own rules. `code` is the registry's own answer.
    """

    outcome: ReportOutcome
    registry: str
    reach: Reach
    resolved_at: Position
    published: frozenset[ContactField]
    code: int | None = None


class Actor(NamedTuple):
    """Who caused an event; the id is the registrar's, and none for the subject itself."""

    kind: ActorKind
    id: ActorId | None = None


THE_SUBJECT = Actor(ActorKind.SUBJECT)
THE_SYSTEM = Actor(ActorKind.SYSTEM)


class NoticeRef(NamedTuple):
    """Names one published notice of a purpose, and its text by hash."""

    version: str
    locale: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows how a choice was made (EDPB guidelines 05/2020, 104 to 108)."""

    session_reference: str | None = None
    form_version: str | None = None
    action: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class Provenance(NamedTuple):
    """Where an imported event comes from, and who brought it through which channel.

    `source` is their name for it. One that was proven by its receipt is at `position` in the log
    that signs as `log`.
    """

    source: str
    actor: Actor
    channel: str
    log: str | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Personal:
    """The part of an event that is about a person: sealed under that person's key.

    `scope` is there for a choice or request on a purpose that takes one, and for no other.
    """

    subject: SubjectId
    actor: Actor
    channel: str
    evidence: Evidence = Evidence()
    claimed_at: Instant | None = None
    revocation: RevocationReason | None = None
    scope: Scope | None = None
    report: PublicationReport | None = None
    provenance: Provenance | None = None
    directions: Directions | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no place in the log yet. `signal`: what an objection came by, if it did.

    `since` is when it happened elsewhere, for an event that is imported.
    """

    kind: EventKind
    purpose: PurposeId | None = None
    personal: Personal | None = None
    notice: NoticeRef | None = None
    refers_to: Position | None = None
    signal: Signal | None = None
    since: Instant | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event in its place.

    `recorded_at` is the server's clock and never before the previous event's: it alone decides
    which events were known at a moment. `since` is there only for an imported event, and never
    after that: when it happened elsewhere, for how long it holds is counted from there.
    `pseudonym` and `personal` are None for an event that concerns no subject; of one whose personal
    part is gone, `withheld` says why.
    """

    position: Position
    recorded_at: Instant
    kind: EventKind
    purpose: PurposeId | None
    pseudonym: Pseudonym | None
    notice: NoticeRef | None
    refers_to: Position | None
    personal: Personal | None
    signal: Signal | None = None
    withheld: Withheld | None = None
    since: Instant | None = None

    @property
    def holds_from(self) -> Instant:
        """The moment from which a consent or a request runs."""
        return self.recorded_at if self.since is None else self.since
