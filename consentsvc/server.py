"""The composition root: opens the store, wires the use cases to the wire, serves, stops."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from consentsvc import catalogue as catalogues
from consentsvc import profiles as registry_profiles
from consentsvc.config import Settings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.profile import Profiles
from consentsvc.rpc.consent_servicer import ConsentServicer
from consentsvc.rpc.event_servicer import EventServicer
from consentsvc.rpc.interceptors import Door
from consentsvc.rpc.limits import MAX_MESSAGE_BYTES, RateLimit
from consentsvc.rpc.proof_servicer import ProofServicer
from consentsvc.rpc.publication_servicer import PublicationServicer
from consentsvc.rpc.query_servicer import QueryServicer
from consentsvc.rpc.rights_servicer import RightsServicer
from consentsvc.rpc.tokens import Tokens
from consentsvc.service import notices
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.consents import Consents
from consentsvc.service.erasures import Erasures
from consentsvc.service.expiry import Sweeper
from consentsvc.service.exports import Exports
from consentsvc.service.following import Following
from consentsvc.service.import_plans import Plans
from consentsvc.service.importing import Imports
from consentsvc.service.links import Links
from consentsvc.service.ports import Clock, EventStore
from consentsvc.service.publications import Publications
from consentsvc.service.queries import Queries
from consentsvc.service.reads import Reads
from consentsvc.service.receipts import Receipts
from consentsvc.service.retention import Retention
from consentsvc.service.rights import Rights
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage.opening import SQLITE, open_store
from consentsvc.storage.sqlite import SqliteEventStore
from consentsvc.v1 import (
    consent_event_service_pb2,
    consent_event_service_pb2_grpc,
    consent_query_service_pb2,
    consent_query_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    proof_service_pb2,
    proof_service_pb2_grpc,
    publication_service_pb2,
    publication_service_pb2_grpc,
    subject_rights_service_pb2,
    subject_rights_service_pb2_grpc,
)

_log = structlog.get_logger(__name__)

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (consent_query_service_pb2, "ConsentQueryService"),
        (consent_service_pb2, "ConsentService"),
        (publication_service_pb2, "PublicationService"),
        (consent_event_service_pb2, "ConsentEventService"),
        (subject_rights_service_pb2, "SubjectRightsService"),
        (proof_service_pb2, "ProofService"),
    )
)

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two servers on one port would each have half of the calls, and their own idea of the store.
    ("grpc.so_reuseport", 0),
    # Followers ping on a quiet connection so that a proxy does not cut it; by default the server
    # would cut them itself for pinging more often than every five minutes.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # And a peer that is gone is noticed within two minutes.
    ("grpc.keepalive_time_ms", 90_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]

# More calls at once than this would wait at the door of a server that is already slow: refusing
# them lets their callers go elsewhere. Far above what the streams of one caller may take.
_CONCURRENT_CALLS = 5_000

# How long an answer that has been given may take to leave, once nothing else is under way.
_LAST_ANSWERS = 1.0

_HEALTH_EVERY = 1.0
# A checkpoint is a few hundred bytes that are kept for ever, and a receipt waits for one.
_SIGNING_EVERY = timedelta(seconds=1)
# What an erasure that nobody waits for takes longer than it has to.
_ERASING_EVERY = timedelta(seconds=1)
# A store that takes longer than this for its cheapest answer is no use to anybody.
_HEALTH_ANSWER = 2.0
_HEALTH_NAMES = ("", *SERVICES)


class CannotListen(Exception):
    """The address cannot be had, or the certificate and key are not usable."""


class KeysUnusable(Exception):
    """The file with the keys of trusted logs has a line that is none."""


class Server:
    """A server that listens. Made by `started`."""

    def __init__(
        self,
        grpc_server: grpc.aio.Server,
        door: Door,
        health: health_aio.HealthServicer,
        following: Following,
        port: int,
    ) -> None:
        self._grpc_server = grpc_server
        self._door = door
        self._health = health
        self._following = following
        self.port = port

    async def drain(self, seconds: float) -> None:
        """Takes no more calls, ends every watch, and lets other calls go on for a while.

        Ends as soon as none is left; somebody who only watches the health is not waited for.
        """
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._grpc_server.stop(seconds))
        # Calls are refused from its first step on: a watch that is sent away does not come back.
        await asyncio.sleep(0)
        self._following.stop()
        idle = asyncio.create_task(self._door.idle())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        if not stopping.done():
            # The last answers may still be on their way.
            await self._grpc_server.stop(min(seconds, _LAST_ANSWERS))
        await stopping

    async def stop(self) -> None:
        """Ends every call at once."""
        self._following.stop()
        await self._grpc_server.stop(None)


def system_clock() -> Instant:
    """The machine's time."""
    return Instant(time.time_ns() // 1_000)


@asynccontextmanager
async def started(
    store: EventStore,
    catalogue: Catalogue,
    profiles: Profiles,
    clock: Clock,
    settings: Settings,
) -> AsyncIterator[Server]:
    """Serves a store for as long as the block runs; leaving it ends every call at once.

    Raises `NoticesChanged` if the catalogue rewrites history, `CannotListen` for an address that
    cannot be had, `KeysUnusable` for a file of trusted keys with something else in it.
    """
    trusted = _trusted(settings.trusted_log_keys)
    published = await notices.publish(store, catalogue)
    tokens = Tokens(store.store_id, store.secret("tokens"))
    links = Links(store.secret("links"))
    queries = Queries(store, catalogue, links, clock)
    signer = Signer(_origin(settings, store), store.secret("checkpoint"))
    own = Verifier(signer.name, signer.public_key)
    checkpoints = Checkpoints(store, signer)
    await checkpoints.check_origin()
    receipts = Receipts(store, catalogue, checkpoints)
    following = Following(store, settings.obliged_followers)
    erasures = Erasures(
        store,
        catalogue,
        clock,
        settings.obliged_followers,
        timedelta(seconds=settings.erasure_wait_seconds),
    )
    rate = RateLimit(settings.rate) if settings.rate else None
    door = Door(rate, frozenset(SERVICES))
    grpc_server = grpc.aio.server(
        interceptors=[door],
        options=_OPTIONS,
        maximum_concurrent_rpcs=_CONCURRENT_CALLS,
    )
    consent_query_service_pb2_grpc.add_ConsentQueryServiceServicer_to_server(
        QueryServicer(queries, catalogue, tokens), grpc_server
    )
    consent_service_pb2_grpc.add_ConsentServiceServicer_to_server(
        ConsentServicer(
            Consents(store, catalogue, profiles, links, clock),
            queries,
            receipts,
            Reads(store),
            catalogue,
            tokens,
        ),
        grpc_server,
    )
    publication_service_pb2_grpc.add_PublicationServiceServicer_to_server(
        PublicationServicer(Publications(store, catalogue, profiles, clock), profiles, tokens),
        grpc_server,
    )
    consent_event_service_pb2_grpc.add_ConsentEventServiceServicer_to_server(
        EventServicer(following, catalogue, tokens, clock), grpc_server
    )
    subject_rights_service_pb2_grpc.add_SubjectRightsServiceServicer_to_server(
        RightsServicer(
            Rights(store, catalogue),
            erasures,
            Exports(store, queries, receipts, clock),
            Imports(store, Plans(catalogue, [own, *trusted]), signer.name),
            tokens,
            clock,
        ),
        grpc_server,
    )
    proof_service_pb2_grpc.add_ProofServiceServicer_to_server(
        ProofServicer(store, checkpoints), grpc_server
    )
    health = health_aio.HealthServicer()
    for name in _HEALTH_NAMES:
        await health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, grpc_server)
    reflection.enable_server_reflection(
        [
            *SERVICES,
            reflection.SERVICE_NAME,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
        ],
        grpc_server,
    )
    port = _listen(grpc_server, settings)
    await grpc_server.start()
    # Whoever is told the port, and asks at once, is not told that nobody serves there.
    await _tell_health(health, store)
    server = Server(grpc_server, door, health, following, port)
    jobs = [
        asyncio.create_task(_watch_health(health, store), name="health"),
        asyncio.create_task(
            Sweeper(store, catalogue, clock).run(timedelta(seconds=settings.sweep_seconds)),
            name="expiry",
        ),
        asyncio.create_task(checkpoints.run(_SIGNING_EVERY), name="checkpoints"),
        asyncio.create_task(erasures.run(_ERASING_EVERY), name="erasures"),
        asyncio.create_task(
            Retention(store, catalogue, clock).run(timedelta(seconds=settings.retention_seconds)),
            name="retention",
        ),
    ]
    address = f"{settings.listen.rpartition(':')[0]}:{port}"
    _log.info("listening", address=address, published=published)
    try:
        yield server
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await server.stop()


