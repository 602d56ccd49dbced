"""What the use cases need from the outside, in their own words."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from consentsvc.domain.consent import NOTHING_KNOWN, NOTHING_STANDS, Consent, Standing
from consentsvc.domain.encoding import Opened
from consentsvc.domain.events import Event, NewEvent, NoticeRef
from consentsvc.domain.identifiers import (
    CallerId,
    Position,
    Pseudonym,
    PurposeId,
    RequestId,
    SubjectId,
)
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import Choices, Sayings
from consentsvc.domain.remains import Remains
from consentsvc.domain.scope import Reach

Clock = Callable[[], Instant]
"""Tells the time. Injected, so that tests decide what time it is."""

T = TypeVar("T")


class Question(NamedTuple):
    """One purpose, asked of many subjects."""

    purpose: PurposeId
    subjects: Sequence[SubjectId]


class Record(NamedTuple):
    """What the log knows of one subject and one purpose."""

    pseudonym: Pseudonym | None = None
    consent: Consent = NOTHING_KNOWN
    standing: Standing = NOTHING_STANDS


class Records(NamedTuple):
    """One list of records for each question, all read at one position."""

    read_at: Position
    answers: list[list[Record]]


class SubjectRecord(NamedTuple):
    """What the log knows of one subject, for every purpose that has had an event.

    For a purpose that takes a scope, the consent tells which event was the latest at any reach, and
    `sayings` what was said at each.
    """

    subject: SubjectId
    pseudonym: Pseudonym
    standing: Standing
    consents: dict[PurposeId, Consent]
    sayings: dict[PurposeId, dict[Reach, Sayings]]


class Inquiry(NamedTuple):
    """What an account has said at some reaches."""

    subject: SubjectId
    reaches: frozenset[Reach]


class ChoiceRecords(NamedTuple):
    """Choices for each inquiry, all read at one position. Holds at least the reaches asked for."""

    read_at: Position
    answers: list[Choices]


class Page(NamedTuple):
    """A stretch of the log, and the head of the log when it was read."""

    events: list[Event]
    head: Position


class History(NamedTuple):
    """A stretch of one subject's events, how many there are in all, and the head of the log."""

    events: list[Event]
    total: int
    head: Position


class Stretch(NamedTuple):
    """Which of a subject's events to read: past a position, or before it if `newest_first`.

    Without a position from the one end of the history to the other. `skip` of them are passed over.
    """

    limit: int
    past: Position | None = None
    skip: int = 0
    newest_first: bool = False


class SignedCheckpoint(NamedTuple):
    """A state of the log that was signed: its size, the root of its tree, and the signed note."""

    size: Position
    root: bytes
    note: str


class Leaf(NamedTuple):
    """An event as the tree has it: the header that its leaf is the hash of, and what is below.

    Of an erased subject's event nothing is below any more.
    """

    header: bytes
    opened: Opened | None


class Published(NamedTuple):
    """A notice that the log knows, with its text."""

    position: Position
    recorded_at: Instant
    purpose: PurposeId
    notice: NoticeRef
    title: str
    text: str


class Due(NamedTuple):
    """A consent or request that may have run out."""

    subject: SubjectId
    purpose: PurposeId


class PendingErasure(NamedTuple):
    """A subject who is to be forgotten from `due` on.

    `begun` is the head of the log when everything of theirs had been revoked, and `begun_at` when
    that was; None before.
    """

    due: Instant
    begun: Position | None = None
    begun_at: Instant | None = None


class KeptProof(NamedTuple):
    """Which events on a purpose were an erased subject's, and until when that is kept."""

    purpose: PurposeId
    positions: tuple[Position, ...]
    until: Instant


class Remembered(NamedTuple):
    """A request that was answered before: whether it is the same one, and the answer."""

    same_content: bool
    answer: bytes


class Request(NamedTuple):
    """A caller's write, by which a repeat is recognised.

    `content` is everything the caller sent, in a form that is equal whenever the content is.
    """

    caller: CallerId
    id: RequestId
    content: bytes


