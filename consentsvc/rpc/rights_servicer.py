"""SubjectRightsService."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import zip_longest
from typing import Any, Protocol

from consentsvc.domain import identifiers
from consentsvc.domain.errors import Error, InvalidRequest
from consentsvc.domain.events import Actor
from consentsvc.domain.identifiers import PurposeId, SubjectId
from consentsvc.rpc import importing, scopes, translate
from consentsvc.rpc.limits import MAX_PURPOSES, refuse_large, refuse_repeats
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.rpc.writing import Write, request_of
from consentsvc.service.erasures import Erasures
from consentsvc.service.exports import Exports, Part
from consentsvc.service.import_plans import Whence
from consentsvc.service.importing import Imports
from consentsvc.service.ports import Clock, KeptProof
from consentsvc.service.requests import Effect, Written
from consentsvc.service.rights import Instruction, Rights
from consentsvc.v1 import consent_pb2 as consent_messages
from consentsvc.v1 import subject_rights_service_pb2 as messages
from consentsvc.v1.subject_rights_service_pb2_grpc import SubjectRightsServiceServicer


class _Instructing(Write, Protocol):
    """What every request of this service says."""

    @property
    def subject_id(self) -> str: ...
    @property
    def actor(self) -> consent_messages.Actor: ...
    @property
    def channel(self) -> str: ...


class RightsServicer(SubjectRightsServiceServicer):
    """Carries out what the law gives a person beyond their choices."""

    def __init__(
        self,
        rights: Rights,
        erasures: Erasures,
        exports: Exports,
        imports: Imports,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._erasures = erasures
        self._exports = exports
        self._imports = imports
        self._tokens = tokens
        self._clock = clock

    async def RestrictProcessing(
        self, request: messages.RestrictProcessingRequest, context: Any
    ) -> messages.RestrictProcessingResponse:
        """See the proto."""
        actor = translate.actor(request.actor)
        written = await self._rights.restrict(_instruction(request, context, actor))
        return messages.RestrictProcessingResponse(
            effect=translate.effect(written.outcomes[0].effect), written_at=self._at(written)
        )

    async def LiftRestriction(
        self, request: messages.LiftRestrictionRequest, context: Any
    ) -> messages.LiftRestrictionResponse:
        """See the proto."""
        actor = translate.actor(request.actor)
        written = await self._rights.lift(_instruction(request, context, actor))
        return messages.LiftRestrictionResponse(
            effect=translate.effect(written.outcomes[0].effect), written_at=self._at(written)
        )

    async def RevokeConsents(
        self, request: messages.RevokeConsentsRequest, context: Any
    ) -> messages.RevokeConsentsResponse:
        """See the proto."""
        actor = translate.somebody_else(request.actor)
        refuse_large(len(request.purpose_ids), MAX_PURPOSES, "purpose_ids")
        refuse_repeats(request.purpose_ids, "purpose_ids")
        scope = scopes.scope(request.scope, "scope") if request.HasField("scope") else None
        written = await self._rights.revoke(
            _instruction(request, context, actor),
            [PurposeId(one) for one in request.purpose_ids],
            translate.revocation(request.reason),
            scope,
        )
        return messages.RevokeConsentsResponse(
            outcomes=[translate.outcome(one, scope=scope) for one in written.outcomes],
            written_at=self._at(written),
        )

    async def ReportDeath(
        self, request: messages.ReportDeathRequest, context: Any
    ) -> messages.ReportDeathResponse:
        """See the proto."""
        actor = translate.somebody_else(request.actor)
        written, erase_at = await self._rights.report_death(_instruction(request, context, actor))
        return messages.ReportDeathResponse(
            effect=translate.effect(written.outcomes[0].effect),
            written_at=self._at(written),
            erase_time=None if erase_at is None else translate.timestamp(erase_at),
        )

    async def RecordDirections(
        self, request: messages.RecordDirectionsRequest, context: Any
    ) -> messages.RecordDirectionsResponse:
        """See the proto."""
        instruction = _instruction(request, context, translate.actor(request.actor))
        directions = translate.directions(request.directions, self._clock())
        written = await self._rights.direct(instruction, directions)
        return messages.RecordDirectionsResponse(
            effect=translate.effect(written.outcomes[0].effect), written_at=self._at(written)
        )

    async def LinkSubjects(
        self, request: messages.LinkSubjectsRequest, context: Any
    ) -> messages.LinkSubjectsResponse:
        """See the proto."""
        instruction = _instruction(request, context, translate.actor(request.actor))
        other = identifiers.subject_id(request.other_subject_id, "other_subject_id")
        if other == instruction.subject:
            raise InvalidRequest.field("other_subject_id", "must not be the subject's own")
        written = await self._rights.link(instruction, other)
        return messages.LinkSubjectsResponse(
            outcomes=[translate.outcome(one) for one in written.outcomes],
            written_at=self._at(written),
        )

    async def EraseSubject(
        self, request: messages.EraseSubjectRequest, context: Any
    ) -> messages.EraseSubjectResponse:
        """See the proto."""
        actor = translate.actor(request.actor)
        erased = await self._erasures.erase(_instruction(request, context, actor))
        effect = Effect.UNCHANGED if erased.position is None else Effect.RECORDED
        return messages.EraseSubjectResponse(
            effect=translate.effect(effect),
            position=erased.position or 0,
            late_follower_ids=erased.late,
            kept_proofs=map(_kept_proof, erased.proofs),
            written_at=self._tokens.make(Kind.FRESHNESS, erased.written_at),
        )

    async def ExportSubject(
        self, request: messages.ExportSubjectRequest, context: Any
    ) -> AsyncIterator[messages.ExportSubjectResponse]:
        """See the proto."""
        actor = translate.actor(request.actor)
        instruction = _instruction(request, context, actor)
        export = self._exports.export(instruction, with_receipts=request.with_receipts)
        async with aclosing(export) as parts:
            async for part in parts:
                yield self._exported(instruction.subject, part)

    async def ImportEvents(
        self, request_iterator: AsyncIterator[messages.ImportEventsRequest], context: Any
    ) -> messages.ImportEventsResponse:
        """See the proto."""
        counted = await self._imports.begin()
        whence: Whence | None = None
        try:
            async for request in request_iterator:
                if whence is None:
                    whence = importing.whence(request, context)
                    continue
                told = await self._imports.record(whence, importing.events(request))
                counted = counted.followed_by(told)
        except Error as error:
            error.facts["accepted_events"] = str(counted.events)
            raise
        if whence is None:
            raise InvalidRequest.field("header", "must come first", accepted_events="0")
        return messages.ImportEventsResponse(
            recorded_count=counted.recorded,
            requested_count=counted.requested,
            repeated_count=counted.repeated,
            skipped_count=counted.skipped,
            written_at=self._tokens.make(Kind.FRESHNESS, counted.written_at),
        )

    def _exported(self, subject: SubjectId, part: Part) -> messages.ExportSubjectResponse:
        response = messages.ExportSubjectResponse(
            events=[
                messages.ExportedEvent(
                    event=translate.event(event, with_evidence=True), receipt=receipt
                )
                for event, receipt in zip_longest(part.events, part.receipts)
            ],
            notices=[
                messages.ExportedNotice(purpose_id=one.purpose, notice=translate.published(one))
                for one in part.notices
            ],
        )
        if part.held is not None:
            choices, events, made_at, proofs = part.held
            response.record.CopyFrom(
                messages.ExportedRecord(
                    subject_id=subject,
                    consents=map(translate.entry, choices.entries),
                    standing=translate.standing(choices.standing),
                    event_count=events,
                    read_position=choices.read_at,
                    export_time=translate.timestamp(made_at),
                    read_at=self._tokens.make(Kind.FRESHNESS, choices.read_at),
                    kept_proofs=map(_kept_proof, proofs),
                )
            )
        return response

    def _at(self, written: Written) -> str:
        return self._tokens.make(Kind.FRESHNESS, written.written_at)


def _kept_proof(one: KeptProof) -> messages.KeptProof:
    return messages.KeptProof(
        purpose_id=one.purpose,
        positions=one.positions,
        expire_time=translate.timestamp(one.until),
    )


def _instruction(request: _Instructing, context: Any, actor: Actor) -> Instruction:
    return Instruction(
        subject=identifiers.subject_id(request.subject_id),
        actor=actor,
        channel=translate.channel(request.channel),
        request=request_of(request, context),
    )