async def serve(settings: Settings, ready: Callable[[int], None] | None = None) -> None:
    """Serves until a signal says stop: then drains, then closes the store.

    A second signal ends the calls that are still going on. `ready` is told the port.
    """
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal(name: str) -> None:
        _log.info("stopping", signal=name)
        (second if first.is_set() else first).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    catalogue = catalogues.load(settings.catalogue)
    profiles = registry_profiles.load(settings.profiles)
    _make_folder(settings.store)
    _collect_seldom()
    async with open_store(
        settings.store, clock=system_clock, master_key_file=settings.master_key_file
    ) as store:
        async with started(store, catalogue, profiles, system_clock, settings) as server:
            if ready is not None:
                ready(server.port)
            await first.wait()
            await _drain(server, settings.drain_seconds, second)
        statistics = store.statistics if isinstance(store, SqliteEventStore) else None
    if statistics is not None:
        _log.info(
            "stopped",
            commits=statistics.commits,
            requests=statistics.requests,
            events=statistics.events,
        )


def _origin(settings: Settings, store: EventStore) -> str:
    """The name that the log signs under: its own, so that a restored one can have another."""
    return f"{settings.log_name}/{store.store_id.hex()}"


def _trusted(file: Path | None) -> list[Verifier]:
    if file is None:
        return []
    keys = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            keys.append(Verifier.parse(line.decode()))
        except ValueError as error:
            raise KeysUnusable(f"{file}, line {number}: {error}") from error
    return keys