class Transaction(Protocol):
    """The log as one request sees it, from inside the append lock.

    What is read here cannot change before what is appended here is committed. Everything a
    request appends is committed together, or nothing is.
    """

    @property
    def now(self) -> Instant:
        """The time that this request's events will carry: never before the last event's."""
        ...

    @property
    def head(self) -> Position:
        """The position of the last event, this request's own included."""
        ...

    def consent(self, subject: SubjectId, purpose: PurposeId) -> Consent:
        """Reads a consent as it stands, this request's own events included."""
        ...

    def standing(self, subject: SubjectId) -> Standing:
        """Reads what stands above the subject's choices, this request's own events included."""
        ...

    def pseudonym(self, subject: SubjectId) -> Pseudonym:
        """Tells the pseudonym of a subject that was announced to `EventStore.write`."""
        ...

    def sayings(self, subject: SubjectId, purpose: PurposeId) -> dict[Reach, Sayings]:
        """Reads what was said at every reach of a purpose that takes a scope."""
        ...

    def history(
        self, subject: SubjectId, purpose: PurposeId | None, after: Position
    ) -> list[Event]:
        """Reads the events of one subject and purpose past a position, in order.

        Without a purpose, those that name none.
        """
        ...

    def append(self, event: NewEvent) -> Position:
        """Appends an event. Its subject, if it has one, was announced to `EventStore.write`.

        A `since` that is after `now` becomes it.
        """
        ...

    def published(self) -> list[Published]:
        """Reads every notice ever published, in order."""
        ...

    def publish(self, purpose: PurposeId, notice: NoticeRef, title: str, text: str) -> Position:
        """Appends the event that a notice was published, and keeps its text."""
        ...

    def is_erased(self, subject: SubjectId) -> bool:
        """Whether the subject was erased, and nothing has been recorded of them since."""
        ...

    def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """Reads whether the subject is to be forgotten."""
        ...

    def plan_erasure(self, subject: SubjectId, pending: PendingErasure | None) -> None:
        """Keeps that the subject is to be forgotten, in the place of what was planned before."""
        ...

    def erase(self, subject: SubjectId, proofs: Mapping[PurposeId, Instant]) -> Position:
        """Appends that the subject was erased, and ends all that is sealed under their key.

        Their personal parts and answered requests go in the same commit, their key and states by
        `EventStore.finish_erasures`; a request that comes in between is refused as one to be sent
        again. Of the purposes in `proofs` it is kept until then which events were theirs.
        """
        ...

    def recall(self, request: Request) -> Remembered | None:
        """Looks up an earlier request of the same caller with the same id."""
        ...

    def remember(self, request: Request, subject: SubjectId, answer: bytes) -> None:
        """Keeps the answer beside the events, so that a repeat gets it."""
        ...


