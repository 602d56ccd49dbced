"""PublicationService, for programs that wait."""

from collections.abc import Sequence
from datetime import datetime

from consentclient._blocking import BlockingCalls
from consentclient._enums import ActorKind, ContactRole
from consentclient._errors import ConsentError
from consentclient._model import Actor, PublicationReport
from consentclient._publication_model import Profile, Publication, PublicationQuestion, Reported

_SYSTEM = Actor(ActorKind.SYSTEM)


class BlockingPublicationCalls(BlockingCalls):
    """What the registry sync job and the RDAP front end ask."""

    def list_profiles(self) -> list[Profile]:
        """See `AsyncConsentClient.list_profiles`."""
        return self._background.run(self._client.list_profiles())

    def resolve(
        self,
        question: PublicationQuestion,
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        timeout: float | None = None,
    ) -> Publication:
        """See `AsyncConsentClient.resolve`."""
        return self._background.run(
            self._client.resolve(
                question, at_least_as_fresh=at_least_as_fresh, as_of=as_of, timeout=timeout
            )
        )

    def resolve_many(
        self,
        questions: Sequence[PublicationQuestion],
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        timeout: float | None = None,
    ) -> list[Publication | ConsentError]:
        """See `AsyncConsentClient.resolve_many`."""
        return self._background.run(
            self._client.resolve_many(
                questions, at_least_as_fresh=at_least_as_fresh, as_of=as_of, timeout=timeout
            )
        )

    def report_publication(
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
        """See `AsyncConsentClient.report_publication`."""
        return self._background.run(
            self._client.report_publication(
                subject_id,
                purpose_id,
                report,
                contact_id=contact_id,
                domain=domain,
                role=role,
                channel=channel,
                actor=actor,
                request_id=request_id,
            )
        )
