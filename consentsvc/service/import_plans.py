"""What is to be imported, held against its receipt and the catalogue before the log is touched."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.errors import InvalidRequest, ScopeNeeded, ScopeNotTaken, UnknownNotice
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
from consentsvc.domain.instants import Instant
from consentsvc.domain.notes import Verifier
from consentsvc.domain.receipts import Proven, Receipt, ReceiptInvalid
from consentsvc.domain.scope import Scope
from consentsvc.service.consents import ShownNotice, known_notice
from consentsvc.service.ports import Request

Texts = Collection[tuple[PurposeId | None, NoticeRef | None]]
"""The notices that were ever published here, with their purposes."""

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
    | {EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED, EventKind.DIRECTIONS_RECORDED}
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


class Planned(NamedTuple):
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


class Plans:
    """Makes plans of events. `verifiers`: the keys of logs whose receipts count."""

    def __init__(self, catalogue: Catalogue, verifiers: Sequence[Verifier]) -> None:
        self._catalogue = catalogue
        self._verifiers = verifiers

    def plan(self, whence: Whence, one: Imported, published: Texts) -> Planned:
        """Says what is to be recorded; raises `InvalidRequest` for what is not believed."""
        request = Request(whence.caller, _derived(whence.source, one.id), one.content)
        if not isinstance(one.told, Stated):
            return self._proven(request, self._checked(one.told), whence, published)
        try:
            return self._stated(request, one.told, whence)
        except InvalidRequest as error:
            raise error.within("stated") from error

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

    def _proven(
        self, request: Request, proven: Proven, whence: Whence, published: Texts
    ) -> Planned:
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
            return Planned(request, subject, proof=proof)
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
        return Planned(request, subject, new, purpose, proof, answers)

    def _stated(self, request: Request, stated: Stated, whence: Whence) -> Planned:
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
        event = NewEvent(kind, stated.purpose, personal, notice, since=stated.claimed_at)
        return Planned(request, stated.subject, event, purpose)


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
