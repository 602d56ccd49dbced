"""The server as a whole: starting, telling its health, draining, TLS."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from consentsvc.config import Settings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import StoreUnavailable
from consentsvc.server import SERVICES, CannotListen, started
from consentsvc.service.notices import NoticesChanged, publish
from consentsvc.service.ports import EventStore, Published
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from tests.support import catalogues
from tests.support.catalogues import NO_PROFILES
from tests.support.clock import FakeClock
from tests.support.refusals import refusal_of, refused
from tests.support.requests import GOOD, good
from tests.support.servers import ServerProcess, server_process
from tests.support.stores import meddled
from tests.support.wire import Wire, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Caller:
    """Stubs for a server elsewhere."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.queries = ConsentQueryServiceStub(channel)
        self.consents = ConsentServiceStub(channel)
        self.events = ConsentEventServiceStub(channel)
        self.health: Any = HealthStub(channel)

    async def status(self, service: str = "") -> int:
        answer = await self.health.Check(health_pb2.HealthCheckRequest(service=service))
        return int(answer.status)


@asynccontextmanager
async def calling(server: ServerProcess, options: Any = None) -> AsyncIterator[Caller]:
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        yield Caller(channel)


async def watched(caller: Caller, service: str, status: int) -> None:
    """Waits until the health of a service is told to be so."""
    request = health_pb2.HealthCheckRequest(service=service)
    async for answer in caller.health.Watch(request):
        if answer.status == status:
            return


