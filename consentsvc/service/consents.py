"""Changes that a subject makes: give, refuse, withdraw, object, confirm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.changes import (
    ABOUT_OBJECTION,
    NEEDS_NOTICE,
    Action,
    event_for,
    kind_for,
)
from consentsvc.domain.consent import Consent
from consentsvc.domain.decision import REQUEST_OPEN_FOR
from consentsvc.domain.errors import (
    ConfirmationVoid,
    InvalidRequest,
    LinkUnknown,
    PositionConflict,
    ScopeNeeded,
    ScopeNotTaken,
    SubjectUnknown,
    UnknownNotice,
)
from consentsvc.domain.events import (
    DENIALS,
    Actor,
    ActorKind,
    EventKind,
    Evidence,
    NewEvent,
    NoticeRef,
    Personal,
    Signal,
)
from consentsvc.domain.evidence import kept
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.publication.choices import denial_changes
from consentsvc.domain.publication.listing import latest_about
from consentsvc.domain.publication.offering import refuse_unoffered
from consentsvc.domain.publication.profile import Profiles
from consentsvc.domain.scope import Reach, Scope, overlap
from consentsvc.service import through_links
from consentsvc.service.links import LinkKind, Links
from consentsvc.service.ports import Clock, EventStore, Request, Transaction
from consentsvc.service.requests import (
    UNCHANGED,
    Effect,
    Outcome,
    Written,
    once,
    recall,
    repeatable,
)

_OF_THE_SUBJECT = {
    Action.WITHDRAW_OBJECTION: "only the subject takes an objection back",
    Action.SIGNAL: "only the subject's own browser sends a signal",
}


class ShownNotice(NamedTuple):
    """The notice that the caller says was shown; with a hash it must be that very text."""

    version: str
    locale: str
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one consent. `expected` is the position that the caller decided on."""

    action: Action
    purpose: PurposeId
    notice: ShownNotice | None = None
    expected: Position | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class UpdateConsents:
    """A subject's changes, all to be recorded or none."""

    subject: SubjectId
    actor: Actor
    channel: str
    changes: Sequence[Change]
    request: Request
    evidence: Evidence = Evidence()
    claimed_at: Instant | None = None


class Updated(NamedTuple):
    """What became of the changes, with the confirmation token of each that needs one."""

    written: Written
    confirmation_tokens: Sequence[str | None]


class _Planned(NamedTuple):
    """A change, held against the catalogue before the log is touched."""

    change: Change
    purpose: Purpose
    notice: NoticeRef | None


