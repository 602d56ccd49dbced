"""Receipts, made for those whose events they prove."""

from typing import NamedTuple

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.encoding import read_header, read_personal_part
from consentsvc.domain.errors import EventUnknown
from consentsvc.domain.events import Event
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.notes import Note
from consentsvc.domain.receipts import Receipt, Wording
from consentsvc.service import consent_records
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.ports import EventStore


class Issued(NamedTuple):
    """A receipt, and the record that says the same in the words of ISO/IEC TS 27560, as JSON.

    There is no record of an event whose personal part is gone: it would have nothing to say.
    """

    receipt: Receipt
    record: str | None


class Receipts:
    """Makes receipts. The same event always gets the same one."""

    def __init__(self, store: EventStore, catalogue: Catalogue, checkpoints: Checkpoints) -> None:
        self._store = store
        self._catalogue = catalogue
        self._checkpoints = checkpoints

    async def issue(self, subject: SubjectId, position: Position) -> Issued:
        """Proves one event of a subject, once a checkpoint covers it.

        Raises `EventUnknown` for one that is not theirs.
        """
        leaf = await self._store.leaf(subject, position)
        if leaf is None:
            raise EventUnknown("the subject has no event at this position")
        checkpoint = await self._checkpoints.covering(position)
        path = await self._store.inclusion_proof(position, checkpoint.size)
        event = read_header(leaf.header).event
        wording = await self._wording(event)
        receipt = Receipt(
            leaf.header, tuple(path), Note.parse(checkpoint.note), leaf.opened, wording
        )
        if leaf.opened is None:
            return Issued(receipt, None)
        record = consent_records.record(
            event,
            read_personal_part(leaf.opened.personal),
            wording,
            None if event.purpose is None else self._catalogue.purposes.get(event.purpose),
            checkpoint.note.partition("\n")[0],
        )
        return Issued(receipt, record)

    async def _wording(self, event: Event) -> Wording | None:
        if event.notice is None:
            return None
        for one in await self._store.published():
            if (one.purpose, one.notice) == (event.purpose, event.notice):
                return Wording(one.title, one.text)
        return None
