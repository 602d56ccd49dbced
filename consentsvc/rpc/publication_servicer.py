"""PublicationService."""

from typing import Any

from consentsvc.domain import identifiers
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.identifiers import PurposeId
from consentsvc.domain.publication.profile import Profiles
from consentsvc.rpc import publications, scopes, translate
from consentsvc.rpc.limits import refuse_large
from consentsvc.rpc.reading import consistency
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.rpc.writing import request_of
from consentsvc.service.publications import PublicationQuestion, Publications, Report
from consentsvc.v1 import publication_service_pb2 as messages
from consentsvc.v1.publication_service_pb2_grpc import PublicationServiceServicer

# With the facts of a few contacts each, a batch of this many stays below a message's size limit.
_QUESTIONS = 2_000


class PublicationServicer(PublicationServiceServicer):
    """Answers what may be published, and records what became of it."""

    def __init__(self, published: Publications, profiles: Profiles, tokens: Tokens) -> None:
        self._published = published
        self._profiles = profiles
        self._tokens = tokens

    async def ListProfiles(
        self, request: messages.ListProfilesRequest, context: Any
    ) -> messages.ListProfilesResponse:
        """See the proto."""
        return messages.ListProfilesResponse(
            profiles=[
                publications.profile(one)
                for one in sorted(self._profiles.all, key=lambda one: one.id)
            ]
        )

    async def ResolvePublication(
        self, request: messages.ResolvePublicationRequest, context: Any
    ) -> messages.ResolvePublicationResponse:
        """See the proto."""
        try:
            question = publications.question(request.question)
        except InvalidRequest as error:
            raise error.within("question") from error
        try:
            answers = await self._published.resolve(
                PurposeId(request.question.purpose_id),
                [question],
                consistency(request.consistency, self._tokens),
            )
        except InvalidRequest as error:
            raise _of_question(error, "question") from error
        response = messages.ResolvePublicationResponse(
            read_at=self._tokens.make(Kind.FRESHNESS, answers.read_at),
            read_position=answers.read_at,
        )
        publications.answer(answers.published[0], response.publication)
        return response

    async def BatchResolvePublications(
        self, request: messages.BatchResolvePublicationsRequest, context: Any
    ) -> messages.BatchResolvePublicationsResponse:
        """See the proto."""
        refuse_large(len(request.questions), _QUESTIONS, "questions")
        purpose = request.questions[0].purpose_id
        response = messages.BatchResolvePublicationsResponse()
        asked: list[PublicationQuestion] = []
        places: list[messages.PublicationResult] = []
        for index, message in enumerate(request.questions):
            if message.purpose_id != purpose:
                field = f"questions[{index}].purpose_id"
                raise InvalidRequest.field(field, "must be that of the first")
            result = response.results.add()
            try:
                asked.append(publications.question(message))
            except InvalidRequest as error:
                publications.error(error.within(f"questions[{index}]"), result.error)
            else:
                places.append(result)
        try:
            answers = await self._published.resolve(
                PurposeId(purpose), asked, consistency(request.consistency, self._tokens)
            )
        except InvalidRequest as error:
            raise _of_question(error, "questions[0]") from error
        for result, published in zip(places, answers.published, strict=True):
            publications.answer(published, result.publication)
        response.read_at = self._tokens.make(Kind.FRESHNESS, answers.read_at)
        response.read_position = answers.read_at
        return response

    async def ReportPublication(
        self, request: messages.ReportPublicationRequest, context: Any
    ) -> messages.ReportPublicationResponse:
        """See the proto."""
        if request.scope.fields:
            raise InvalidRequest.field("scope.fields", "must be empty: the report names them")
        if not request.scope.contact_id:
            raise InvalidRequest.field("scope.contact_id", "must name the contact")
        written = await self._published.report(
            Report(
                purpose=PurposeId(request.purpose_id),
                subject=identifiers.subject_id(request.subject_id),
                actor=translate.somebody_else(request.actor),
                channel=translate.channel(request.channel),
                report=publications.report(
                    request.report, scopes.reach(request.scope, "scope"), "report"
                ),
                request=request_of(request, context),
            )
        )
        return messages.ReportPublicationResponse(
            position=written.outcomes[0].position or 0,
            written_at=self._tokens.make(Kind.FRESHNESS, written.written_at),
        )


def _of_question(error: InvalidRequest, field: str) -> InvalidRequest:
    """The refusal of a question's purpose, by its path in the request."""
    if error.violations[0].field == "purpose_id":
        return error.within(field)
    return error
