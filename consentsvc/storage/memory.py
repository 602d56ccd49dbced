"""The reference store: the port's promises in plain Python, for tests and for reading."""

import asyncio
import hashlib
import hmac
import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from consentsvc.domain import merkle
from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Consent,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.encoding import SALT_BYTES, Header, Opened, commitment, personal_part
from consentsvc.domain.errors import PositionUnknown, StoreUnavailable, SubjectUnknown
from consentsvc.domain.events import STANDINGS, Event, EventKind, NewEvent, NoticeRef, Withheld
from consentsvc.domain.identifiers import (
    START,
    CallerId,
    Position,
    Pseudonym,
    PurposeId,
    RequestId,
    SubjectId,
)
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import Frontier, Node
from consentsvc.domain.publication.choices import Choices, Sayings
from consentsvc.domain.remains import NOTHING_REMAINS, Remains, carried_over, erased, remains
from consentsvc.domain.scope import Reach
from consentsvc.service.ports import (
    ChoiceRecords,
    Clock,
    Due,
    History,
    Inquiry,
    KeptProof,
    Leaf,
    Page,
    PendingErasure,
    Published,
    Question,
    Record,
    Records,
    Remembered,
    Request,
    SignedCheckpoint,
    Stretch,
    SubjectRecord,
    Transaction,
)
from consentsvc.storage.retention import ended
from consentsvc.storage.scopes import STATELESS, refuse_not_kept, running, scope_of, take

T = TypeVar("T")


class _Answered(NamedTuple):
    content: bytes
    answer: bytes
    pseudonym: Pseudonym


@dataclass(slots=True)
class _State:
    """Everything the log holds. A request works on a layer above it, merged when it succeeds."""

    events: list[Event] = field(default_factory=list)
    histories: dict[Pseudonym, list[Event]] = field(default_factory=dict)
    consents: dict[tuple[Pseudonym, PurposeId], Consent] = field(default_factory=dict)
    sayings: dict[tuple[Pseudonym, PurposeId], dict[Reach, Sayings]] = field(default_factory=dict)
    standings: dict[Pseudonym, Standing] = field(default_factory=dict)
    requests: dict[tuple[CallerId, RequestId], "_Answered"] = field(default_factory=dict)
    pending: dict[Pseudonym, PendingErasure | None] = field(default_factory=dict)
    erased: dict[Pseudonym, Mapping[PurposeId, Instant]] = field(default_factory=dict)
    notices: list[Published] = field(default_factory=list)
    leaves: list[tuple[bytes, Opened | None]] = field(default_factory=list)

    def empty(self, pseudonym: Pseudonym) -> None:
        """Takes the personal parts from the events of an erased subject."""
        for event in list(self.histories[pseudonym]):
            self.withhold(event.position, Withheld.ERASED)
        self.requests = {
            key: one for key, one in self.requests.items() if one.pseudonym != pseudonym
        }
        self.pending.pop(pseudonym, None)

    def withhold(self, position: Position, why: Withheld) -> None:
        """Takes the personal part from an event."""
        at = position - 1
        event = self.events[at]
        bare = replace(event, personal=None, withheld=why)
        self.events[at] = bare
        self.leaves[at] = (self.leaves[at][0], None)
        if event.pseudonym is not None:
            history = self.histories[event.pseudonym]
            history[history.index(event)] = bare

    def forget(self, pseudonym: Pseudonym) -> None:
        """Takes away what followed from the events of an erased subject."""
        self.consents = {key: one for key, one in self.consents.items() if key[0] != pseudonym}
        self.sayings = {key: one for key, one in self.sayings.items() if key[0] != pseudonym}
        self.standings.pop(pseudonym, None)


