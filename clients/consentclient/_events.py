"""ConsentEventService: the log, for followers."""

from collections.abc import AsyncGenerator

import grpc

from consentclient import _incoming as incoming
from consentclient._channel import Calls, in_our_words, read
from consentclient._model import EventBatch, EventPage
from consentclient._retry import Attempts
from consentsvc.v1 import consent_event_service_pb2 as messages

# What the service takes if it is not told: said all the same, to know how long a silence may last.
_PROGRESS_SECONDS = 10


class EventCalls(Calls):
    """What followers read."""

    async def list_events(self, after: str | None = None, *, page_size: int = 500) -> EventPage:
        """A page of the log after a cursor, or its first one."""
        return await self._connection.call(
            self._connection.stubs.events.ListEvents,
            messages.ListEventsRequest(page_size=page_size, page_token=after or ""),
            lambda answer: EventPage(
                incoming.events(answer.events),
                answer.next_page_token,
                answer.at_head,
                answer.head_position,
            ),
        )

    async def acknowledge(self, follower_id: str, cursor: str) -> int:
        """Says that a follower has acted on everything through a cursor; returns its position.

        For one that the service waits for before it forgets anybody; for any other,
        `InvalidRequest`.
        """
        return await self._connection.call(
            self._connection.stubs.events.AcknowledgeEvents,
            messages.AcknowledgeEventsRequest(follower_id=follower_id, cursor=cursor),
            lambda answer: answer.through_position,
        )

    async def watch(
        self,
        start_position: int | None = None,
        cursor: str | None = None,
        progress_seconds: int = 0,
    ) -> AsyncGenerator[EventBatch, None]:
        """Yields the log from a position or a cursor on, without end.

        Opens a stream that was cut again from the last cursor, within the retry policy; the
        attempts count anew whenever something arrives. A quiet log yields batches without events,
        every `progress_seconds` (1 to 60; 0 for 10); `DeadlineExceeded` is raised if even those
        do not come.
        """
        if (start_position is None) == (cursor is None):
            raise ValueError("give one of start_position and cursor")
        progress = progress_seconds or _PROGRESS_SECONDS
        request = messages.WatchEventsRequest(progress_seconds=progress)
        if start_position is not None:
            request.start_position = start_position
        else:
            request.cursor = cursor or ""
        method = self._connection.stubs.events.WatchEvents
        attempts = Attempts(self._connection.retry)
        while True:
            with in_our_words():
                call = method(request)
            try:
                while True:
                    batch = await read(call, _batch, progress + self._connection.timeout)
                    attempts.renew()
                    request.cursor = batch.cursor
                    yield batch
            except grpc.aio.AioRpcError as error:
                await attempts.pause(error)
            finally:
                call.cancel()


def _batch(message: messages.WatchEventsResponse) -> EventBatch:
    return EventBatch(incoming.events(message.events), message.cursor, message.through_position)