class EventStore(Protocol):
    """The append-only log, with the current states beside it.

    Positions are 1, 2, 3 and so on, in commit order, without gaps: a reader that has seen one MUST
    have been able to see all below. Any method raises `StoreUnavailable` when the answer cannot be
    had now; a driver's own exception never leaves.
    """

    @property
    def store_id(self) -> bytes:
        """16 random bytes that name this log; tokens and cursors are bound to them."""
        ...

    async def head(self) -> Position:
        """Reads the position of the last event. Also shows that the store answers."""
        ...

    async def write(
        self,
        work: Callable[[Transaction], T],
        subjects: Collection[SubjectId] = (),
        *,
        only_known: bool = False,
    ) -> T:
        """Runs one request's work inside the append lock and makes its events durable.

        MUST NOT return before the events have reached the disk. If the work raises, none of its
        events exist, and the requests that share its commit are not touched. A caller that is
        cancelled leaves either all of its events or none. The work may run on another thread; it
        MUST NOT wait, and MUST touch nothing but its transaction. `subjects` names everybody whose
        events it may append: their keys are durable before. With `only_known` nobody gets a key
        who has none: `SubjectUnknown` is raised, as for somebody who has just been erased.
        """
        ...

    async def records(self, questions: Sequence[Question], as_of: Instant | None = None) -> Records:
        """Reads states, all at one position.

        With `as_of` they are folded from the events recorded at or before that moment, and
        `read_at` is the last of these in the whole log.
        """
        ...

    async def choices(
        self, purpose: PurposeId, inquiries: Sequence[Inquiry], as_of: Instant | None = None
    ) -> ChoiceRecords:
        """Reads choices on a purpose that takes a scope; `as_of` is as in `records`."""
        ...

    async def remains(self, subject: SubjectId) -> Remains:
        """Reads what is left of an erased subject; nothing, once somebody of that id has events.

        `records` and `choices` have it in their answers. Before the first event that is recorded of
        somebody with the same id, what is left is appended as events of theirs.
        """
        ...

    async def subject_record(self, subject: SubjectId) -> tuple[Position, SubjectRecord | None]:
        """Reads all states of one subject, None for one that was never written about."""
        ...

    async def subject_records(
        self, after: Pseudonym | None, limit: int
    ) -> tuple[Position, list[SubjectRecord]]:
        """Reads the states of subjects in the order of their pseudonyms, from one on."""
        ...

    async def subjects_of(
        self, pseudonyms: Collection[Pseudonym]
    ) -> tuple[Position, list[SubjectRecord]]:
        """Reads all states of the subjects behind pseudonyms; unknown ones are left out."""
        ...

    async def events(self, after: Position, limit: int) -> Page:
        """Reads the events past a position, in order."""
        ...

    async def subject_events(self, subject: SubjectId, stretch: Stretch) -> History:
        """Reads a stretch of one subject's events, and of all others no more than their places."""
        ...

    async def header(self, position: Position) -> bytes:
        """Reads the header of the event at a position, as its leaf in the tree is the hash of it.

        It holds no personal data. Raises `PositionUnknown` for one past the head.
        """
        ...

    async def tree_root(self, size: Position) -> bytes:
        """Reads the root of the Merkle tree (RFC 6962) over the first so many events.

        Every event is in the tree as soon as it is in the log. Raises `PositionUnknown` for more
        than there are, here and in the proofs.
        """
        ...

    async def inclusion_proof(self, position: Position, size: Position) -> list[bytes]:
        """Proves that the event at a position is in the tree over the first so many events.

        Reads no more than two hashes for each doubling of the log.
        """
        ...

    async def consistency_proof(self, old: Position, new: Position) -> list[bytes]:
        """Proves that the tree over the first `new` events begins with that over `old` of them."""
        ...

    async def leaf(self, subject: SubjectId, position: Position) -> Leaf | None:
        """Reads one event of a subject; None if it is somebody else's, or there is none.

        Also finds one that is kept as an erased subject's.
        """
        ...

    async def keep_checkpoint(self, checkpoint: SignedCheckpoint) -> None:
        """Keeps a checkpoint for ever, with the log and, as the last one, with the keys.

        MUST be durable when it returns; nobody is shown a checkpoint before. From then on a log
        that does not have what was signed is not opened. Keeping one again changes nothing, nor
        does one that is smaller than the last: of two processes that sign at once, the later one
        may come first, and what covers an event must not become another checkpoint afterwards.
        """
        ...

    async def last_checkpoint(self) -> SignedCheckpoint | None:
        """Reads the largest checkpoint that is kept."""
        ...

    async def covering_checkpoint(self, position: Position) -> SignedCheckpoint | None:
        """Reads the smallest checkpoint that has the event at a position; None if none has yet."""
        ...

    async def published(self) -> list[Published]:
        """Reads every notice ever published, in order."""
        ...

    async def due(
        self, given_before: dict[PurposeId, Instant], requested_before: Instant, limit: int
    ) -> list[Due]:
        """Finds consents that an event has not yet marked as run out.

        Those are consents given at or before their purpose's moment, and requests made at or
        before `requested_before`; past `limit` the rest is found by the next call.
        """
        ...

    async def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """Reads whether the subject is to be forgotten."""
        ...

    async def pending_erasures(
        self, due: Instant, limit: int
    ) -> list[tuple[SubjectId, PendingErasure]]:
        """Finds subjects who are to be forgotten by a moment, those due first before the others."""
        ...

    async def erased_at(self, pseudonym: Pseudonym) -> Position | None:
        """Reads where a subject was erased; None for one who was not."""
        ...

    async def finish_erasures(self) -> bool:
        """Destroys the keys and states of all who were erased, and what is left of them in files.

        What `Remains` says outlives them, under a keyed hash of their id. MUST be durable when it
        returns. False if something may still be in a file, because somebody is reading it: to be
        called again. Does nothing where there is nothing to do, and lets nobody wait.
        """
        ...

    async def empty_ended(
        self, purpose: PurposeId, before: Instant, after: Pseudonym | None, limit: int
    ) -> tuple[Pseudonym | None, int]:
        """Empties the personal parts of events on a purpose that had ended by a moment.

        Those of so many subjects past one; tells the last of them, None if there were none, and
        how many were emptied. The events stay; whatever stands, and all that is needed to tell
        what does, is left as it is. MUST be durable when it returns.
        """
        ...

    async def drop_proofs(self, now: Instant) -> int:
        """Forgets the kept proofs whose time is over by now; tells how many events they named."""
        ...

    async def kept_proofs(self, subject: SubjectId) -> list[KeptProof]:
        """Reads which events are kept as an erased subject's, in the order of the purposes."""
        ...

    async def acknowledge(self, follower: str, position: Position) -> Position:
        """Keeps that a follower has acted on everything up to a position; returns the furthest."""
        ...

    async def acknowledged(self) -> dict[str, Position]:
        """Reads how far each follower has acted."""
        ...

    async def pseudonyms(self, subjects: Collection[SubjectId]) -> dict[SubjectId, Pseudonym]:
        """Tells subjects' pseudonyms, making durable ones for those that have none."""
        ...

    async def past(self, position: Position) -> None:
        """Returns once the head is past a position. May be cancelled at any time."""
        ...

    def secret(self, name: str) -> bytes:
        """32 random bytes that are kept under a name for the life of the store, with the keys."""
        ...
