"""How many streams one caller may hold."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import RateExceeded
from consentsvc.rpc.limits import MAX_STREAMS, StreamLimit
from consentsvc.service.ports import EventStore
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from tests.support.certificates import Authority, client_credentials
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good, send
from tests.support.stores import SOON
from tests.support.wire import Wire, serving


def opened(wire: Wire, method: str) -> Any:
    match method:
        case "WatchEvents":
            return wire.events.WatchEvents(good(method))
        case "SyncConsents":
            return wire.events.SyncConsents(good(method))
        case _:
            return wire.queries.StreamCheckConsents()


async def answered(call: Any, method: str) -> Any:
    """The first answer of a stream."""
    if method == "StreamCheckConsents":
        await call.write(good(method))
    return await call.read()


METHODS = ["WatchEvents", "SyncConsents", "StreamCheckConsents"]


@pytest.mark.parametrize("method", METHODS)
async def test_one_too_many(wire: Wire, method: str) -> None:
    """A caller holds 100 streams of all kinds together; one more is told to wait a second."""
    kinds = [METHODS[number % 3] for number in range(100)]
    calls = [opened(wire, kind) for kind in kinds]
    for call, kind in zip(calls, kinds, strict=True):
        assert await answered(call, kind) is not grpc.aio.EOF
    refusal = await refused(opened(wire, method).read())
    checked = await send(wire, good("CheckConsent"))
    for call in calls:
        call.cancel()

    assert MAX_STREAMS == 100
    assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "RATE_EXCEEDED")
    assert refusal.retry_after == timedelta(seconds=1)
    assert checked.read_at  # calls that are no streams are not counted


async def test_a_place_is_given_back(wire: Wire) -> None:
    """A stream that has ended, well or with an error, leaves its place to the next."""
    for _ in range(130):
        call = wire.queries.StreamCheckConsents(iter([good("StreamCheckConsents")]))
        assert len([one async for one in call]) == 1
    for _ in range(130):
        watch = wire.events.WatchEvents(good("WatchEvents", start_position=-1))
        assert (await refused(watch.read())).fields == ("start_position",)

    assert await send(wire, good("WatchEvents"))


async def test_of_another_caller(
    tmp_path: Path, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """One caller's streams take no place from another's."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "localhost")
    settings: dict[str, Any] = {
        "tls_certificate": certificate,
        "tls_key": key,
        "tls_client_ca": authority.certificate,
    }
    many, few = authority.issue("many"), authority.issue("few")
    watch = good("WatchEvents")
    async with serving(sqlite_store, catalogue, clock, **settings) as wire:
        target = f"localhost:{wire.server.port}"
        async with (
            grpc.aio.secure_channel(target, client_credentials(authority, many)) as one,
            grpc.aio.secure_channel(target, client_credentials(authority, few)) as other,
        ):
            calls = [ConsentEventServiceStub(one).WatchEvents(watch) for _ in range(100)]
            for call in calls:
                await call.read()
            refusal = await refused(ConsentEventServiceStub(one).WatchEvents(watch).read())
            first = await ConsentEventServiceStub(other).WatchEvents(watch).read()

    assert refusal.reason == "RATE_EXCEEDED"
    assert first is not grpc.aio.EOF


def health(channel: Any) -> Any:
    return HealthStub(channel)


def reflection(channel: Any) -> Any:
    return ServerReflectionStub(channel)


def health_watch(channel: Any) -> Any:
    return health(channel).Watch(health_pb2.HealthCheckRequest())


def reflecting(channel: Any) -> Any:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    call = reflection(channel).ServerReflectionInfo()

    class Asking:
        """A stream that asks once and is then left open."""

        async def read(self) -> Any:
            await call.write(request)
            return await call.read()

        def cancel(self) -> None:
            call.cancel()

    return Asking()


@pytest.mark.parametrize("stream", [health_watch, reflecting])
async def test_watching_the_health_shuts_nobody_out(wire: Wire, stream: Any) -> None:
    """A caller holds 32 streams of health and reflection together, and no more.

    They were not counted as a caller's, only among all calls at once: who opened 5,000 shut
    everybody else out.
    """
    calls = []
    for number in range(32):
        call = (health_watch, reflecting)[number % 2](wire.channel)
        assert await call.read() is not grpc.aio.EOF
        calls.append(call)
    refusals = [await refused(stream(wire.channel).read()) for _ in range(100)]
    checked = await send(wire, good("CheckConsent"))
    watched = await send(wire, good("WatchEvents"))
    probed = await health(wire.channel).Check(health_pb2.HealthCheckRequest())
    calls.pop().cancel()
    again = await freed(wire, stream)
    for call in calls:
        call.cancel()

    assert {(one.code.name, one.reason, one.domain, one.retry_after) for one in refusals} == {
        ("RESOURCE_EXHAUSTED", "RATE_EXCEEDED", "consentsvc", timedelta(seconds=1))
    }
    assert checked.read_at
    assert watched.cursor
    assert probed.status == health_pb2.HealthCheckResponse.SERVING
    assert again


async def freed(wire: Wire, stream: Any) -> bool:
    """Whether a place that was given back can be had; the server may hear of it a moment later."""
    async with asyncio.timeout(SOON):
        while True:
            call = stream(wire.channel)
            try:
                return await call.read() is not grpc.aio.EOF
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0)
            finally:
                call.cancel()


async def test_health_and_reflection_answer_as_ever(wire: Wire) -> None:
    """Streams that are let in get every answer, and end as they did."""
    watch = health_watch(wire.channel)
    unknown = health(wire.channel).Watch(health_pb2.HealthCheckRequest(service="unheard.of"))
    asked = reflection(wire.channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="*")] * 3)
    )
    first = (await watch.read()).status, (await unknown.read()).status
    told = [len(one.list_services_response.service) async for one in asked]
    for call in (watch, unknown):
        call.cancel()

    statuses = health_pb2.HealthCheckResponse
    assert first == (statuses.SERVING, statuses.SERVICE_UNKNOWN)
    assert told == [8, 8, 8]
    assert await asked.code() is grpc.StatusCode.OK


def test_limit() -> None:
    """Places are counted for each caller, and given back however the block ends."""
    limit = StreamLimit(1)
    with pytest.raises(KeyError), limit.admit("a"):
        raise KeyError
    with limit.admit("a"):
        with limit.admit("b"):
            pass
        with pytest.raises(RateExceeded), limit.admit("a"):
            pass
    with limit.admit("a"):
        pass

    assert not limit._open
