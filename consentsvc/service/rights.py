"""What the law gives a person beyond their choices."""

from collections.abc import Sequence
from dataclasses import dataclass

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.changes import revocation_changes
from consentsvc.domain.consent import Standing
from consentsvc.domain.errors import SubjectDeceased
from consentsvc.domain.events import (
    Actor,
    Directions,
    EventKind,
    Evidence,
    NewEvent,
    Personal,
    RevocationReason,
    Wish,
)
from consentsvc.domain.identifiers import START, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.linking import joined
from consentsvc.domain.publication.choices import denial_changes
from consentsvc.domain.scope import Scope
from consentsvc.service.ports import EventStore, PendingErasure, Request, Transaction
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, Written, once

_NO_DIRECTIONS = Directions(Wish.NONE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """Somebody's word about a subject: who, through which channel, in which request."""

    subject: SubjectId
    actor: Actor
    channel: str
    request: Request


class Rights:
    """Records restrictions, revocations and deaths. Every write is durable when it returns."""

    def __init__(self, store: EventStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def restrict(self, instruction: Instruction) -> Written:
        """Freezes every purpose for the subject (GDPR art. 18)."""
        return await self._stand(instruction, EventKind.PROCESSING_RESTRICTED)

    async def lift(self, instruction: Instruction) -> Written:
        """Ends the freeze."""
        return await self._stand(instruction, EventKind.RESTRICTION_LIFTED)

    async def report_death(self, instruction: Instruction) -> tuple[Written, Instant | None]:
        """Records that the subject has died; tells when they are forgotten, by their directions."""
        written = await self._stand(instruction, EventKind.DEATH_REPORTED)
        pending = await self._store.pending_erasure(instruction.subject)
        return written, None if pending is None else pending.due

    async def direct(self, instruction: Instruction, directions: Directions) -> Written:
        """Records what is to become of the subject's data after their death."""
        subject = instruction.subject
        personal = Personal(subject, instruction.actor, instruction.channel, directions=directions)

        def direct(transaction: Transaction) -> Outcome:
            if transaction.standing(subject).death is not None:
                raise SubjectDeceased("the subject's death has been reported")
            if directions_of(transaction, subject) == directions:
                return UNCHANGED
            event = NewEvent(EventKind.DIRECTIONS_RECORDED, personal=personal)
            return Outcome(Effect.RECORDED, position=transaction.append(event))

        return await self._store.write(
            lambda transaction: once(
                transaction, instruction.request, subject, lambda: [direct(transaction)]
            ),
            {subject},
        )

    async def revoke(
        self,
        instruction: Instruction,
        purposes: Sequence[PurposeId],
        reason: RevocationReason,
        scope: Scope | None = None,
    ) -> Written:
        """Ends the consents and requests of these purposes, and the yes that nobody had to give.

        The scope is needed by purposes that take one, and refused by those that do not.
        """
        known: list[Purpose] = []
        for index, purpose in enumerate(purposes):
            field = f"purpose_ids[{index}]"
            find = self._catalogue.undivided if scope is None else self._catalogue.divided
            known.append(find(purpose, field))
        personal = Personal(
            instruction.subject,
            instruction.actor,
            instruction.channel,
            revocation=reason,
            scope=scope,
        )

        def revoke(transaction: Transaction, purpose: Purpose) -> Outcome:
            if scope is None:
                consent = transaction.consent(instruction.subject, purpose.id)
                changes = revocation_changes(purpose, consent)
            else:
                sayings = transaction.sayings(instruction.subject, purpose.id)
                changes = denial_changes(EventKind.CONSENT_REVOKED, scope, None, sayings)
            if not changes:
                return UNCHANGED._replace(purpose=purpose.id)
            event = NewEvent(EventKind.CONSENT_REVOKED, purpose.id, personal)
            return Outcome(Effect.RECORDED, purpose.id, transaction.append(event))

        return await self._store.write(
            lambda transaction: once(
                transaction,
                instruction.request,
                instruction.subject,
                lambda: [revoke(transaction, purpose) for purpose in known],
            ),
            {instruction.subject},
        )

    async def link(self, instruction: Instruction, other: SubjectId) -> Written:
        """Takes over what another subject, who is the same person, has refused or objected to.

        Purposes that take a scope are left alone: their scopes are those of one account.
        """
        _, known = await self._store.subject_record(other)
        if known is None and not (await self._store.remains(other)).objected:
            # Nothing was said, and nothing is to be kept of having asked.
            return Written([], await self._store.head())
        purposes = [one for one in self._catalogue.purposes.values() if not one.takes_scope]

        def join(transaction: Transaction) -> list[Outcome]:
            outcomes = []
            whence = f"subject {transaction.pseudonym(other).hex()}"
            for purpose in purposes:
                ours = transaction.consent(instruction.subject, purpose.id)
                theirs = transaction.consent(other, purpose.id)
                for one in joined(purpose, ours, theirs):
                    personal = Personal(
                        instruction.subject,
                        instruction.actor,
                        instruction.channel,
                        Evidence(action="linked", session_reference=whence),
                        # Of somebody who was erased nobody knows any more when they said it.
                        claimed_at=one.said_at or None,
                    )
                    event = NewEvent(one.kind, purpose.id, personal, one.notice, signal=one.signal)
                    position = transaction.append(event)
                    outcomes.append(Outcome(Effect.RECORDED, purpose.id, position))
            return outcomes

        return await self._store.write(
            lambda transaction: once(
                transaction, instruction.request, instruction.subject, lambda: join(transaction)
            ),
            {instruction.subject, other},
        )

    async def _stand(self, instruction: Instruction, kind: EventKind) -> Written:
        subject = instruction.subject
        personal = Personal(subject, instruction.actor, instruction.channel)

        def stand(transaction: Transaction) -> Outcome:
            if not _stands_otherwise(kind, transaction.standing(subject)):
                return UNCHANGED
            position = transaction.append(NewEvent(kind, personal=personal))
            if kind is EventKind.DEATH_REPORTED:
                carry_out(transaction, subject)
            return Outcome(Effect.RECORDED, position=position)

        return await self._store.write(
            lambda transaction: once(
                transaction, instruction.request, subject, lambda: [stand(transaction)]
            ),
            {subject},
        )


def directions_of(transaction: Transaction, subject: SubjectId) -> Directions:
    """The subject's last word on it."""
    events = transaction.history(subject, None, START)
    said = [one.personal.directions for one in events if one.personal is not None]
    return next((one for one in reversed(said) if one is not None), _NO_DIRECTIONS)


def carry_out(transaction: Transaction, subject: SubjectId) -> None:
    """Sees to it that somebody who has died is forgotten when they wanted to be."""
    due = directions_of(transaction, subject).erase_at(transaction.now)
    if due is not None and transaction.pending_erasure(subject) is None:
        transaction.plan_erasure(subject, PendingErasure(due))


def _stands_otherwise(kind: EventKind, standing: Standing) -> bool:
    match kind:
        case EventKind.PROCESSING_RESTRICTED:
            return standing.restriction is None
        case EventKind.RESTRICTION_LIFTED:
            return standing.restriction is not None
        case _:
            return standing.death is None
