"""TLS: who may call, and by which name a caller is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from consentsvc.config import Settings
from consentsvc.server import started
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from tests.support import catalogues
from tests.support.catalogues import NO_PROFILES
from tests.support.certificates import Authority, client_credentials
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good


@asynccontextmanager
async def secure(
    port: int, authority: Authority, pair: tuple[Path, Path] | None
) -> AsyncIterator[grpc.aio.Channel]:
    credentials = client_credentials(authority, pair)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        yield channel


@asynccontextmanager
async def server(
    store: EventStore,
    clock: FakeClock,
    pair: tuple[Path, Path],
    client_ca: Path | None = None,
) -> AsyncIterator[int]:
    settings = Settings(
        listen="127.0.0.1:0", tls_certificate=pair[0], tls_key=pair[1], tls_client_ca=client_ca
    )
    async with started(store, catalogues.catalogue(), NO_PROFILES, clock, settings) as server:
        yield server.port


async def test_server_certificate(
    tmp_path: Path, sqlite_store: EventStore, clock: FakeClock
) -> None:
    """With a certificate the server speaks TLS, and nothing else."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost")
    async with server(sqlite_store, clock, pair) as port:
        async with secure(port, authority, None) as channel:
            answer = await ConsentQueryServiceStub(channel).CheckConsent(good("CheckConsent"))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            plain = await refused(
                ConsentQueryServiceStub(channel).CheckConsent(good("CheckConsent"))
            )

    assert answer.decision.answer == shared.ANSWER_NOT_PERMITTED
    assert plain.code is grpc.StatusCode.UNAVAILABLE


async def test_client_certificate(
    tmp_path: Path, sqlite_store: EventStore, clock: FakeClock
) -> None:
    """With a client authority only callers with a certificate of it are let in."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    pair = authority.issue("server", "localhost")
    async with server(sqlite_store, clock, pair, authority.certificate) as port:
        codes = []
        for client in (authority.issue("mailer"), other.issue("stranger"), None):
            async with secure(port, authority, client) as channel:
                try:
                    await ConsentQueryServiceStub(channel).CheckConsent(good("CheckConsent"))
                    codes.append("OK")
                except grpc.aio.AioRpcError as error:
                    codes.append(error.code().name)

    assert codes == ["OK", "UNAVAILABLE", "UNAVAILABLE"]


async def test_request_ids(tmp_path: Path, sqlite_store: EventStore, clock: FakeClock) -> None:
    """Request ids of callers with different certificates never meet; one caller's do."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost")
    clients = [
        authority.issue("panel"),
        authority.issue("Panel"),
        authority.issue("mailer", "mailer.internal"),
        authority.issue("mailer2", "mailer2.internal"),
    ]
    answers: list[consents.UpdateConsentsResponse] = []
    again: list[consents.UpdateConsentsResponse] = []
    async with server(sqlite_store, clock, pair, authority.certificate) as port:
        for number, client in enumerate(clients):
            request = good("UpdateConsents", subject_id=f"subject:{number}")
            for found in (answers, again):
                async with secure(port, authority, client) as channel:
                    found.append(await ConsentServiceStub(channel).UpdateConsents(request))

    assert answers == again
    assert len({one.outcomes[0].position for one in answers}) == len(clients)


async def test_certificate_and_name(
    tmp_path: Path, sqlite_store: EventStore, clock: FakeClock
) -> None:
    """A caller's common name is not taken for another's alternative name."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost")
    clients = [authority.issue("panel.internal"), authority.issue("x", "panel.internal")]
    positions = []
    async with server(sqlite_store, clock, pair, authority.certificate) as port:
        for number, client in enumerate(clients):
            request = good("UpdateConsents", subject_id=f"subject:{number}")
            async with secure(port, authority, client) as channel:
                answer = await ConsentServiceStub(channel).UpdateConsents(request)
                positions.append(answer.outcomes[0].position)

    assert len(set(positions)) == 2