class TestHealth:
    async def test_serving(self, wire: Wire) -> None:
        """A server whose store answers is SERVING, as a whole and by each service."""
        caller = Caller(wire.channel)
        for service in ("", *SERVICES):
            await watched(caller, service, SERVING)

        health = [await caller.status(service) for service in ("", *SERVICES)]
        assert health == [SERVING] * (1 + len(SERVICES))

    async def test_store_that_fails(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """It is NOT_SERVING while the store does not answer, and SERVING again afterwards."""
        broken = True

        async def head() -> int:
            if broken:
                raise StoreUnavailable("not now")
            return await sqlite_store.head()

        async with serving(meddled(sqlite_store, head=head), catalogue, clock) as wire:
            caller = Caller(wire.channel)
            await watched(caller, SERVICES[0], NOT_SERVING)
            await watched(caller, "", NOT_SERVING)
            broken = False
            await watched(caller, SERVICES[0], SERVING)
            broken = True
            await watched(caller, SERVICES[0], NOT_SERVING)
            broken = False
            await watched(caller, "", SERVING)

    async def test_before_the_store_answered(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Nothing is called SERVING before the store has answered for the first time."""
        answering = asyncio.Event()

        async def head() -> int:
            await answering.wait()
            return await sqlite_store.head()

        async with serving(meddled(sqlite_store, head=head), catalogue, clock) as wire:
            first = await Caller(wire.channel).status()
            answering.set()
            await watched(Caller(wire.channel), "", SERVING)

        assert first != SERVING

    async def test_unforeseen(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A store that fails in an unforeseen way is NOT_SERVING as well, and may recover."""
        broken = True

        async def head() -> int:
            if broken:
                raise OSError("disk on fire")
            return await sqlite_store.head()

        async with serving(meddled(sqlite_store, head=head), catalogue, clock) as wire:
            caller = Caller(wire.channel)
            async with asyncio.timeout(3):
                await watched(caller, "", NOT_SERVING)
                broken = False
                await watched(caller, "", SERVING)


class TestStarting:
    async def test_reflection(self, wire: Wire) -> None:
        """Reflection names our services beside health and itself."""
        channel: Any = wire.channel
        stub: Any = ServerReflectionStub(channel)
        messages: Any = reflection_pb2
        request = messages.ServerReflectionRequest(list_services="")
        answers = [one async for one in stub.ServerReflectionInfo(iter([request]))]
        names = {one.name for one in answers[0].list_services_response.service}

        assert names == {
            *SERVICES,
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        assert len(SERVICES) == 6

    async def test_port_taken(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A port that is taken is told by its address, and the server does not start."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(CannotListen, match=address):
                async with started(
                    sqlite_store, catalogue, NO_PROFILES, clock, Settings(listen=address)
                ):
                    pass

    async def test_two_servers(self, wire: Wire, catalogue: Catalogue, clock: FakeClock) -> None:
        """Two servers never share a port."""
        address = f"127.0.0.1:{wire.server.port}"
        with pytest.raises(CannotListen):
            async with serving(wire_store(wire), catalogue, clock, listen=address):
                pass

    async def test_rewritten_notice(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A catalogue with another text for a published notice does not start."""
        async with serving(sqlite_store, catalogue, clock):
            pass
        version = catalogues.version(catalogues.NEWSLETTER, "1", text="Something else.")
        changed = catalogues.catalogue(
            catalogues.purpose(catalogues.NEWSLETTER, versions=(version,))
        )
        with pytest.raises(NoticesChanged, match="newsletter 1 en"):
            async with serving(sqlite_store, changed, clock):
                pass

    async def test_published_once(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Starting again publishes nothing again."""
        heads = []
        for _ in range(3):
            async with serving(sqlite_store, catalogue, clock):
                heads.append(await sqlite_store.head())

        assert heads == [8, 8, 8]

    async def test_started_together(
        self, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Servers that start on one store at the same moment all start, and publish once."""
        url = f"sqlite:///{tmp_path}/log.db"
        both_looked = asyncio.Barrier(2)

        def starting(store: EventStore) -> EventStore:
            looks = iter([both_looked.wait])  # the first one only

            async def published() -> list[Published]:
                found = await store.published()
                for wait in looks:
                    await wait()
                return found

            return meddled(store, published=published)

        async with open_store(url, clock=clock) as one, open_store(url, clock=clock) as other:
            counts = await asyncio.gather(
                *(publish(starting(store), catalogue) for store in (one, other))
            )

            assert sorted(counts) == [0, 8]
            assert await one.head() == await other.head() == 8

    async def test_restarted(self, tmp_path: Path) -> None:
        """Tokens, cursors and links stay valid when the server is started again on its file."""
        store = f"sqlite:///{tmp_path}/log.db"
        async with server_process(store=store) as server, calling(server) as caller:
            locale = await caller.consents.ListPurposes(good("ListPurposes"))
            newsletter = locale.purposes[0]
            change = consents.ConsentChange(
                purpose_id=newsletter.id,
                action=consents.CHANGE_ACTION_GIVE,
                notice=newsletter.notice.ref,
            )
            request = good("UpdateConsents", changes=[change])
            written = await caller.consents.UpdateConsents(request)
            page = await caller.events.ListEvents(events.ListEventsRequest(page_size=1))
            given = await caller.queries.CheckConsent(
                good("CheckConsent", with_withdrawal_token=True)
            )
        async with server_process(store=store) as server, calling(server) as caller:
            again = await caller.consents.UpdateConsents(request)
            checked = await caller.queries.CheckConsent(
                good("CheckConsent", consistency__at_least_as_fresh=written.written_at)
            )
            watch = caller.events.WatchEvents(
                events.WatchEventsRequest(cursor=page.next_page_token)
            )
            response = await watch.read()
            assert isinstance(response, events.WatchEventsResponse)
            await caller.consents.RedeemLink(
                consents.RedeemLinkRequest(
                    token=given.decision.withdrawal_token, request_id="click"
                )
            )
            after = await caller.queries.CheckConsent(good("CheckConsent"))

        assert again == written
        assert checked.decision.answer == shared.ANSWER_PERMITTED
        assert response.events[0].position == 2
        assert after.decision.reason == shared.DECISION_REASON_WITHDRAWN


def wire_store(wire: Wire) -> EventStore:
    store: EventStore = wire.server._following._store
    return store


class TestStopping:
    async def test_drained(self) -> None:
        """SIGTERM lets a call under way end well, ends watches as SHUTTING_DOWN, and exits 0."""
        async with server_process(store="memory:") as server, calling(server) as caller:
            stream = caller.queries.StreamCheckConsents()
            await stream.write(good("StreamCheckConsents", batch__purpose_ids=["newsletter"]))
            await stream.read()
            purposes = ["newsletter"]
            sync = caller.events.SyncConsents(good("SyncConsents", purpose_ids=purposes))
            watch = caller.events.WatchEvents(good("WatchEvents"))
            await watch.read()
            while not (await _response(sync)).snapshot_complete:
                pass
            server.tell(signal.SIGTERM)
            refusals = [await refused(_to_the_end(watch)), await refused(_to_the_end(sync))]
            await stream.write(good("StreamCheckConsents", batch__purpose_ids=["newsletter"]))
            last = await _response(stream)
            await stream.done_writing()
            code = await stream.code()
            exit_code = await server.ended()

        assert {(one.code.name, one.reason) for one in refusals} == {
            ("UNAVAILABLE", "SHUTTING_DOWN")
        }
        assert len(last.decisions.answers) == 3
        assert code is grpc.StatusCode.OK
        assert exit_code == 0
        assert [one["event"] for one in server.log] == ["listening", "stopping"]

    async def test_no_new_calls(self) -> None:
        """While it drains it takes no more calls; they can go elsewhere."""
        async with server_process(store="memory:") as server, calling(server) as caller:
            stream = caller.queries.StreamCheckConsents()
            await stream.write(good("StreamCheckConsents", batch__purpose_ids=["newsletter"]))
            await stream.read()
            watch = caller.events.WatchEvents(good("WatchEvents"))
            await watch.read()
            server.tell(signal.SIGTERM)
            await refused(_to_the_end(watch))  # by now it drains
            late = await refused(caller.queries.CheckConsent(good("CheckConsent")))
            await stream.done_writing()
            assert await stream.code() is grpc.StatusCode.OK

        assert late.code is grpc.StatusCode.UNAVAILABLE

    async def test_second_signal(self) -> None:
        """A second signal ends at once what is still going on."""
        async with (
            server_process(store="memory:", drain_seconds=600) as server,
            calling(server) as caller,
        ):
            stream = caller.queries.StreamCheckConsents()
            await stream.write(good("StreamCheckConsents", batch__purpose_ids=["newsletter"]))
            await stream.read()
            watch = caller.events.WatchEvents(good("WatchEvents"))
            await watch.read()
            server.tell(signal.SIGTERM)
            await refused(_to_the_end(watch))
            server.tell(signal.SIGINT)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()
            exit_code = await server.ended()

        assert refusal_of(caught.value).code is grpc.StatusCode.UNAVAILABLE
        assert exit_code == 0
        assert [one.get("signal") for one in server.log[1:]] == ["SIGTERM", "SIGINT"]

    async def test_bound(self) -> None:
        """Calls that do not end hold the server up no longer than it was told."""
        async with (
            server_process(store="memory:", drain_seconds=1) as server,
            calling(server) as caller,
        ):
            stream = caller.queries.StreamCheckConsents()
            await stream.write(good("StreamCheckConsents", batch__purpose_ids=["newsletter"]))
            await stream.read()
            server.tell(signal.SIGTERM)

            assert await server.ended() == 0

    async def test_watched_health(self) -> None:
        """Somebody who only watches the health does not hold the server up."""
        async with (
            server_process(store="memory:", drain_seconds=60) as server,
            calling(server) as caller,
        ):
            watch = caller.health.Watch(health_pb2.HealthCheckRequest())
            await watch.read()
            server.tell(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await server.ended() == 0


async def _response(call: Any) -> Any:
    response = await call.read()
    assert response is not grpc.aio.EOF
    return response


async def _to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_keepalive() -> None:
    """A client that pings on a connection without calls, as often as is allowed, is not cut."""
    options = [
        ("grpc.keepalive_time_ms", 5_100),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    async with server_process(store="memory:") as server, calling(server, options) as caller:
        watch = caller.events.WatchEvents(good("WatchEvents", progress_seconds=60))
        await watch.read()
        reading = asyncio.ensure_future(_to_the_end(watch))
        # Two strikes are forgiven, and a third ping that came too soon would end the connection.
        done, _ = await asyncio.wait({reading}, timeout=16.5)
        reading.cancel()
        state = caller.channel.get_state()

    assert not done
    assert state is grpc.ChannelConnectivity.READY


async def test_one_good_request_for_each_method() -> None:
    """The tests know every method that there is."""
    methods = {
        method.name
        for message in GOOD.values()
        for service in message.DESCRIPTOR.file.services_by_name.values()
        for method in service.methods
    }

    assert set(GOOD) == methods


async def test_failing_job_does_not_end_the_server(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A sweep that fails, foreseen or not, is tried again, and the server goes on."""
    tried = asyncio.Event()
    attempts = 0

    async def due(*args: object) -> list[object]:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            tried.set()
        raise (StoreUnavailable("not now") if attempts == 1 else OSError("disk on fire"))

    store = meddled(sqlite_store, due=due)
    async with serving(store, catalogue, clock, sweep_seconds=1) as wire:
        async with asyncio.timeout(10):
            await tried.wait()
            tried.clear()
            while attempts < 3:
                await wire.check("anna", "newsletter")
    assert attempts >= 3
