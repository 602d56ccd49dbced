"""An import of any length, as streams that can each be sent again."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import grpc

from consentclient import _incoming as incoming
from consentclient import _outgoing as outgoing
from consentclient._channel import Connection, in_our_words
from consentclient._errors import AnswerNotUnderstood, ConsentError
from consentclient._model import Actor, ImportCounts, ImportedEvent
from consentclient._retry import Attempts
from consentsvc.v1 import subject_rights_service_pb2 as messages

# As many as the service takes in a message; and half of what a message may hold, because a receipt
# with all the evidence that there can be has a hundred thousand bytes.
_MESSAGE = 100
_MESSAGE_BYTES = 4 * 1024 * 1024

CHUNK = 1_000
"""How many events a stream has: what is held here, and sent again if the stream is cut."""


class Import:
    """Events of one source, sent in order, and what became of them so far."""

    def __init__(self, connection: Connection, source: str, actor: Actor, channel: str) -> None:
        self._connection = connection
        self._header = messages.ImportHeader(
            source=source, actor=outgoing.actor(actor), channel=channel
        )
        self.counts = ImportCounts(0, 0, 0, 0, "")

    async def send(self, events: Sequence[ImportedEvent]) -> None:
        """Sends a chunk, within the connection's timeout for each message.

        An error tells in `accepted_events` how many there were before, those of earlier chunks
        included.
        """
        parts = _parts(map(outgoing.imported, events))
        requests = [
            messages.ImportEventsRequest(header=self._header),
            *(messages.ImportEventsRequest(events=part) for part in parts),
        ]
        try:
            told = await self._asked(requests)
        except ConsentError as error:
            if "accepted_events" in error.metadata:
                accepted = self._accepted() + int(error.metadata["accepted_events"])
                error.metadata["accepted_events"] = str(accepted)
            raise
        self.counts = replace(
            told,
            recorded=self.counts.recorded + told.recorded,
            requested=self.counts.requested + told.requested,
            repeated=self.counts.repeated + told.repeated,
            skipped=self.counts.skipped + told.skipped,
        )

    def _accepted(self) -> int:
        counts = self.counts
        return counts.recorded + counts.requested + counts.repeated + counts.skipped

    async def _asked(self, requests: Sequence[messages.ImportEventsRequest]) -> ImportCounts:
        now = asyncio.get_running_loop().time
        deadline = now() + self._connection.timeout * len(requests)
        attempts = Attempts(self._connection.retry)
        while True:
            try:
                with in_our_words():
                    method = self._connection.stubs.rights.ImportEvents
                    response = await method(iter(requests), timeout=deadline - now())
                    if response is None:
                        raise AnswerNotUnderstood("the answer is no message of the expected type")
                    return incoming.import_counts(response)
            except grpc.aio.AioRpcError as error:
                await attempts.pause(error, deadline)


def _parts(events: Iterable[messages.ImportedEvent]) -> Iterator[list[messages.ImportedEvent]]:
    """Cuts events into what fits into a message."""
    part: list[messages.ImportedEvent] = []
    size = 0
    for event in events:
        if part and (len(part) == _MESSAGE or size + event.ByteSize() > _MESSAGE_BYTES):
            yield part
            part, size = [], 0
        part.append(event)
        size += event.ByteSize()
    if part:
        yield part
