"""Forgetting a person (GDPR art. 17): everything is ended, acted upon, and then destroyed."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.changes import erasure_ends
from consentsvc.domain.errors import StoreUnavailable, SubjectUnknown
from consentsvc.domain.events import (
    THE_SYSTEM,
    Actor,
    EventKind,
    NewEvent,
    Personal,
    RevocationReason,
)
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add, add_months
from consentsvc.domain.publication.choices import denial_changes
from consentsvc.domain.scope import EVERYTHING
from consentsvc.service.jobs import repeat
from consentsvc.service.ports import (
    Clock,
    EventStore,
    KeptProof,
    PendingErasure,
    Transaction,
)
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, once
from consentsvc.service.rights import Instruction

_log = structlog.get_logger(__name__)

# How soon it is noticed that a follower has acted.
_LOOK_EVERY_SECONDS = 0.1

# Looked at in one go; the others are when these are done.
_AT_ONCE = 100


class Erased(NamedTuple):
    """What became of an erasure.

    `position` is None for somebody about whom nothing was held. `late` names the followers that had
    not acted when the time was over.
    """

    position: Position | None
    late: Sequence[str]
    proofs: Sequence[KeptProof]
    written_at: Position


class Erasures:
    """Forgets people.

    `followers` have to act first, such as the one that hides at a registry what a person has had
    published; they are waited for as long as `patience`, and no longer.
    """

    def __init__(
        self,
        store: EventStore,
        catalogue: Catalogue,
        clock: Clock,
        followers: Collection[str],
        patience: timedelta,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._followers = frozenset(followers)
        self._patience = patience

    async def erase(self, instruction: Instruction) -> Erased:
        """Forgets a subject, and returns when all of it is done.

        One that is cancelled goes on: `run` sees to it. A repeat waits for the same end.
        """
        subject = instruction.subject
        # What another call has just recorded is not begun again.
        await self._store.finish_erasures()
        _, known = await self._store.subject_record(subject)
        if known is None:
            return await self._done(subject, None, ())

        def begin(transaction: Transaction) -> list[Outcome]:
            if transaction.is_erased(subject):
                return [UNCHANGED]
            self._begin(transaction, subject, instruction.actor, instruction.channel)
            return [Outcome(Effect.RECORDED)]

        try:
            await self._store.write(
                lambda transaction: once(
                    transaction, instruction.request, subject, lambda: begin(transaction)
                ),
                {subject},
                only_known=True,
            )
        except SubjectUnknown:
            return await self._done(subject, None, ())
        late: Sequence[str] = ()
        while pending := await self._store.pending_erasure(subject):
            late = await self._advance(subject, pending)
            if await self._store.pending_erasure(subject) is not None:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        while not await self._store.finish_erasures():  # noqa: ASYNC110 - readers may be other processes
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return await self._done(subject, await self._store.erased_at(known.pseudonym), late)

    async def sweep(self) -> None:
        """Brings every erasure that is due one step further."""
        await self._store.finish_erasures()
        for subject, pending in await self._store.pending_erasures(self._clock(), _AT_ONCE):
            try:
                await self._advance(subject, pending)
            except StoreUnavailable as error:
                # One person whose record is damaged must not stand in the way of all others.
                cause = type(error.__cause__).__name__
                _log.warning("erasure_failed", position=pending.begun, cause=cause)

    async def run(self, every: timedelta) -> None:
        """Sweeps again and again until it is cancelled; what fails is tried again next time."""
        await repeat(self.sweep, every, "erasures_failed")

    async def _done(
        self, subject: SubjectId, position: Position | None, late: Sequence[str]
    ) -> Erased:
        proofs = await self._store.kept_proofs(subject)
        return Erased(position, late, proofs, await self._store.head())

    async def _advance(self, subject: SubjectId, pending: PendingErasure) -> Sequence[str]:
        """Goes on as far as that is possible now; returns which followers have not acted yet."""
        late: Sequence[str] = sorted(self._followers)
        if pending.begun is not None and pending.begun_at is not None:
            late = await self._late(pending.begun)
            if late and self._clock() < add(pending.begun_at, self._patience):
                return late
        try:
            erased = await self._store.write(
                lambda transaction: self._end(transaction, subject, pending),
                {subject},
                only_known=True,
            )
        except SubjectUnknown:
            return late  # somebody else has gone on
        if erased is not None:
            await self._store.finish_erasures()
            _log.info("erased", position=erased, late=list(late))
        return late

    def _end(
        self, transaction: Transaction, subject: SubjectId, seen: PendingErasure
    ) -> Position | None:
        """Erases the subject, unless something was left to end: then followers come first."""
        pending = transaction.pending_erasure(subject)
        if pending is None or pending != seen:
            return None  # somebody else has gone on
        ended = self._begin(transaction, subject, THE_SYSTEM, "erasure")
        begun_at = pending.begun_at
        over = begun_at is not None and transaction.now >= add(begun_at, self._patience)
        if self._followers and not over and (ended or begun_at is None):
            return None
        return transaction.erase(subject, self._proofs(transaction.now))

    async def _late(self, position: Position) -> list[str]:
        acknowledged = await self._store.acknowledged()
        return sorted(
            one for one in self._followers if acknowledged.get(one, Position(0)) < position
        )

    def _begin(
        self, transaction: Transaction, subject: SubjectId, actor: Actor, channel: str
    ) -> bool:
        """Ends every yes; tells whether there was one. Followers are waited for from then on."""
        ended = False
        for purpose in self._catalogue.purposes.values():
            scope = EVERYTHING if purpose.takes_scope else None
            kind = _ends(transaction, subject, purpose)
            if kind is None:
                continue
            revokes = kind is EventKind.CONSENT_REVOKED
            reason = RevocationReason.ERASURE if revokes else None
            personal = Personal(subject, actor, channel, revocation=reason, scope=scope)
            transaction.append(NewEvent(kind, purpose.id, personal))
            ended = True
        pending = transaction.pending_erasure(subject)
        if ended or pending is None or pending.begun is None:
            begun_at = (pending and pending.begun_at) or transaction.now
            due = transaction.now if pending is None else min(pending.due, transaction.now)
            transaction.plan_erasure(subject, PendingErasure(due, transaction.head, begun_at))
        return ended

    def _proofs(self, now: Instant) -> dict[PurposeId, Instant]:
        return {
            purpose.id: add_months(now, purpose.proof_months)
            for purpose in self._catalogue.purposes.values()
            if purpose.proof_months is not None
        }


def _ends(transaction: Transaction, subject: SubjectId, purpose: Purpose) -> EventKind | None:
    """Which event ends what may be a yes, or become one; None if there is nothing."""
    if not purpose.takes_scope:
        return erasure_ends(purpose, transaction.consent(subject, purpose.id))
    sayings = transaction.sayings(subject, purpose.id)
    said = [one for fields in sayings.values() for one in fields.values()]
    kind = EventKind.CONSENT_REVOKED
    if any(one.given or one.request for one in said):
        return kind if denial_changes(kind, EVERYTHING, None, sayings) else None
    return None
