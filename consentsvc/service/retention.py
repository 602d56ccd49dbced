"""Retention: what is about a person goes when its time is over, and what proves anything stays."""

from datetime import timedelta

import structlog

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import Pseudonym, PurposeId
from consentsvc.domain.instants import Instant, add_months
from consentsvc.service.jobs import repeat
from consentsvc.service.ports import Clock, EventStore

_log = structlog.get_logger(__name__)

# Subjects looked at in one go, so that nobody waits behind a whole log.
_AT_ONCE = 200


class Retention:
    """Applies the catalogue's retention, purpose by purpose.

    Events never change. What decides no more for longer than the purpose keeps it loses its
    personal part; a consent that stands is left alone, however old it is.
    """

    def __init__(self, store: EventStore, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    async def sweep(self) -> int:
        """Empties what has to be, everywhere; tells how many events that were."""
        now = self._clock()
        emptied = 0
        for purpose in self._catalogue.purposes.values():
            if purpose.retention_months is not None:
                before = add_months(now, -purpose.retention_months)
                emptied += await self._empty(purpose.id, before)
        dropped = await self._store.drop_proofs(now)
        if emptied or dropped:
            _log.info("retention", emptied=emptied, proofs_dropped=dropped)
        return emptied

    async def run(self, every: timedelta) -> None:
        """Sweeps again and again until it is cancelled; what fails is tried again next time."""
        await repeat(self.sweep, every, "retention_failed")

    async def _empty(self, purpose: PurposeId, before: Instant) -> int:
        emptied = 0
        last: Pseudonym | None = None
        while True:
            last, number = await self._store.empty_ended(purpose, before, last, _AT_ONCE)
            emptied += number
            if last is None:
                return emptied
