"""The sweeper: time that has run out becomes an event, so that followers hear of it.

Answers do not wait for it: a decision looks at the clock itself.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.decision import REQUEST_OPEN_FOR, ran_out
from consentsvc.domain.errors import SubjectUnknown
from consentsvc.domain.events import THE_SYSTEM, EventKind, NewEvent, Personal
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add, add_months
from consentsvc.domain.publication import choices
from consentsvc.domain.scope import Scope
from consentsvc.service.jobs import repeat
from consentsvc.service.ports import Clock, Due, EventStore, Transaction

_log = structlog.get_logger(__name__)

# Expiries of one write: enough to get through a year's consents in minutes, few enough that a
# customer's save waits for no more than milliseconds.
_AT_ONCE = 200

# Months differ by up to three days, so the moment from which consents of a purpose have run out
# cannot be told by subtracting months alone. The decision has the last word on each.
_SLACK = timedelta(days=4)


class Sweeper:
    """Appends `consent_expired` for every consent and request whose time has run out."""

    def __init__(self, store: EventStore, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    async def sweep(self) -> int:
        """Records all that has run out by now, and tells how many events that took."""
        total = 0
        most = _AT_ONCE
        while True:
            due = await self._store.due(self._given_before(), self._requested_before(), most)
            swept = 0
            for first in range(0, len(due), _AT_ONCE):
                some = due[first : first + _AT_ONCE]
                subjects = {one.subject for one in some}
                with suppress(SubjectUnknown):  # one of them has just been erased
                    swept += await self._store.write(
                        partial(self._expire, some), subjects, only_known=True
                    )
            total += swept
            if swept == 0:
                if len(due) < most:
                    return total
                # At the end of a month an older consent may still run when a newer one is over:
                # behind those that were found there may be others.
                most *= 10

    async def run(self, every: timedelta) -> None:
        """Sweeps again and again until it is cancelled; what fails is tried again next time."""
        await repeat(self.sweep, every, "sweep_failed")

    def _given_before(self) -> dict[PurposeId, Instant]:
        now = self._clock()
        return {
            purpose.id: add(add_months(now, -purpose.validity_months), _SLACK)
            for purpose in self._catalogue.purposes.values()
            if purpose.validity_months is not None
        }

    def _requested_before(self) -> Instant:
        return add(self._clock(), -REQUEST_OPEN_FOR)

    def _expire(self, due: list[Due], transaction: Transaction) -> int:
        events = 0
        for subject, purpose_id in due:
            for what, scope in self._ran_out(transaction, subject, purpose_id):
                personal = Personal(subject, THE_SYSTEM, "expiry", scope=scope)
                transaction.append(
                    NewEvent(EventKind.CONSENT_EXPIRED, purpose_id, personal, refers_to=what)
                )
                events += 1
        return events

    def _ran_out(
        self, transaction: Transaction, subject: SubjectId, purpose_id: PurposeId
    ) -> Sequence[tuple[Position, Scope | None]]:
        purpose = self._catalogue.purposes.get(purpose_id)
        sayings = transaction.sayings(subject, purpose_id)
        consent = transaction.consent(subject, purpose_id)
        scoped = {
            mark.position
            for fields in sayings.values()
            for said in fields.values()
            for mark in (said.given, said.request)
            if mark is not None
        }
        # What was said before the purpose took a scope has none, and runs out like what it is.
        plain = (one for one in ran_out(purpose, consent, transaction.now) if one not in scoped)
        return [
            *choices.ran_out(purpose, sayings, transaction.now),
            *((what, None) for what in plain),
        ]
