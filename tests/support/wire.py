"""A real server on a real port, and a caller's view of it."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from consentsvc import profiles
from consentsvc.config import Settings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.publication.profile import Profiles
from consentsvc.server import Server, started
from consentsvc.service.ports import Clock, EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from consentsvc.v1.proof_service_pb2_grpc import ProofServiceStub
from consentsvc.v1.publication_service_pb2_grpc import PublicationServiceStub
from consentsvc.v1.subject_rights_service_pb2_grpc import SubjectRightsServiceStub


class Wire:
    """A caller with a channel of its own. Request ids count up, unless a test gives one."""

    def __init__(self, channel: grpc.aio.Channel, server: Server) -> None:
        self.channel = channel
        self.server = server
        self.queries = ConsentQueryServiceStub(channel)
        self.consents = ConsentServiceStub(channel)
        self.events = ConsentEventServiceStub(channel)
        self.rights = SubjectRightsServiceStub(channel)
        self.proofs = ProofServiceStub(channel)
        self.publications = PublicationServiceStub(channel)
        self._ids: Iterator[int] = itertools.count(1)

    def request_id(self) -> str:
        """The next id of a request."""
        return f"request-{next(self._ids)}"

    async def check(
        self, subject: str, purpose: str, **options: Any
    ) -> queries.CheckConsentResponse:
        """Asks about one pair."""
        return await self.queries.CheckConsent(
            queries.CheckConsentRequest(subject_id=subject, purpose_id=purpose, **options)
        )

    async def update(
        self,
        subject: str,
        *changes: consents.ConsentChange,
        actor: shared.Actor | None = None,
        request_id: str | None = None,
        **options: Any,
    ) -> consents.UpdateConsentsResponse:
        """Sends changes, by the subject through the panel unless said otherwise."""
        return await self.consents.UpdateConsents(
            consents.UpdateConsentsRequest(
                subject_id=subject,
                actor=actor or shared.Actor(kind=shared.ACTOR_KIND_SUBJECT),
                channel="panel",
                changes=changes,
                request_id=request_id or self.request_id(),
                **options,
            )
        )


def change(
    action: str, purpose: str, *, version: str | None = "1", locale: str = "en", **options: Any
) -> consents.ConsentChange:
    """A change by the name of its action in small letters, on the notice that was shown."""
    return consents.ConsentChange(
        purpose_id=purpose,
        action=consents.ChangeAction.Value(f"CHANGE_ACTION_{action.upper()}"),
        notice=None if version is None else shared.NoticeRef(version=version, locale=locale),
        **options,
    )


@asynccontextmanager
async def serving(
    store: EventStore,
    catalogue: Catalogue,
    clock: Clock,
    registries: Profiles | None = None,
    **settings: Any,
) -> AsyncIterator[Wire]:
    """Serves a store on a free port for as long as the block runs."""
    settings = {"listen": "127.0.0.1:0", "sweep_seconds": 3600, **settings}
    registries = profiles.load() if registries is None else registries
    async with (
        started(store, catalogue, registries, clock, Settings(**settings)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Wire(channel, server)
