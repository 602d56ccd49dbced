"""What goes to the service and comes from it, besides decisions."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from consentclient._decisions import Decision, NoticeRef
from consentclient._enums import (
    Action,
    ActorKind,
    ContactField,
    ContactRole,
    Effect,
    EventKind,
    LegalBasis,
    LinkKind,
    ReportOutcome,
    RevocationReason,
    Signal,
    TrackerKind,
    Wish,
    Withheld,
)


@dataclass(frozen=True, slots=True)
class Controller:
    """The party that decides about a purpose and answers for it."""

    id: str
    name: str
    address: str
    contact: str
    data_protection_officer: str
    authority: str


@dataclass(frozen=True, slots=True)
class Notice:
    """The text shown for a purpose. Never changes once published."""

    ref: NoticeRef
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Tracker:
    """Something stored or loaded on the subject's device under a purpose."""

    name: str
    kind: TrackerKind
    host: str
    lifetime: str
    goal: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """What consent is asked for, with the notice to show now.

    `validity_months` is None for a consent that lasts until it is withdrawn. `takes_scope`: it is
    about the publication of contact data, and every choice on it has a scope. `heeds_signal`: a
    Global Privacy Control signal objects to it.
    """

    id: str
    controller: Controller
    basis: LegalBasis
    validity_months: int | None
    needs_confirmation: bool
    notice: Notice
    trackers: tuple[Tracker, ...]
    takes_scope: bool = False
    heeds_signal: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused something. An operator and a reseller have an id, the subject has none here."""

    kind: ActorKind
    id: str | None = None


SUBJECT = Actor(ActorKind.SUBJECT)
"""The subject, in person."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows how a choice was made. Addresses are kept only where the purpose asks for them."""

    session_reference: str | None = None
    form_version: str | None = None
    action: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a choice on publication reaches, and which fields it is about: ALL alone, or some.

    Each part lies inside the one before; with none of them it is the whole account.
    """

    fields: frozenset[ContactField]
    contact_id: str | None = None
    domain: str | None = None
    role: ContactRole | None = None


@dataclass(frozen=True, slots=True)
class PublicationReport:
    """What a registry was told about a contact, and what it made of it.

    `resolved_position` is where was resolved what it was told; `code` is the registry's own.
    """

    outcome: ReportOutcome
    registry: str
    resolved_position: int
    published_fields: frozenset[ContactField]
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one consent; with a scope for a purpose that takes one, and only then.

    With `expected_position`, the `Consent.position` that the caller decided on, the request is
    refused with `PositionConflict` if the consent has moved on since.
    """

    purpose_id: str
    action: Action
    notice: NoticeRef | None = None
    expected_position: int | None = None
    scope: Scope | None = None


class ChangeOptions(TypedDict, total=False):
    """What can be said with every change. Unless said otherwise, it is the subject's own."""

    actor: Actor
    evidence: Evidence | None
    claimed_time: datetime | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change; `position` is that of its event, None if none was recorded.

    A confirmation token is for a link to the subject, and to nobody else; from `confirm_before`
    on it no longer works.
    """

    purpose_id: str
    effect: Effect
    position: int | None
    confirmation_token: str | None
    confirm_before: datetime | None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """One outcome for each change, in order; `written_at` is for `at_least_as_fresh`."""

    outcomes: tuple[Outcome, ...]
    written_at: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The consent that a confirmation link gave."""

    purpose_id: str
    position: int
    written_at: str


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The consent that a withdrawal link took back."""

    purpose_id: str
    effect: Effect
    written_at: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of an event (c2sp.org/tlog-proof), and the same event for programs, as JSON-LD.

    It holds the subject's data: it is theirs. `consentsvc proof verify` checks the text.
    """

    text: str
    consent_record: str


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A signed state of the log, its size, and the key that the service says it verifies with."""

    text: str
    tree_size: int
    verifier_key: str


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """An event's header, and the hashes that lead from it to the root of a tree (RFC 6962)."""

    header: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a word about a subject as a whole."""

    effect: Effect
    written_at: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What was last said about a purpose. `expired`: an event has recorded that it ran out."""

    kind: EventKind
    position: int
    recorded_time: datetime
    notice: NoticeRef | None
    expired: bool


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that waits for the subject. `expired`: an event has recorded that it ran out."""

    position: int
    recorded_time: datetime
    notice: NoticeRef | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """What the events of one subject and one purpose add up to. `position` is 0 without any.

    For a purpose that takes a scope there is one for whatever was said at each reach, and
    `position` is that of the latest event at any. An objection by a signal is not the subject's
    own, and ends with a consent; after one was taken back at `objection_withdrawn_position`, no
    signal raises another.
    """

    purpose_id: str
    choice: Choice | None
    request: PendingRequest | None
    objection_position: int | None
    position: int
    scope: Scope | None = None
    objection_by_signal: bool = False
    objection_withdrawn_position: int | None = None
    objection_recorded_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """A consent, and the decision that any caller would get from it."""

    consent: Consent
    decision: Decision


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands above every choice of a subject: positions of what is in force."""

    restriction_position: int | None
    death_position: int | None


