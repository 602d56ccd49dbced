"""Events of elsewhere: what a receipt proves, and what somebody says has happened."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.errors import (
    InvalidRequest,
    RequestIdReused,
    ScopeNeeded,
    ScopeNotTaken,
    UnknownNotice,
)
from consentsvc.domain.events import (
    CHOICES,
    STANDINGS,
    Actor,
    EventKind,
    Evidence,
    NewEvent,
    NoticeRef,
    Personal,
    Provenance,
    RevocationReason,
)
from consentsvc.domain.evidence import kept
from consentsvc.domain.identifiers import (
    CallerId,
    Position,
    PurposeId,
    RequestId,
    SubjectId,
    purpose_id,
    subject_id,
)
from consentsvc.domain.importing import Known, left, stands_otherwise
from consentsvc.domain.instants import Instant
from consentsvc.domain.notes import Verifier
from consentsvc.domain.receipts import Proven, Receipt, ReceiptInvalid
from consentsvc.domain.scope import Scope
from consentsvc.service.consents import ShownNotice, known_notice
from consentsvc.service.ports import EventStore, Request, Transaction
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, once, recall

# What is stated is believed as far as it is a no; a yes is for the person to confirm.
_BELIEVED_AS = {
    EventKind.CONSENT_GIVEN: EventKind.CONSENT_REQUESTED,
    EventKind.CONSENT_REQUESTED: EventKind.CONSENT_REQUESTED,
    EventKind.CONSENT_REFUSED: EventKind.CONSENT_REFUSED,
    EventKind.CONSENT_WITHDRAWN: EventKind.CONSENT_WITHDRAWN,
    EventKind.CONSENT_REVOKED: EventKind.CONSENT_REVOKED,
    EventKind.OBJECTION_RAISED: EventKind.OBJECTION_RAISED,
    EventKind.PROCESSING_RESTRICTED: EventKind.PROCESSING_RESTRICTED,
    EventKind.DEATH_REPORTED: EventKind.DEATH_REPORTED,
}

_ABOUT_OBJECTION = frozenset({EventKind.OBJECTION_RAISED, EventKind.OBJECTION_WITHDRAWN})

# A new kind that decides something has to join these; every other one is passed over.
_DECIDING = (
    CHOICES
    | STANDINGS
    | _ABOUT_OBJECTION
    | {EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED}
)

# What a receipt proves is the same whoever brings it. No caller has this id.
_WHOEVER = CallerId("")


class Whence(NamedTuple):
    """Who imports through which channel, in whose call, and their name for where it comes from."""

    source: str
    actor: Actor
    channel: str
    caller: CallerId


@dataclass(frozen=True, slots=True)
class Stated:
    """What somebody says has happened. `purpose` is None for what concerns all of them."""

    kind: EventKind
    subject: SubjectId
    actor: Actor
    channel: str
    claimed_at: Instant
    purpose: PurposeId | None = None
    notice: ShownNotice | None = None
    evidence: Evidence = Evidence()
    scope: Scope | None = None
    revocation: RevocationReason | None = None


class Imported(NamedTuple):
    """One event to be imported: a receipt's text, or what is stated.

    `content` is everything that the caller sent of it.
    """

    id: str
    content: bytes
    told: str | Stated


class Counted(NamedTuple):
    """What became of how many events, and the position at which they stand."""

    recorded: int
    requested: int
    repeated: int
    skipped: int
    written_at: Position

    def followed_by(self, later: "Counted") -> "Counted":
        """What became of these and of later ones."""
        return Counted(
            self.recorded + later.recorded,
            self.requested + later.requested,
            self.repeated + later.repeated,
            self.skipped + later.skipped,
            later.written_at,
        )

    @property
    def events(self) -> int:
        """All of them."""
        return self.recorded + self.requested + self.repeated + self.skipped


class _Planned(NamedTuple):
    """An event, held against the receipt and the catalogue before the log is touched.

    `proof` and `answers` are under which a proven event, and the one that it refers to, are found
    if they were imported. `event` is None for a kind that decides nothing. `here`: this very log
    has it.
    """

    request: Request
    subject: SubjectId
    event: NewEvent | None = None
    purpose: Purpose | None = None
    proof: Request | None = None
    answers: Request | None = None
    here: bool = False


class Imports:
    """Records events of elsewhere. `verifiers`: the keys of logs whose receipts count."""

    def __init__(
        self, store: EventStore, catalogue: Catalogue, origin: str, verifiers: Sequence[Verifier]
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._origin = origin
        self._verifiers = verifiers

    async def begin(self) -> Counted:
        """What became of nothing yet."""
        return Counted(0, 0, 0, 0, await self._store.head())

    async def record(self, whence: Whence, events: Sequence[Imported]) -> Counted:
        """Records all events or none; see `SubjectRightsService.ImportEvents` for the rules."""
        published = {(one.purpose, one.notice) for one in await self._store.published()}
        planned = []
        for index, one in enumerate(events):
            try:
                planned.append(await self._plan(whence, one, published))
            except InvalidRequest as error:
                raise error.within(f"events[{index}]") from error

        def work(transaction: Transaction) -> Counted:
            effects = Counter(
                _imported(transaction, one, index) for index, one in enumerate(planned)
            )
            return Counted(
                effects[Effect.RECORDED],
                effects[Effect.AWAITING_CONFIRMATION],
                effects[None],
                effects[Effect.UNCHANGED],
                transaction.head,
            )

        return await self._store.write(work, {one.subject for one in planned})

    async def _plan(
        self,
        whence: Whence,
        one: Imported,
        published: Collection[tuple[PurposeId, NoticeRef]],
    ) -> _Planned:
        request = Request(whence.caller, _derived(whence.source, one.id), one.content)
        if isinstance(one.told, Stated):
            try:
                event = self._stated(one.told, whence)
            except InvalidRequest as error:
                raise error.within("stated") from error
            purpose = None
            if event.purpose is not None:
                purpose = self._catalogue.purposes.get(event.purpose)
            return _Planned(request, one.told.subject, event, purpose)
        return await self._proven(request, self._checked(one.told), whence, published)

    def _checked(self, text: str) -> Proven:
        failures: list[ReceiptInvalid] = []
        try:
            receipt = Receipt.parse(text)
        except ReceiptInvalid as error:
            raise InvalidRequest.field("receipt", str(error)) from error
        for verifier in self._verifiers:
            try:
                return receipt.check(verifier)
            except ReceiptInvalid as error:
                failures.append(error)
        # Of all keys but one it can only be said that they have not signed it.
        told = next((one for one in failures if one.part != "signature"), failures[0])
        if told.part == "signature":
            raise InvalidRequest.field("receipt", "signature: of no log that is trusted here")
        raise InvalidRequest.field("receipt", str(told)) from told

    async def _proven(
        self,
        request: Request,
        proven: Proven,
        whence: Whence,
        published: Collection[tuple[PurposeId, NoticeRef]],
    ) -> _Planned:
        event, origin = proven.event, proven.checkpoint.origin
        personal = event.personal
        if personal is None:
            raise InvalidRequest.field("receipt", "personal part: there is none")
        subject = subject_id(personal.subject, "receipt")
        purpose = None
        if event.purpose is not None:
            purpose = self._catalogue.purposes.get(purpose_id(event.purpose, "receipt"))
        proof = _proof(origin, event.position)
        if event.kind not in _DECIDING:
            return _Planned(request, subject, proof=proof)
        if purpose is not None:
            _refuse_scope(event.kind, purpose, personal.scope, "receipt")
        provenance = Provenance(whence.source, whence.actor, whence.channel, origin, event.position)
        new = NewEvent(
            event.kind,
            event.purpose,
            replace(personal, evidence=kept(personal.evidence, purpose), provenance=provenance),
            event.notice if (event.purpose, event.notice) in published else None,
            signal=event.signal,
            since=event.holds_from,
        )
        answers = None if event.refers_to is None else _proof(origin, event.refers_to)
        here = origin == self._origin and await self._holds(subject, event.position)
        return _Planned(request, subject, new, purpose, proof, answers, here)

    async def _holds(self, subject: SubjectId, position: Position) -> bool:
        """Whether this log has an event of its own still: not of somebody who was erased."""
        leaf = await self._store.leaf(subject, position)
        return leaf is not None and leaf.opened is not None

    def _stated(self, stated: Stated, whence: Whence) -> NewEvent:
        kind = _BELIEVED_AS.get(stated.kind)
        if kind is None:
            raise InvalidRequest.field("kind", "is not believed without a receipt")
        purpose, notice = None, None
        if kind in STANDINGS:
            if stated.purpose is not None:
                raise InvalidRequest.field("purpose_id", "must be empty: it concerns every purpose")
            if stated.scope is not None:
                raise ScopeNotTaken.field("scope", "is not taken here")
        else:
            purpose = self._catalogue.purpose(stated.purpose or "")
            _refuse_scope(kind, purpose, stated.scope, "scope")
            notice = _notice(kind, purpose, stated.notice)
        personal = Personal(
            stated.subject,
            stated.actor,
            stated.channel,
            kept(stated.evidence, purpose),
            stated.claimed_at,
            stated.revocation,
            stated.scope,
            provenance=Provenance(whence.source, whence.actor, whence.channel),
        )
        return NewEvent(kind, stated.purpose, personal, notice, since=stated.claimed_at)


def _refuse_scope(kind: EventKind, purpose: Purpose, scope: Scope | None, field: str) -> None:
    if purpose.takes_scope and kind not in _ABOUT_OBJECTION:
        if scope is None:
            raise ScopeNeeded.field(field, "must name the fields, and how far it reaches")
    elif scope is not None:
        raise ScopeNotTaken.field(field, "is not taken here")


def _notice(kind: EventKind, purpose: Purpose, shown: ShownNotice | None) -> NoticeRef | None:
    asks = kind is EventKind.CONSENT_REQUESTED
    if shown is None:
        if asks:
            raise InvalidRequest.field("notice", "must name the notice that was shown")
        return None
    try:
        return known_notice(purpose, shown)
    except UnknownNotice:
        if asks:
            raise
        return None  # a no is a no, whatever was shown


def _derived(*names: str) -> RequestId:
    # No request id of a caller's own has a space in it, and no name a line break.
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return RequestId(f"import {digest}")


def _proof(origin: str, position: Position) -> Request:
    return Request(_WHOEVER, _derived(origin, str(position)), b"")


def _imported(transaction: Transaction, planned: _Planned, index: int) -> Effect | None:
    """What became of an event; None for one that was imported before."""
    effect: Effect | None = None

    def record() -> Sequence[Outcome]:
        nonlocal effect
        outcome = _recorded(transaction, planned)
        effect = outcome.effect
        return [outcome]

    def first() -> Sequence[Outcome]:
        if planned.here:
            return [UNCHANGED]
        if planned.proof is None:
            return record()
        return once(transaction, planned.proof, planned.subject, record).outcomes

    try:
        once(transaction, planned.request, planned.subject, first)
    except RequestIdReused as error:
        field = f"events[{index}].import_id"
        raise RequestIdReused("the import id stands for another event", field=field) from error
    return effect


def _recorded(transaction: Transaction, planned: _Planned) -> Outcome:
    event = planned.event
    if event is None or event.since is None:
        return UNCHANGED
    # What a clock ahead of ours has seen is recorded as of now, and is no older than that.
    since = min(event.since, transaction.now)
    if planned.answers is not None:
        before = recall(transaction, planned.answers)
        refers_to = None if before is None else before.outcomes[0].position
        event = replace(event, refers_to=refers_to)
    found = _left(transaction, planned, event, since)
    if found is None:
        return UNCHANGED._replace(purpose=event.purpose)
    asks = planned.proof is None and found.kind is EventKind.CONSENT_REQUESTED
    effect = Effect.AWAITING_CONFIRMATION if asks else Effect.RECORDED
    return Outcome(effect, event.purpose, transaction.append(found))


def _left(
    transaction: Transaction, planned: _Planned, event: NewEvent, since: Instant
) -> NewEvent | None:
    subject = planned.subject
    if event.purpose is None:
        standing = transaction.standing(subject)
        restricted_at = _holds_from(transaction, standing.restriction)
        changes = stands_otherwise(event.kind, since, standing, restricted_at)
        return event if changes else None
    consent = transaction.consent(subject, event.purpose)
    scoped = event.personal is not None and event.personal.scope is not None
    sayings = transaction.sayings(subject, event.purpose) if scoped else {}
    tolerated_at = _holds_from(transaction, consent.tolerated)
    return left(event, since, Known(planned.purpose, consent, sayings, tolerated_at))


def _holds_from(transaction: Transaction, position: Position | None) -> Instant | None:
    return None if position is None else transaction.holds_from(position)
