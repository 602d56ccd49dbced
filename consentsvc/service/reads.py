"""Who has read what is held about a person: it is part of what is held (GDPR art. 5(2), 15)."""

from contextlib import suppress

from consentsvc.domain.errors import SubjectUnknown
from consentsvc.domain.events import Actor, ActorKind, EventKind, Evidence, NewEvent, Personal
from consentsvc.domain.identifiers import SubjectId
from consentsvc.service.ports import EventStore

_CHANNEL = "read"


class Reads:
    """Records reads."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def record(self, subject: SubjectId, reader: Actor | None, what: str) -> None:
        """Records that a reader looks at something, unless it is the subject.

        Comes before the read, so that whoever cannot be recorded reads nothing.
        """
        if reader is None or reader.kind is ActorKind.SUBJECT:
            return
        personal = Personal(subject, reader, _CHANNEL, Evidence(action=what))
        event = NewEvent(EventKind.RECORD_READ, personal=personal)
        with suppress(SubjectUnknown):  # who has just been erased is not there to be read
            await self._store.write(
                lambda transaction: transaction.append(event), {subject}, only_known=True
            )