@dataclass(frozen=True, slots=True)
class Consents:
    """A subject's consents, at least one for every purpose in the catalogue's order."""

    entries: tuple[ConsentEntry, ...]
    standing: Standing
    read_at: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an imported event comes from, and who brought it.

    One that was proven is at `log_position` in the log of that origin.
    """

    source: str
    actor: Actor
    channel: str
    log_origin: str | None = None
    log_position: int | None = None


@dataclass(frozen=True, slots=True)
class Directions:
    """A person's wish for after their death; one to keep says until when, an aware datetime."""

    wish: Wish
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One thing that happened, recorded at `recorded_time` by the server's clock.

    `since_time` is there for an event that was imported: when it happened elsewhere, from where it
    is counted for how long a consent holds. `history` and `export` show its `provenance` too.

    `pseudonym` stands for the subject throughout the log. It, the subject and the actor are None
    where they do not apply or are no longer available; `evidence` and `directions` are shown by
    `history` and `export` only. `signal` is what an objection came by that the subject did not
    raise. `withheld` says why all that is about a person is missing, if it is.
    """

    position: int
    kind: EventKind
    recorded_time: datetime
    claimed_time: datetime | None
    pseudonym: bytes | None
    subject_id: str | None
    purpose_id: str | None
    notice: NoticeRef | None
    actor: Actor | None
    channel: str | None
    refers_to: int | None
    revocation_reason: RevocationReason | None
    evidence: Evidence | None
    scope: Scope | None = None
    report: PublicationReport | None = None
    signal: Signal | None = None
    withheld: Withheld | None = None
    since_time: datetime | None = None
    provenance: Provenance | None = None
    directions: Directions | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """What a link from a mail is for."""

    kind: LinkKind
    purpose_id: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a subject's events, and how many there are in all."""

    events: tuple[ConsentEvent, ...]
    total: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of the log. `cursor` continues it, also past its present head."""

    events: tuple[ConsentEvent, ...]
    cursor: str
    at_head: bool
    head_position: int = 0


@dataclass(frozen=True, slots=True)
class EventBatch:
    """A stretch of the log, without events when it is quiet.

    Nothing at or below `through_position` is still to come. Save `cursor` after acting.
    """

    events: tuple[ConsentEvent, ...]
    cursor: str
    through_position: int


@dataclass(frozen=True, slots=True)
class Died:
    """What became of the report of a death; when the subject is forgotten, if they wanted that."""

    effect: Effect
    written_at: str
    erase_time: datetime | None


@dataclass(frozen=True, slots=True)
class KeptProof:
    """Which events on a purpose were an erased subject's, and until when that is kept."""

    purpose_id: str
    positions: tuple[int, ...]
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of an erasure.

    `position` is where it was recorded, None for somebody about whom nothing was held. The late
    followers had not acted in time: what they do not undo by themselves has to be undone by hand.
    """

    position: int | None
    late_follower_ids: tuple[str, ...]
    kept_proofs: tuple[KeptProof, ...]
    written_at: str


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """What stands about a subject, and how many events it follows from.

    The proofs are kept of a subject with the same id who was erased.
    """

    subject_id: str
    consents: tuple[ConsentEntry, ...]
    standing: Standing
    event_count: int
    read_position: int
    export_time: datetime
    kept_proofs: tuple[KeptProof, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportedNotice:
    """A text that the subject was shown."""

    purpose_id: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A part of an export, in order: `record` comes with the first.

    `receipts` has one for each event, or none at all unless they were asked for. Each notice comes
    once.
    """

    record: ExportedRecord | None
    events: tuple[ConsentEvent, ...]
    receipts: tuple[str, ...]
    notices: tuple[ExportedNotice, ...]


@dataclass(frozen=True, slots=True)
class StatedEvent:
    """What is said to have happened elsewhere; nothing proves it. A yes becomes a request."""

    subject_id: str
    kind: EventKind
    claimed_time: datetime
    channel: str
    purpose_id: str | None = None
    notice: NoticeRef | None = None
    actor: Actor = SUBJECT
    evidence: Evidence | None = None
    scope: Scope | None = None
    revocation_reason: RevocationReason | None = None


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """An event of elsewhere by its id there, and the text of its receipt, or what is stated."""

    import_id: str
    told: str | StatedEvent


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What became of how many events; see `AsyncConsentClient.import_events`."""

    recorded: int
    requested: int
    repeated: int
    skipped: int
    written_at: str
