"""ConsentEventService."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.identifiers import Position, PurposeId
from consentsvc.rpc import translate
from consentsvc.rpc.limits import MAX_PURPOSES, page_size, refuse_large, refuse_repeats
from consentsvc.rpc.reading import page_start
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.service.following import Following, States
from consentsvc.service.ports import Clock
from consentsvc.v1 import consent_event_service_pb2 as messages
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceServicer

_PAGE, _LARGEST_PAGE = 500, 1_000
_QUIET, _LONGEST_QUIET = 10, 60


class EventServicer(ConsentEventServiceServicer):
    """Hands out the log."""

    def __init__(
        self, following: Following, catalogue: Catalogue, tokens: Tokens, clock: Clock
    ) -> None:
        self._following = following
        self._catalogue = catalogue
        self._tokens = tokens
        self._clock = clock

    async def ListEvents(
        self, request: messages.ListEventsRequest, context: Any
    ) -> messages.ListEventsResponse:
        """See the proto."""
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        after = page_start(request.page_token, self._tokens, Kind.EVENTS)
        page = await self._following.page(after, size)
        last = page.events[-1].position if page.events else after
        return messages.ListEventsResponse(
            events=[translate.event(one) for one in page.events],
            next_page_token=self._tokens.make(Kind.EVENTS, last),
            at_head=last == page.head,
            head_position=page.head,
        )

    async def WatchEvents(
        self, request: messages.WatchEventsRequest, context: Any
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """See the proto."""
        watch = self._following.watch(self._start(request), _quiet(request))
        async with aclosing(watch) as stretches:
            async for stretch in stretches:
                yield messages.WatchEventsResponse(
                    events=[translate.event(one) for one in stretch.events],
                    cursor=self._tokens.make(Kind.EVENTS, stretch.through),
                    through_position=stretch.through,
                )

    async def AcknowledgeEvents(
        self, request: messages.AcknowledgeEventsRequest, context: Any
    ) -> messages.AcknowledgeEventsResponse:
        """See the proto."""
        token = self._tokens.open(request.cursor, "cursor", Kind.EVENTS)
        through = await self._following.acknowledge(request.follower_id, token.position)
        return messages.AcknowledgeEventsResponse(through_position=through)

    async def SyncConsents(
        self, request: messages.SyncConsentsRequest, context: Any
    ) -> AsyncIterator[messages.SyncConsentsResponse]:
        """See the proto."""
        refuse_large(len(request.purpose_ids), MAX_PURPOSES, "purpose_ids")
        refuse_repeats(request.purpose_ids, "purpose_ids")
        purposes = [
            self._catalogue.purpose(one, f"purpose_ids[{index}]").id
            for index, one in enumerate(request.purpose_ids)
        ]
        view = self._view(purposes)
        after = None
        if request.cursor:
            token = self._tokens.open(request.cursor, "cursor", Kind.STATES)
            after = token.position if token.context == view else None
        sync = self._following.sync(after, frozenset(purposes), _quiet(request))
        async with aclosing(sync) as copies:
            async for states in copies:
                yield self._states(states, purposes, view)

    def _start(self, request: messages.WatchEventsRequest) -> Position:
        match request.WhichOneof("start"):
            case "start_position":
                if request.start_position < 1:
                    raise InvalidRequest.field("start_position", "must be 1 or more")
                return Position(request.start_position - 1)
            case "cursor":
                return self._tokens.open(request.cursor, "cursor", Kind.EVENTS).position
            case _:
                raise InvalidRequest.field("start", "must say where to begin")

    def _view(self, purposes: list[PurposeId]) -> bytes:
        """What a copy's states depend on besides the log: another view needs a new snapshot."""
        seen = self._catalogue.digest + " ".join(sorted(purposes)).encode()
        return hashlib.sha256(seen).digest()[:8]

    def _states(
        self, states: States, purposes: list[PurposeId], view: bytes
    ) -> messages.SyncConsentsResponse:
        through = states.through
        return messages.SyncConsentsResponse(
            snapshot_start=states.starts,
            rules=[
                translate.rule(self._catalogue.purposes[one])
                for one in (purposes if states.starts else [])
            ],
            states=[
                *map(translate.subject_state, states.states),
                *(messages.SubjectState(pseudonym=one, erased=True) for one in states.erased),
            ],
            snapshot_complete=states.completes,
            cursor="" if through is None else self._tokens.make(Kind.STATES, through, view),
            through_position=through or 0,
            server_time=translate.timestamp(self._clock()),
        )


def _quiet(request: messages.WatchEventsRequest | messages.SyncConsentsRequest) -> timedelta:
    seconds = request.progress_seconds
    if not 0 <= seconds <= _LONGEST_QUIET:
        raise InvalidRequest.field("progress_seconds", f"must be 0 to {_LONGEST_QUIET}")
    return timedelta(seconds=seconds or _QUIET)
