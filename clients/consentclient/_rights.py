"""SubjectRightsService: what the law gives a person beyond their choices."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence

import grpc

from consentclient import _incoming as incoming
from consentclient import _outgoing as outgoing
from consentclient import _statuses as statuses
from consentclient._channel import Calls, in_our_words, read
from consentclient._enums import RevocationReason
from consentclient._errors import AnswerNotUnderstood
from consentclient._imports import CHUNK, Import
from consentclient._model import (
    SUBJECT,
    Actor,
    Died,
    Directions,
    Erased,
    ExportPart,
    ImportCounts,
    ImportedEvent,
    Recorded,
    Scope,
    Updated,
)
from consentclient._stream import in_chunks
from consentsvc.v1 import subject_rights_service_pb2 as messages


class RightsCalls(Calls):
    """What the data protection officer does."""

    async def restrict(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Recorded:
        """Freezes every purpose for the subject (GDPR art. 18). Nothing is lost."""
        return await self._connection.call(
            self._connection.stubs.rights.RestrictProcessing,
            messages.RestrictProcessingRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                request_id=outgoing.request_id(request_id),
            ),
            incoming.recorded,
        )

    async def lift_restriction(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Recorded:
        """Ends the freeze: the answers are those of the choices again."""
        return await self._connection.call(
            self._connection.stubs.rights.LiftRestriction,
            messages.LiftRestrictionRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                request_id=outgoing.request_id(request_id),
            ),
            incoming.recorded,
        )

    async def revoke(
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
        """Ends consents on somebody else's authority: all that are named, or none.

        The scope is for purposes that take one.
        """
        if isinstance(purpose_ids, str):
            raise TypeError("purpose_ids must be a list of purposes, not one")
        return await self._connection.call(
            self._connection.stubs.rights.RevokeConsents,
            messages.RevokeConsentsRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                purpose_ids=purpose_ids,
                reason=outgoing.revocation(reason),
                scope=outgoing.scope(scope),
                request_id=outgoing.request_id(request_id),
            ),
            incoming.updated,
        )

    async def report_death(
        self, subject_id: str, *, actor: Actor, channel: str, request_id: str | None = None
    ) -> Died:
        """Records that the subject has died: from here on every check answers no.

        Their directions are carried out: the answer tells when they are forgotten.
        """
        return await self._connection.call(
            self._connection.stubs.rights.ReportDeath,
            messages.ReportDeathRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                request_id=outgoing.request_id(request_id),
            ),
            incoming.died,
        )

    async def direct(
        self,
        subject_id: str,
        directions: Directions,
        *,
        actor: Actor = SUBJECT,
        channel: str,
        request_id: str | None = None,
    ) -> Recorded:
        """Records what the subject wants to become of their data after their death.

        The last word counts. `SubjectDeceased` after the report of a death.
        """
        return await self._connection.call(
            self._connection.stubs.rights.RecordDirections,
            messages.RecordDirectionsRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                directions=outgoing.directions(directions),
                request_id=outgoing.request_id(request_id),
            ),
            incoming.recorded,
        )

    async def link(
        self,
        subject_id: str,
        other_subject_id: str,
        *,
        actor: Actor = SUBJECT,
        channel: str,
        request_id: str | None = None,
    ) -> Updated:
        """Joins somebody who was known by another id: their no holds for the subject too.

        The outcomes are those of what was recorded, none if the subject had all of it.
        """
        return await self._connection.call(
            self._connection.stubs.rights.LinkSubjects,
            messages.LinkSubjectsRequest(
                subject_id=subject_id,
                other_subject_id=other_subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                request_id=outgoing.request_id(request_id),
            ),
            incoming.updated,
        )

    async def erase(
        self,
        subject_id: str,
        *,
        actor: Actor,
        channel: str,
        request_id: str | None = None,
        patience: float = 120.0,
    ) -> Erased:
        """Forgets a subject (GDPR art. 17), and returns when all of it is done.

        The service first waits for those who have to act, 45 seconds unless told otherwise:
        `patience` is for how many seconds this waits in all. It goes on if this gives up before.
        """
        return await self._connection.call(
            self._connection.stubs.rights.EraseSubject,
            messages.EraseSubjectRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                request_id=outgoing.request_id(request_id),
            ),
            incoming.erased,
            patience,
        )

    async def import_events(
        self,
        events: Iterable[ImportedEvent] | AsyncIterable[ImportedEvent],
        *,
        source: str,
        actor: Actor,
        channel: str,
    ) -> ImportCounts:
        """Takes over events of elsewhere, those of one subject in the order they happened in.

        Counts those that were recorded as they were; consents that nothing proves and that became
        requests; those that had been imported before, also by an attempt whose answer was lost; and
        those that were passed over, as something newer stands or nothing would change. One that was
        cut is sent again whole. The metadata of an error has as `accepted_events` how many events
        came before its message; the path of a field counts from there.
        """
        importing = Import(self._connection, source, actor, channel)
        async for chunk in in_chunks(events, CHUNK):
            await importing.send(chunk)
        if not importing.counts.written_at:
            await importing.send([])
        return importing.counts

    async def export(
        self,
        subject_id: str,
        *,
        actor: Actor,
        channel: str,
        with_receipts: bool = False,
        request_id: str | None = None,
    ) -> AsyncGenerator[ExportPart, None]:
        """Yields everything that is held about a subject (GDPR art. 15 and 20), in parts.

        Whoever is not the subject is recorded as having been handed it out. One that was cut is
        begun anew: by the same `request_id` that is recorded once.
        """
        connection = self._connection
        with in_our_words():
            call = connection.stubs.rights.ExportSubject(
                messages.ExportSubjectRequest(
                    subject_id=subject_id,
                    actor=outgoing.actor(actor),
                    channel=channel,
                    request_id=outgoing.request_id(request_id),
                    with_receipts=with_receipts,
                )
            )
        # The receipts of one part may have to wait for one to be signed.
        patience = connection.timeout * (1 + with_receipts)
        try:
            count, read_so_far, first = 0, 0, True
            while first or read_so_far < count:
                try:
                    part, events = await read(
                        call, lambda one: (incoming.exported(one), len(one.events)), patience
                    )
                except grpc.aio.AioRpcError as error:
                    raise statuses.from_call(error) from None
                if first:
                    if part.record is None:
                        raise AnswerNotUnderstood("an export begins with what stands")
                    count, first = part.record.event_count, False
                read_so_far += events
                yield part
        finally:
            call.cancel()
