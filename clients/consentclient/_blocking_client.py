"""The client for programs that wait."""

from collections.abc import Generator, Iterable, Sequence
from types import TracebackType
from typing import Self

import grpc

from consentclient._blocking import BlockingCalls
from consentclient._blocking_consents import BlockingConsentCalls
from consentclient._blocking_publications import BlockingPublicationCalls
from consentclient._blocking_queries import BlockingQueryCalls
from consentclient._channel import Connection
from consentclient._enums import RevocationReason
from consentclient._imports import CHUNK, Import
from consentclient._model import (
    SUBJECT,
    Actor,
    Died,
    Directions,
    Erased,
    EventBatch,
    EventPage,
    ExportPart,
    ImportCounts,
    ImportedEvent,
    InclusionProof,
    Recorded,
    Scope,
    SignedCheckpoint,
    Updated,
)
from consentclient._retry import USUAL, Retry
from consentclient._stream import chunks


class BlockingEventCalls(BlockingCalls):
    """What followers read."""

    def list_events(self, after: str | None = None, *, page_size: int = 500) -> EventPage:
        """See `AsyncConsentClient.list_events`."""
        return self._background.run(self._client.list_events(after, page_size=page_size))

    def acknowledge(self, follower_id: str, cursor: str) -> int:
        """See `AsyncConsentClient.acknowledge`."""
        return self._background.run(self._client.acknowledge(follower_id, cursor))

    def watch(
        self,
        start_position: int | None = None,
        cursor: str | None = None,
        progress_seconds: int = 0,
    ) -> Generator[EventBatch, None, None]:
        """See `AsyncConsentClient.watch`."""
        return self._background.iterate(
            self._client.watch(start_position, cursor, progress_seconds)
        )


class BlockingProofCalls(BlockingCalls):
    """What an auditor asks for."""

    def checkpoint(self, covering_position: int | None = None) -> SignedCheckpoint | None:
        """See `AsyncConsentClient.checkpoint`."""
        return self._background.run(self._client.checkpoint(covering_position))

    def inclusion_proof(self, position: int, tree_size: int) -> InclusionProof:
        """See `AsyncConsentClient.inclusion_proof`."""
        return self._background.run(self._client.inclusion_proof(position, tree_size))

    def consistency_proof(self, old_tree_size: int, new_tree_size: int) -> tuple[bytes, ...]:
        """See `AsyncConsentClient.consistency_proof`."""
        return self._background.run(self._client.consistency_proof(old_tree_size, new_tree_size))


class BlockingRightsCalls(BlockingCalls):
    """What the data protection officer does."""

    def restrict(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Recorded:
        """See `AsyncConsentClient.restrict`."""
        return self._background.run(
            self._client.restrict(subject_id, actor=actor, channel=channel, request_id=request_id)
        )

    def lift_restriction(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Recorded:
        """See `AsyncConsentClient.lift_restriction`."""
        return self._background.run(
            self._client.lift_restriction(
                subject_id, actor=actor, channel=channel, request_id=request_id
            )
        )

    def revoke(
        self,
        subject_id: str,
        purpose_ids: Sequence[str],
        *,
        reason: RevocationReason,
        actor: Actor,
        channel: str,
        scope: Scope | None = None,
        request_id: str | None = None,
    ) -> Updated:
        """See `AsyncConsentClient.revoke`."""
        return self._background.run(
            self._client.revoke(
                subject_id,
                purpose_ids,
                reason=reason,
                actor=actor,
                channel=channel,
                scope=scope,
                request_id=request_id,
            )
        )

    def report_death(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Died:
        """See `AsyncConsentClient.report_death`."""
        return self._background.run(
            self._client.report_death(
                subject_id, actor=actor, channel=channel, request_id=request_id
            )
        )

    def direct(
        self,
        subject_id: str,
        directions: Directions,
        *,
        actor: Actor = SUBJECT,
        channel: str,
        request_id: str | None = None,
    ) -> Recorded:
        """See `AsyncConsentClient.direct`."""
        return self._background.run(
            self._client.direct(
                subject_id, directions, actor=actor, channel=channel, request_id=request_id
            )
        )

    def link(
        self,
        subject_id: str,
        other_subject_id: str,
        *,
        actor: Actor = SUBJECT,
        channel: str,
        request_id: str | None = None,
    ) -> Updated:
        """See `AsyncConsentClient.link`."""
        return self._background.run(
            self._client.link(
                subject_id,
                other_subject_id,
                actor=actor,
                channel=channel,
                request_id=request_id,
            )
        )

    def erase(
        self,
        subject_id: str,
        *,
        actor: Actor,
        channel: str,
        request_id: str | None = None,
        patience: float = 120.0,
    ) -> Erased:
        """See `AsyncConsentClient.erase`."""
        return self._background.run(
            self._client.erase(
                subject_id, actor=actor, channel=channel, request_id=request_id, patience=patience
            )
        )

    def import_events(
        self,
        events: Iterable[ImportedEvent],
        *,
        source: str,
        actor: Actor,
        channel: str,
    ) -> ImportCounts:
        """See `AsyncConsentClient.import_events`. The events are read on the caller's thread."""
        importing = Import(self._connection, source, actor, channel)
        for chunk in chunks(events, CHUNK):
            self._background.run(importing.send(chunk))
        if not importing.counts.written_at:
            self._background.run(importing.send([]))
        return importing.counts

    def export(
        self,
        subject_id: str,
        *,
        actor: Actor,
        channel: str,
        with_receipts: bool = False,
        request_id: str | None = None,
    ) -> Generator[ExportPart, None, None]:
        """See `AsyncConsentClient.export`."""
        return self._background.iterate(
            self._client.export(
                subject_id,
                actor=actor,
                channel=channel,
                with_receipts=with_receipts,
                request_id=request_id,
            )
        )


class ConsentClient(
    BlockingQueryCalls,
    BlockingConsentCalls,
    BlockingPublicationCalls,
    BlockingEventCalls,
    BlockingRightsCalls,
    BlockingProofCalls,
):
    """As `AsyncConsentClient`, for programs that wait, in a `with` block.

    Threads may share it. An iterator belongs to the thread that iterates.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 5.0,
        retry: Retry = USUAL,
    ) -> None:
        super().__init__(Connection(target, credentials, timeout, retry))

    def __enter__(self) -> Self:
        self._background.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._background.stop()
