"""PublicationService: what may the public see, and what is the registry to be told?"""

from collections.abc import Sequence
from datetime import datetime

from consentclient import _outgoing as outgoing
from consentclient import _publication_words as words
from consentclient._channel import Calls
from consentclient._enums import ActorKind, ContactRole
from consentclient._errors import ConsentError
from consentclient._model import Actor, PublicationReport, Scope
from consentclient._publication_model import Profile, Publication, PublicationQuestion, Reported
from consentsvc.v1 import publication_service_pb2 as messages

MAX_QUESTIONS = 2_000
_SYSTEM = Actor(ActorKind.SYSTEM)


class PublicationCalls(Calls):
    """What the registry sync job and the RDAP front end ask."""

    async def list_profiles(self) -> list[Profile]:
        """The registries' rules that the service knows, by id."""
        return await self._connection.call(
            self._connection.stubs.publications.ListProfiles,
            messages.ListProfilesRequest(),
            words.profiles,
        )

    async def resolve(
        self,
        question: PublicationQuestion,
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it goes over the wire as the deadline
    ) -> Publication:
        """Asks about one contact in one role; an error says nothing about what may be published."""
        return await self._connection.call(
            self._connection.stubs.publications.ResolvePublication,
            messages.ResolvePublicationRequest(
                question=words.question(question),
                consistency=outgoing.consistency(at_least_as_fresh, as_of),
            ),
            lambda answer: words.publication(
                answer.publication, answer.read_at, answer.read_position
            ),
            timeout,
        )

    async def resolve_many(
        self,
        questions: Sequence[PublicationQuestion],
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it goes over the wire as the deadline
    ) -> list[Publication | ConsentError]:
        """Asks about up to 2,000 contacts, all at one position of the log.

        The answers are in the order of the questions; one that cannot be answered has its error in
        its place, and spoils no other.
        """
        if len(questions) > MAX_QUESTIONS:
            raise ValueError(f"more than {MAX_QUESTIONS} questions")
        if not questions:
            return []
        return await self._connection.call(
            self._connection.stubs.publications.BatchResolvePublications,
            messages.BatchResolvePublicationsRequest(
                questions=[words.question(one) for one in questions],
                consistency=outgoing.consistency(at_least_as_fresh, as_of),
            ),
            lambda answer: words.publications(answer, len(questions)),
            timeout,
        )

    async def report_publication(
        self,
        subject_id: str,
        purpose_id: str,
        report: PublicationReport,
        *,
        contact_id: str,
        domain: str | None = None,
        role: ContactRole | None = None,
        channel: str,
        actor: Actor = _SYSTEM,
        request_id: str | None = None,
    ) -> Reported:
        """Records what a registry made of what it was told. Changes no consent."""
        return await self._connection.call(
            self._connection.stubs.publications.ReportPublication,
            messages.ReportPublicationRequest(
                purpose_id=purpose_id,
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                scope=outgoing.scope(Scope(frozenset(), contact_id, domain, role)),
                report=outgoing.report(report),
                request_id=outgoing.request_id(request_id),
            ),
            lambda answer: Reported(answer.position, answer.written_at),
        )
