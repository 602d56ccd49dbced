"""Events of elsewhere, recorded: once each, and only what still has a say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from consentsvc.domain.errors import InvalidRequest, RequestIdReused
from consentsvc.domain.events import EventKind, NewEvent
from consentsvc.domain.identifiers import START, Position, PurposeId, SubjectId
from consentsvc.domain.importing import Known, left, stands_otherwise
from consentsvc.domain.instants import Instant
from consentsvc.service.import_plans import Imported, Planned, Plans, Texts, Whence
from consentsvc.service.ports import EventStore, Transaction
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, once, recall
from consentsvc.service.rights import carry_out, directions_of


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


class Imports:
    """Records events of elsewhere. `origin` is this log's own."""

    def __init__(self, store: EventStore, plans: Plans, origin: str) -> None:
        self._store = store
        self._plans = plans
        self._origin = origin

    async def begin(self) -> Counted:
        """What became of nothing yet."""
        return Counted(0, 0, 0, 0, await self._store.head())

    async def record(self, whence: Whence, events: Sequence[Imported]) -> Counted:
        """Records all events or none; see `SubjectRightsService.ImportEvents` for the rules."""
        published: Texts = {(one.purpose, one.notice) for one in await self._store.published()}
        planned = []
        for index, one in enumerate(events):
            try:
                planned.append(await self._planned(whence, one, published))
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

    async def _planned(self, whence: Whence, one: Imported, published: Texts) -> Planned:
        planned = self._plans.plan(whence, one, published)
        personal = None if planned.event is None else planned.event.personal
        proven = None if personal is None else personal.provenance
        if proven is None or proven.log != self._origin or proven.position is None:
            return planned
        # Somebody who was erased has nothing in this log any more, and may come back.
        leaf = await self._store.leaf(planned.subject, proven.position)
        return planned._replace(here=leaf is not None and leaf.opened is not None)


def _imported(transaction: Transaction, planned: Planned, index: int) -> Effect | None:
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


def _recorded(transaction: Transaction, planned: Planned) -> Outcome:
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
    position = transaction.append(found)
    if found.kind is EventKind.DEATH_REPORTED:
        carry_out(transaction, planned.subject)
    return Outcome(effect, event.purpose, position)


def _left(
    transaction: Transaction, planned: Planned, event: NewEvent, since: Instant
) -> NewEvent | None:
    subject, purpose = planned.subject, event.purpose
    if purpose is None:
        return event if _stands_otherwise(transaction, subject, event, since) else None
    consent = transaction.consent(subject, purpose)
    scoped = event.personal is not None and event.personal.scope is not None
    sayings = transaction.sayings(subject, purpose) if scoped else {}
    tolerated_at = _happened(transaction, subject, purpose, consent.tolerated)
    return left(event, since, Known(planned.purpose, consent, sayings, tolerated_at))


def _stands_otherwise(
    transaction: Transaction, subject: SubjectId, event: NewEvent, since: Instant
) -> bool:
    standing = transaction.standing(subject)
    if event.kind is not EventKind.DIRECTIONS_RECORDED:
        restricted_at = _happened(transaction, subject, None, standing.restriction)
        return stands_otherwise(event.kind, since, standing, restricted_at)
    told = [
        one.holds_from
        for one in transaction.history(subject, None, START)
        if one.kind is EventKind.DIRECTIONS_RECORDED
    ]
    same = event.personal and event.personal.directions == directions_of(transaction, subject)
    return standing.death is None and since >= max(told, default=since) and not same


def _happened(
    transaction: Transaction,
    subject: SubjectId,
    purpose: PurposeId | None,
    position: Position | None,
) -> Instant | None:
    """When the event at a position happened, if there is one."""
    if position is None:
        return None
    return transaction.history(subject, purpose, Position(position - 1))[0].holds_from