class Consents:
    """Records what subjects choose. Every write is durable when it returns."""

    def __init__(
        self,
        store: EventStore,
        catalogue: Catalogue,
        profiles: Profiles,
        links: Links,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._profiles = profiles
        self._links = links
        self._clock = clock

    async def update(self, command: UpdateConsents) -> Updated:
        """Records all changes or none; see `ConsentService.UpdateConsents` for the rules."""
        try:
            planned = [
                self._plan(change, command.actor, f"changes[{index}]")
                for index, change in enumerate(command.changes)
            ]
            _refuse_contradictions(command.changes)
        except InvalidRequest:
            # A request that was answered under an earlier catalogue keeps its first answer.
            before = await self._answered(command)
            if before is None:
                raise
            return before

        def work(transaction: Transaction) -> tuple[Written, Pseudonym]:
            written = once(
                transaction,
                command.request,
                command.subject,
                lambda: _apply_all(transaction, command, planned),
            )
            return written, transaction.pseudonym(command.subject)

        written, pseudonym = await self._store.write(work, {command.subject})
        return self._updated(written, pseudonym)

    def described(self, token: str) -> tuple[LinkKind, PurposeId]:
        """What a link is for; raises `LinkUnknown`. Tells nothing of the person."""
        try:
            return LinkKind.WITHDRAWAL, self._links.open_withdrawal(token).purpose
        except LinkUnknown:
            return LinkKind.CONFIRMATION, self._links.open_confirmation(token).purpose

    async def confirm(self, token: str, evidence: Evidence, request: Request) -> Written:
        """Gives the consent that a request asked for; its one outcome has the position."""
        link = self._links.open_confirmation(token)
        subject = await self._subject(link.pseudonym)
        purpose = self._catalogue.purposes.get(link.purpose)
        if subject is None:
            if await self._store.erased_at(link.pseudonym) is not None:
                raise _erased(link.purpose)
            raise LinkUnknown("what the link was made for is not there any more")

        def work(transaction: Transaction) -> Written:
            return once(
                transaction,
                request,
                subject,
                lambda: [through_links.confirm(transaction, subject, purpose, link, evidence)],
            )

        try:
            return await self._store.write(work, {subject}, only_known=True)
        except SubjectUnknown:
            raise _erased(link.purpose) from None

    async def redeem(self, token: str, evidence: Evidence, request: Request) -> Written:
        """Withdraws one consent through a link; its one outcome names the purpose.

        A repeat withdraws again if there is something to withdraw: a caller that uses one request
        id for every click must not lose a withdrawal. A person whom the store no longer knows is
        answered as usual, and nothing is recorded.
        """
        link = self._links.open_withdrawal(token)
        subject = await self._subject(link.pseudonym)
        nothing = [UNCHANGED._replace(purpose=link.purpose)]
        if subject is None:
            return Written(nothing, await self._store.head())
        purpose = self._catalogue.purposes.get(link.purpose)

        def work(transaction: Transaction) -> Written:
            return repeatable(
                transaction,
                request,
                subject,
                lambda: [
                    through_links.withdraw(transaction, subject, link.purpose, purpose, evidence)
                ],
            )

        try:
            return await self._store.write(work, {subject}, only_known=True)
        except SubjectUnknown:
            return Written(nothing, await self._store.head())

    def _plan(self, change: Change, actor: Actor, field: str) -> _Planned:
        purpose = self._catalogue.purpose(change.purpose, f"{field}.purpose_id")
        if change.action in _OF_THE_SUBJECT and actor.kind is not ActorKind.SUBJECT:
            raise InvalidRequest.field("actor.kind", _OF_THE_SUBJECT[change.action])
        self._refuse_scope(change, purpose, f"{field}.scope")
        if change.notice is None:
            if change.action in NEEDS_NOTICE:
                raise InvalidRequest.field(f"{field}.notice", "must name the notice that was shown")
            return _Planned(change, purpose, None)
        try:
            return _Planned(change, purpose, known_notice(purpose, change.notice))
        except UnknownNotice as error:
            if change.action in NEEDS_NOTICE:
                raise error.within(field) from None
            # Nobody is kept from a no because of a page that shows an old text.
            return _Planned(change, purpose, None)

    def _refuse_scope(self, change: Change, purpose: Purpose, field: str) -> None:
        scope = change.scope
        if not purpose.takes_scope or change.action in ABOUT_OBJECTION:
            if scope is not None:
                raise ScopeNotTaken.field(field, "is not taken here")
            return
        if scope is None:
            raise ScopeNeeded.field(field, "must name the fields, and how far it reaches")
        if change.action is Action.GIVE:
            refuse_unoffered(self._profiles, scope.reach, self._clock(), field)

    async def _answered(self, command: UpdateConsents) -> Updated | None:
        written = await self._store.write(lambda transaction: recall(transaction, command.request))
        _, record = await self._store.subject_record(command.subject)
        if written is None or record is None:
            return None
        return self._updated(written, record.pseudonym)

    def _updated(self, written: Written, pseudonym: Pseudonym) -> Updated:
        return Updated(written, [self._token(pseudonym, one) for one in written.outcomes])

    def _token(self, pseudonym: Pseudonym, outcome: Outcome) -> str | None:
        if (
            outcome.effect is not Effect.AWAITING_CONFIRMATION
            or outcome.purpose is None
            or outcome.position is None
        ):
            return None
        return self._links.confirmation(pseudonym, outcome.purpose, outcome.position)

    async def _subject(self, pseudonym: Pseudonym) -> SubjectId | None:
        _, found = await self._store.subjects_of([pseudonym])
        return found[0].subject if found else None


def _erased(purpose: PurposeId) -> ConfirmationVoid:
    return ConfirmationVoid("the request was erased", purpose_id=purpose)


def known_notice(purpose: Purpose, shown: ShownNotice) -> NoticeRef:
    """The notice of the purpose that was shown; raises `UnknownNotice`."""
    notice = purpose.notice(shown.version, shown.locale)
    if shown.sha256 is not None and shown.sha256 != notice.sha256:
        raise UnknownNotice.field("notice.sha256", "is not the hash of that notice")
    return NoticeRef(notice.version, notice.locale, notice.sha256)


def _refuse_contradictions(changes: Sequence[Change]) -> None:
    seen: dict[tuple[PurposeId, bool, Reach | None], list[Scope | None]] = {}
    for index, change in enumerate(changes):
        reach = None if change.scope is None else change.scope.reach
        earlier = seen.setdefault((change.purpose, change.action in ABOUT_OBJECTION, reach), [])
        if any(_meet(change.scope, scope) for scope in earlier):
            raise InvalidRequest.field(
                f"changes[{index}].purpose_id", "has had a change of that kind in this request"
            )
        earlier.append(change.scope)


def _meet(one: Scope | None, other: Scope | None) -> bool:
    return one is None or other is None or overlap(one.fields, other.fields)


def _apply_all(
    transaction: Transaction, command: UpdateConsents, planned: Sequence[_Planned]
) -> list[Outcome]:
    for change, purpose, _ in planned:
        consent = transaction.consent(command.subject, purpose.id)
        if change.expected is not None and _moved_on(transaction, command.subject, change, consent):
            raise PositionConflict(
                "the consent has moved on",
                purpose_id=purpose.id,
                expected_position=str(change.expected),
                current_position=str(consent.position),
            )
    return [_apply(transaction, command, one) for one in planned]


def _moved_on(
    transaction: Transaction, subject: SubjectId, change: Change, consent: Consent
) -> bool:
    """Whether something has happened since the position that the caller decided on.

    Of a consent with scopes, only what has something in common with the change's own counts: two
    pages about two domains are not in each other's way.
    """
    expected = change.expected
    if expected is None or expected == consent.position:
        return False
    if change.scope is None or expected > consent.position:
        return True
    sayings = transaction.sayings(subject, change.purpose)
    return latest_about(change.scope, consent, sayings) > expected


def _apply(transaction: Transaction, command: UpdateConsents, planned: _Planned) -> Outcome:
    change, purpose, notice = planned
    kind = _kind(transaction, command, planned)
    if kind is None:
        return UNCHANGED._replace(purpose=purpose.id)
    personal = Personal(
        subject=command.subject,
        actor=command.actor,
        channel=command.channel,
        evidence=kept(command.evidence, purpose),
        claimed_at=command.claimed_at,
        scope=change.scope,
    )
    signal = Signal.GLOBAL_PRIVACY_CONTROL if change.action is Action.SIGNAL else None
    position = transaction.append(NewEvent(kind, purpose.id, personal, notice, signal=signal))
    if kind is EventKind.CONSENT_REQUESTED:
        until = add(transaction.now, REQUEST_OPEN_FOR)
        return Outcome(Effect.AWAITING_CONFIRMATION, purpose.id, position, until)
    return Outcome(Effect.RECORDED, purpose.id, position)


def _kind(transaction: Transaction, command: UpdateConsents, planned: _Planned) -> EventKind | None:
    """Which event records the change; None if it changes nothing."""
    change, purpose, notice = planned
    if change.scope is None:
        consent = transaction.consent(command.subject, purpose.id)
        return event_for(change.action, command.actor, purpose, consent, notice)
    kind = kind_for(change.action, command.actor, purpose)
    if kind in DENIALS:
        sayings = transaction.sayings(command.subject, purpose.id)
        # A refusal is of a text; a withdrawal is the same whatever was shown.
        of_text = notice if kind is EventKind.CONSENT_REFUSED else None
        if not denial_changes(kind, change.scope, of_text, sayings):
            return None
    return kind