class MemoryEventStore:
    """Keeps the log as long as the process lives."""

    def __init__(
        self, clock: Clock, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._store_id = random_bytes(16)
        self._state = _State()
        self._pseudonyms: dict[SubjectId, Pseudonym] = {}
        self._subjects: dict[Pseudonym, SubjectId] = {}
        self._secrets: dict[str, bytes] = {}
        self._checkpoints: dict[Position, SignedCheckpoint] = {}
        self._suppressed: dict[bytes, Remains] = {}
        self._proofs: dict[bytes, list[KeptProof]] = {}
        self._followers: dict[str, Position] = {}
        self._grown = asyncio.Event()

    @property
    def store_id(self) -> bytes:
        """See `EventStore.store_id`."""
        return self._store_id

    async def head(self) -> Position:
        """See `EventStore.head`."""
        return self._head

    async def write(
        self,
        work: Callable[[Transaction], T],
        subjects: Collection[SubjectId] = (),
        *,
        only_known: bool = False,
    ) -> T:
        """See `EventStore.write`. Nothing here waits, so a cancel finds it undone or done."""
        if only_known and not set(subjects) <= self._pseudonyms.keys():
            raise SubjectUnknown
        pseudonyms = self._ensured(subjects)
        if self._state.erased.keys() & pseudonyms.values():
            raise StoreUnavailable("the subject is being erased")
        left = {one: self._remains(one) for one in pseudonyms}
        returning = {subject: one for subject, one in left.items() if one.erased}
        layer = _Layer(self._state, self._clock, pseudonyms, self._random_bytes, dict(returning))
        try:
            result = work(layer)
        except BaseException:
            self._forget_again(returning)
            raise
        layer.merge()
        self._forget_again(layer.returning)
        self._grown.set()
        self._grown = asyncio.Event()
        return result

    async def records(self, questions: Sequence[Question], as_of: Instant | None = None) -> Records:
        """See `EventStore.records`."""
        if as_of is None:
            return Records(
                self._head, [[self._record(q.purpose, s) for s in q.subjects] for q in questions]
            )
        past = [event for event in self._state.events if event.recorded_at <= as_of]
        read_at = past[-1].position if past else START
        return Records(
            read_at, [[self._folded(past, q.purpose, s) for s in q.subjects] for q in questions]
        )

    async def choices(
        self, purpose: PurposeId, inquiries: Sequence[Inquiry], as_of: Instant | None = None
    ) -> ChoiceRecords:
        """See `EventStore.choices`."""
        if as_of is None:
            return ChoiceRecords(self._head, [self._choices(purpose, one) for one in inquiries])
        past = [event for event in self._state.events if event.recorded_at <= as_of]
        read_at = past[-1].position if past else START
        return ChoiceRecords(
            read_at, [self._folded_choices(past, purpose, one.subject) for one in inquiries]
        )

    async def remains(self, subject: SubjectId) -> Remains:
        """See `EventStore.remains`."""
        return self._remains(subject)

    async def subject_record(self, subject: SubjectId) -> tuple[Position, SubjectRecord | None]:
        """See `EventStore.subject_record`."""
        pseudonym = self._pseudonyms.get(subject)
        return self._head, None if pseudonym is None else self._subject_record(pseudonym)

    async def subject_records(
        self, after: Pseudonym | None, limit: int
    ) -> tuple[Position, list[SubjectRecord]]:
        """See `EventStore.subject_records`."""
        following = sorted(p for p in self._subjects if after is None or p > after)
        return self._head, [self._subject_record(pseudonym) for pseudonym in following[:limit]]

    async def subjects_of(
        self, pseudonyms: Collection[Pseudonym]
    ) -> tuple[Position, list[SubjectRecord]]:
        """See `EventStore.subjects_of`."""
        known = [pseudonym for pseudonym in pseudonyms if pseudonym in self._subjects]
        return self._head, [self._subject_record(pseudonym) for pseudonym in known]

    async def events(self, after: Position, limit: int) -> Page:
        """See `EventStore.events`."""
        return Page(self._state.events[after : after + limit], self._head)

    async def subject_events(self, subject: SubjectId, stretch: Stretch) -> History:
        """See `EventStore.subject_events`."""
        theirs = self._history(subject)
        limit, past, skip, newest_first = stretch
        if newest_first:
            end = len(theirs) if past is None else bisect_left(theirs, past, key=_position)
            end = max(end - skip, 0)
            found = theirs[max(end - limit, 0) : end][::-1]
        else:
            start = 0 if past is None else bisect_right(theirs, past, key=_position)
            found = theirs[start + skip : start + skip + limit]
        return History(found, len(theirs), self._head)

    async def header(self, position: Position) -> bytes:
        """See `EventStore.header`."""
        return self._headers(position)[-1]

    async def tree_root(self, size: Position) -> bytes:
        """See `EventStore.tree_root`."""
        return self._tree(size)[0].root()

    async def inclusion_proof(self, position: Position, size: Position) -> list[bytes]:
        """See `EventStore.inclusion_proof`."""
        return merkle.proof(merkle.inclusion_nodes(position - 1, size), self._tree(size)[1])

    async def consistency_proof(self, old: Position, new: Position) -> list[bytes]:
        """See `EventStore.consistency_proof`."""
        return merkle.proof(merkle.consistency_nodes(old, new), self._tree(new)[1])

    async def leaf(self, subject: SubjectId, position: Position) -> Leaf | None:
        """See `EventStore.leaf`."""
        theirs = {event.position for event in self._history(subject)}
        kept = {at for one in self._kept(subject) for at in one.positions}
        return Leaf(*self._state.leaves[position - 1]) if position in theirs | kept else None

    async def keep_checkpoint(self, checkpoint: SignedCheckpoint) -> None:
        """See `EventStore.keep_checkpoint`. Kept as long as the log is."""
        if not self._checkpoints or max(self._checkpoints) < checkpoint.size:
            self._checkpoints[checkpoint.size] = checkpoint

    async def last_checkpoint(self) -> SignedCheckpoint | None:
        """See `EventStore.last_checkpoint`."""
        return self._checkpoints[max(self._checkpoints)] if self._checkpoints else None

    async def covering_checkpoint(self, position: Position) -> SignedCheckpoint | None:
        """See `EventStore.covering_checkpoint`."""
        covering = [size for size in self._checkpoints if size >= position]
        return self._checkpoints[min(covering)] if covering else None

    async def published(self) -> list[Published]:
        """See `EventStore.published`."""
        return list(self._state.notices)

    async def due(
        self, given_before: dict[PurposeId, Instant], requested_before: Instant, limit: int
    ) -> list[Due]:
        """See `EventStore.due`."""
        # Each kind has the limit for itself, the oldest first: what has long been looked at and
        # is not due after all never stands in front of another purpose's.
        kinds: dict[PurposeId | None, list[tuple[Instant, Due]]] = {}
        for (pseudonym, purpose), consent in self._state.consents.items():
            choice, request = consent.choice, consent.request
            due = Due(self._subjects[pseudonym], purpose)
            before = given_before.get(purpose, Instant(-1))
            given = choice and choice.kind is EventKind.CONSENT_GIVEN and not choice.expired
            if choice and given and choice.recorded_at <= before:
                kinds.setdefault(purpose, []).append((choice.recorded_at, due))
            if request and not request.expired and request.recorded_at <= requested_before:
                kinds.setdefault(None, []).append((request.recorded_at, due))
        for (pseudonym, purpose), sayings in self._state.sayings.items():
            due = Due(self._subjects[pseudonym], purpose)
            for since in (running(sayings, reach) for reach in sayings):
                if since.given_at is not None and since.given_at <= given_before.get(purpose, -1):
                    kinds.setdefault(purpose, []).append((since.given_at, due))
                if since.requested_at is not None and since.requested_at <= requested_before:
                    kinds.setdefault(None, []).append((since.requested_at, due))
        found = [
            due
            for kind in kinds.values()
            for due in list(dict.fromkeys(due for _, due in sorted(kind)))[:limit]
        ]
        return list(dict.fromkeys(found))

    async def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """See `EventStore.pending_erasure`."""
        pseudonym = self._pseudonyms.get(subject)
        return None if pseudonym is None else self._state.pending.get(pseudonym)

    async def pending_erasures(
        self, due: Instant, limit: int
    ) -> list[tuple[SubjectId, PendingErasure]]:
        """See `EventStore.pending_erasures`."""
        found = [
            (self._subjects[pseudonym], one)
            for pseudonym, one in self._state.pending.items()
            if one is not None and one.due <= due
        ]
        return sorted(found, key=lambda one: one[1].due)[:limit]

    async def erased_at(self, pseudonym: Pseudonym) -> Position | None:
        """See `EventStore.erased_at`."""
        for event in self._state.events:
            if (event.kind, event.pseudonym) == (EventKind.SUBJECT_ERASED, pseudonym):
                return event.position
        return None

    async def finish_erasures(self) -> bool:
        """See `EventStore.finish_erasures`."""
        for pseudonym, proofs in self._state.erased.items():
            history = self._state.histories.pop(pseudonym)
            subject = self._subjects.pop(pseudonym)
            del self._pseudonyms[subject]
            left, digest = remains(history), self._digest(subject)
            self._suppressed[digest] = left
            self._proofs[digest] = [
                KeptProof(purpose, positions, until)
                for purpose, until in sorted(proofs.items())
                if (positions := tuple(e.position for e in history if e.purpose == purpose))
            ]
            self._state.forget(pseudonym)
        self._state.erased.clear()
        return True

    async def empty_ended(
        self, purpose: PurposeId, before: Instant, after: Pseudonym | None, limit: int
    ) -> tuple[Pseudonym | None, int]:
        """See `EventStore.empty_ended`."""
        following = sorted(p for p in self._subjects if after is None or p > after)[:limit]
        emptied = 0
        for pseudonym in following:
            history = self._state.histories.get(pseudonym, [])
            events = [event for event in history if event.purpose == purpose]
            for position, when in ended(events).items():
                at = position - 1
                if when <= before and self._state.events[at].personal is not None:
                    self._state.withhold(position, Withheld.RETENTION)
                    emptied += 1
        return (following[-1] if following else None), emptied

    async def drop_proofs(self, now: Instant) -> int:
        """See `EventStore.drop_proofs`."""
        dropped = 0
        for digest, proofs in self._proofs.items():
            kept = [one for one in proofs if one.until > now]
            dropped += sum(len(one.positions) for one in proofs if one.until <= now)
            self._proofs[digest] = kept
        return dropped

    async def kept_proofs(self, subject: SubjectId) -> list[KeptProof]:
        """See `EventStore.kept_proofs`."""
        return self._kept(subject)

    async def acknowledge(self, follower: str, position: Position) -> Position:
        """See `EventStore.acknowledge`."""
        self._followers[follower] = max(self._followers.get(follower, START), position)
        return self._followers[follower]

    async def acknowledged(self) -> dict[str, Position]:
        """See `EventStore.acknowledged`."""
        return dict(self._followers)

    async def pseudonyms(self, subjects: Collection[SubjectId]) -> dict[SubjectId, Pseudonym]:
        """See `EventStore.pseudonyms`."""
        return self._ensured(subjects)

    async def past(self, position: Position) -> None:
        """See `EventStore.past`."""
        while self._head <= position:
            await self._grown.wait()

    def secret(self, name: str) -> bytes:
        """See `EventStore.secret`."""
        return self._secrets.setdefault(name, self._random_bytes(32))

    @property
    def _head(self) -> Position:
        return Position(len(self._state.events))

    def _headers(self, size: Position) -> list[bytes]:
        if size > self._head:
            raise PositionUnknown("past the end of the log")
        return [header for header, _ in self._state.leaves[:size]]

    def _tree(self, size: Position) -> tuple[Frontier, dict[Node, bytes]]:
        leaves = list(map(merkle.leaf_hash, self._headers(size)))
        frontier, completed = Frontier().appended(leaves)
        return frontier, completed | {Node(0, at): one for at, one in enumerate(leaves)}

    def _ensured(self, subjects: Collection[SubjectId]) -> dict[SubjectId, Pseudonym]:
        for subject in subjects:
            if subject not in self._pseudonyms:
                pseudonym = Pseudonym(self._random_bytes(16))
                self._pseudonyms[subject] = pseudonym
                self._subjects[pseudonym] = subject
        return {subject: self._pseudonyms[subject] for subject in subjects}

    def _kept(self, subject: SubjectId) -> list[KeptProof]:
        now = self._clock()
        return [one for one in self._proofs.get(self._digest(subject), []) if one.until > now]

    def _forget_again(self, returning: Collection[SubjectId]) -> None:
        for subject in returning:
            del self._subjects[self._pseudonyms.pop(subject)]

    def _digest(self, subject: SubjectId) -> bytes:
        return hmac.digest(self.secret("remains"), subject.encode(), "sha256")

    def _events_by(self, subject: SubjectId, until: Instant | None) -> bool:
        history = self._history(subject)
        return any(until is None or event.recorded_at <= until for event in history)

    def _remains(self, subject: SubjectId, until: Instant | None = None) -> Remains:
        if not self._suppressed or self._events_by(subject, until):
            return NOTHING_REMAINS
        return self._suppressed.get(self._digest(subject), NOTHING_REMAINS)

    def _history(self, subject: SubjectId) -> list[Event]:
        pseudonym = self._pseudonyms.get(subject)
        return [] if pseudonym is None else self._state.histories.get(pseudonym, [])

    def _record(self, purpose: PurposeId, subject: SubjectId) -> Record:
        pseudonym = self._pseudonyms.get(subject)
        left = self._remains(subject)
        if pseudonym is None or left != NOTHING_REMAINS:
            return Record(pseudonym, left.consent(purpose), left.standing)
        return Record(
            pseudonym,
            self._state.consents.get((pseudonym, purpose), NOTHING_KNOWN),
            self._state.standings.get(pseudonym, NOTHING_STANDS),
        )

    def _folded(self, past: list[Event], purpose: PurposeId, subject: SubjectId) -> Record:
        pseudonym = self._pseudonyms.get(subject)
        left = self._remains(subject, past[-1].recorded_at if past else Instant(0))
        consent, standing = left.consent(purpose), left.standing
        for event in past:
            if pseudonym is not None and event.pseudonym == pseudonym:
                standing = fold_standing(standing, event)
                if event.purpose == purpose:
                    consent = fold(consent, event)
        return Record(pseudonym, consent, standing)

    def _choices(self, purpose: PurposeId, inquiry: Inquiry) -> Choices:
        pseudonym, consent, standing = self._record(purpose, inquiry.subject)
        sayings = {} if pseudonym is None else self._state.sayings.get((pseudonym, purpose), {})
        asked = {reach: said for reach, said in sayings.items() if reach in inquiry.reaches}
        return Choices(asked, standing, consent.objection_position)

    def _folded_choices(self, past: list[Event], purpose: PurposeId, subject: SubjectId) -> Choices:
        pseudonym, consent, standing = self._folded(past, purpose, subject)
        sayings: dict[Reach, Sayings] = {}
        for event in past:
            if event.pseudonym == pseudonym and event.purpose == purpose:
                refuse_not_kept(event)
                take(sayings, event)
        return Choices(sayings, standing, consent.objection_position)

    def _subject_record(self, pseudonym: Pseudonym) -> SubjectRecord:
        consents = {p: c for (who, p), c in self._state.consents.items() if who == pseudonym}
        sayings = {p: dict(s) for (who, p), s in self._state.sayings.items() if who == pseudonym}
        standing = self._state.standings.get(pseudonym, NOTHING_STANDS)
        return SubjectRecord(self._subjects[pseudonym], pseudonym, standing, consents, sayings)


def _position(event: Event) -> Position:
    return event.position


class _Layer:
    """One request's events and states, above those of the log until they are merged into it."""

    def __init__(
        self,
        below: _State,
        clock: Clock,
        pseudonyms: dict[SubjectId, Pseudonym],
        random_bytes: Callable[[int], bytes],
        returning: dict[SubjectId, Remains],
    ) -> None:
        self._random_bytes = random_bytes
        self._below = below
        self.returning = returning
        self._mine = _State()
        self._pseudonyms = pseudonyms
        last = below.events[-1].recorded_at if below.events else Instant(0)
        self._now = max(clock(), last)

    @property
    def now(self) -> Instant:
        """See `Transaction.now`."""
        return self._now

    @property
    def head(self) -> Position:
        """See `Transaction.head`."""
        return Position(len(self._below.events) + len(self._mine.events))

    def consent(self, subject: SubjectId, purpose: PurposeId) -> Consent:
        """See `Transaction.consent`."""
        if subject in self.returning:
            return self.returning[subject].consent(purpose)
        key = (self._pseudonyms[subject], purpose)
        return self._mine.consents.get(key) or self._below.consents.get(key, NOTHING_KNOWN)

    def standing(self, subject: SubjectId) -> Standing:
        """See `Transaction.standing`."""
        if subject in self.returning:
            return self.returning[subject].standing
        key = self._pseudonyms[subject]
        return self._mine.standings.get(key) or self._below.standings.get(key, NOTHING_STANDS)

    def pseudonym(self, subject: SubjectId) -> Pseudonym:
        """See `Transaction.pseudonym`."""
        return self._pseudonyms[subject]

    def sayings(self, subject: SubjectId, purpose: PurposeId) -> dict[Reach, Sayings]:
        """See `Transaction.sayings`."""
        key = (self._pseudonyms[subject], purpose)
        return dict(self._mine.sayings.get(key) or self._below.sayings.get(key, {}))

    def history(
        self, subject: SubjectId, purpose: PurposeId | None, after: Position
    ) -> list[Event]:
        """See `Transaction.history`."""
        key = (self._pseudonyms[subject], purpose)
        events = (self._below.events + self._mine.events)[after:]
        return [event for event in events if (event.pseudonym, event.purpose) == key]

    def append(self, event: NewEvent) -> Position:
        """See `Transaction.append`."""
        subject = event.personal.subject if event.personal else None
        if subject is not None and subject in self.returning:
            for one in carried_over(subject, self.returning.pop(subject)):
                self.append(one)
        pseudonym = None if subject is None else self._pseudonyms[subject]
        position = Position(self.head + 1)
        placed = Event(
            position,
            self._now,
            event.kind,
            event.purpose,
            pseudonym,
            event.notice,
            event.refers_to,
            event.personal,
            event.signal,
            since=None if event.since is None else min(event.since, self._now),
        )
        self._placed(placed, subject)
        return position

    def _placed(self, placed: Event, subject: SubjectId | None) -> None:
        event, pseudonym = placed, placed.pseudonym
        if subject is not None and pseudonym is not None:
            if event.kind in STANDINGS:
                self._mine.standings[pseudonym] = fold_standing(self.standing(subject), placed)
            elif event.purpose is not None and event.kind not in STATELESS:
                consent = fold(self.consent(subject, event.purpose), placed)
                self._mine.consents[pseudonym, event.purpose] = consent
                if scope_of(placed) is not None:
                    sayings = self.sayings(subject, event.purpose)
                    take(sayings, placed)
                    if sayings:
                        self._mine.sayings[pseudonym, event.purpose] = sayings
        self._mine.events.append(placed)
        self._mine.leaves.append(self._leaf(placed))

    def _leaf(self, event: Event) -> tuple[bytes, Opened | None]:
        """Encodes an event. Nobody but the process can read it: its personal part stays open."""
        if event.personal is None:
            return Header(event).encode(), None
        opened = Opened(self._random_bytes(SALT_BYTES), personal_part(event.personal))
        sealed = hashlib.sha256(opened.salt + opened.personal).digest()
        return Header(event, commitment(*opened), sealed).encode(), opened

    def published(self) -> list[Published]:
        """See `Transaction.published`."""
        return [*self._below.notices, *self._mine.notices]

    def publish(self, purpose: PurposeId, notice: NoticeRef, title: str, text: str) -> Position:
        """See `Transaction.publish`."""
        position = self.append(NewEvent(EventKind.NOTICE_PUBLISHED, purpose, notice=notice))
        self._mine.notices.append(Published(position, self._now, purpose, notice, title, text))
        return position

    def is_erased(self, subject: SubjectId) -> bool:
        """See `Transaction.is_erased`."""
        return subject in self.returning

    def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """See `Transaction.pending_erasure`."""
        pseudonym = self._pseudonyms[subject]
        if pseudonym in self._mine.pending:
            return self._mine.pending[pseudonym]
        return self._below.pending.get(pseudonym)

    def plan_erasure(self, subject: SubjectId, pending: PendingErasure | None) -> None:
        """See `Transaction.plan_erasure`."""
        self._mine.pending[self._pseudonyms[subject]] = pending

    def erase(self, subject: SubjectId, proofs: Mapping[PurposeId, Instant]) -> Position:
        """See `Transaction.erase`."""
        self._mine.erased[self._pseudonyms[subject]] = proofs
        return self.append(erased(subject))

    def recall(self, request: Request) -> Remembered | None:
        """See `Transaction.recall`."""
        key = (request.caller, request.id)
        found = self._mine.requests.get(key) or self._below.requests.get(key)
        return None if found is None else Remembered(found.content == request.content, found.answer)

    def remember(self, request: Request, subject: SubjectId, answer: bytes) -> None:
        """See `Transaction.remember`."""
        if subject in self.returning:
            return
        answered = _Answered(request.content, answer, self._pseudonyms[subject])
        self._mine.requests[request.caller, request.id] = answered

    def merge(self) -> None:
        """Makes everything part of the log at once."""
        self._below.events.extend(self._mine.events)
        for event in self._mine.events:
            if event.pseudonym is not None:
                self._below.histories.setdefault(event.pseudonym, []).append(event)
        self._below.consents.update(self._mine.consents)
        self._below.sayings.update(self._mine.sayings)
        self._below.standings.update(self._mine.standings)
        self._below.requests.update(self._mine.requests)
        self._below.notices.extend(self._mine.notices)
        self._below.leaves.extend(self._mine.leaves)
        self._below.pending.update(self._mine.pending)
        self._below.erased.update(self._mine.erased)
        for pseudonym in self._mine.erased:
            self._below.empty(pseudonym)