def _collect_seldom() -> None:
    """Looks for garbage that holds on to itself less often than Python does by itself.

    What a call makes is gone when it is answered, without that; a batch makes tens of thousands of
    objects, and to look them through after every seven hundred took a fifteenth of its time. After
    every twenty thousand it still took as much of a batch of publications, which makes more of them
    for each contact.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _drain(server: Server, seconds: float, at_once: asyncio.Event) -> None:
    draining = asyncio.create_task(server.drain(seconds))
    hurried = asyncio.create_task(at_once.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not draining.done():
        await server.stop()
    await draining


def _listen(grpc_server: grpc.aio.Server, settings: Settings) -> int:
    try:
        if settings.tls_certificate is None or settings.tls_key is None:
            return grpc_server.add_insecure_port(settings.listen)
        client_ca = settings.tls_client_ca
        credentials = grpc.ssl_server_credentials(
            [(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())],
            root_certificates=None if client_ca is None else client_ca.read_bytes(),
            require_client_auth=client_ca is not None,
        )
        return grpc_server.add_secure_port(settings.listen, credentials)
    except RuntimeError as error:
        using = ""
        if settings.tls_certificate is not None:
            using = f" with {settings.tls_certificate} and {settings.tls_key}"
        raise CannotListen(f"cannot listen on {settings.listen}{using}") from error


def _make_folder(store: str) -> None:
    if store.startswith(SQLITE):
        Path(store.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)


async def _watch_health(health: health_aio.HealthServicer, store: EventStore) -> None:
    """Says SERVING exactly as long as the store answers."""
    said: int | None = None
    while True:
        said = await _tell_health(health, store, said)
        await asyncio.sleep(_HEALTH_EVERY)


async def _tell_health(
    health: health_aio.HealthServicer, store: EventStore, said: int | None = None
) -> int:
    status: int = health_pb2.HealthCheckResponse.NOT_SERVING
    with suppress(Exception):  # whatever it is, that it does not answer is what is told
        async with asyncio.timeout(_HEALTH_ANSWER):
            await store.head()
        status = health_pb2.HealthCheckResponse.SERVING
    if status != said:
        for name in _HEALTH_NAMES:
            await health.set(name, status)
    return status
