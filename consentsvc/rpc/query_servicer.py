"""ConsentQueryService."""

from collections.abc import AsyncIterator
from typing import Any

from consentsvc.domain import identifiers
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import InvalidRequest
from consentsvc.rpc import bulk, translate
from consentsvc.rpc.reading import consistency
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.service.ports import Question
from consentsvc.service.queries import Consistency, Queries
from consentsvc.v1 import consent_pb2 as consent_messages
from consentsvc.v1 import consent_query_service_pb2 as messages
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceServicer


class QueryServicer(ConsentQueryServiceServicer):
    """Answers checks."""

    def __init__(self, queries: Queries, catalogue: Catalogue, tokens: Tokens) -> None:
        self._queries = queries
        self._catalogue = catalogue
        self._tokens = tokens

    async def CheckConsent(
        self, request: messages.CheckConsentRequest, context: Any
    ) -> messages.CheckConsentResponse:
        """See the proto."""
        subject = identifiers.subject_id(request.subject_id)
        purpose = self._catalogue.undivided(request.purpose_id).id
        translate.no_scope(request.scope, "scope")
        checked = await self._queries.check(
            [Question(purpose, [subject])],
            self._consistency(request.consistency, request.with_withdrawal_token),
            with_tokens=request.with_withdrawal_token,
        )
        token = checked.tokens[0][0] if checked.tokens else None
        return messages.CheckConsentResponse(
            decision=translate.decision(checked.decisions[0][0], token),
            read_at=self._tokens.make(Kind.FRESHNESS, checked.read_at),
        )

    async def BatchCheckConsents(
        self, request: messages.BatchCheckConsentsRequest, context: Any
    ) -> messages.BatchCheckConsentsResponse:
        """See the proto."""
        decisions, read_at = await self._batch(request)
        return messages.BatchCheckConsentsResponse(decisions=decisions, read_at=read_at)

    async def StreamCheckConsents(
        self, request_iterator: AsyncIterator[messages.StreamCheckConsentsRequest], context: Any
    ) -> AsyncIterator[messages.StreamCheckConsentsResponse]:
        """See the proto."""
        async for request in request_iterator:
            decisions, read_at = await self._batch(request)
            yield messages.StreamCheckConsentsResponse(decisions=decisions, read_at=read_at)

    async def _batch(
        self, request: messages.BatchCheckConsentsRequest | messages.StreamCheckConsentsRequest
    ) -> tuple[messages.DecisionBatch, str]:
        batch = bulk.parse(request.batch, self._catalogue)
        checked = await self._queries.check(
            batch.questions,
            self._consistency(request.consistency, request.with_withdrawal_tokens),
            with_tokens=request.with_withdrawal_tokens,
        )
        decisions = bulk.decisions(batch, checked, with_tokens=request.with_withdrawal_tokens)
        return decisions, self._tokens.make(Kind.FRESHNESS, checked.read_at)

    def _consistency(self, message: consent_messages.Consistency, with_tokens: bool) -> Consistency:
        wanted = consistency(message, self._tokens)
        if with_tokens and wanted.as_of is not None:
            raise InvalidRequest.field(
                "consistency.as_of_time", "does not go together with withdrawal tokens"
            )
        return wanted
