"""The clients themselves: opened, shared, closed, and alike."""

import asyncio
import gc
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_type_hints

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import consentclient
from consentclient import AsyncConsentClient, ConsentClient, ConsentUnavailable, Reason, Retry
from consentclient._background import result
from consentsvc.config import Settings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.server import started
from tests.consentclient.both import opened
from tests.consentclient.servers import HeldStore, Service, Sleeps, channel_of, going_on
from tests.support.catalogues import NEWSLETTER, NO_PROFILES
from tests.support.clock import FakeClock


def _methods(client: type) -> dict[str, Any]:
    return {
        name: method
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_clients_take_the_same() -> None:
    """The two clients have the same methods with the same parameters."""
    asynchronous, blocking = _methods(AsyncConsentClient), _methods(ConsentClient)

    assert set(asynchronous) == set(blocking)
    for name, method in asynchronous.items():
        ours, theirs = (dict(inspect.signature(one).parameters) for one in (method, blocking[name]))
        if name in {"check_stream", "check_chunks"}:
            del ours["subject_ids"], theirs["subject_ids"]
        if name == "import_events":
            del ours["events"], theirs["events"]
        assert ours == theirs, name


def test_no_protobuf_in_sight() -> None:
    """No public signature or field names a generated class or one of protobuf."""
    public = [getattr(consentclient, name) for name in consentclient.__all__]
    described = [
        *(one for one in public if is_dataclass(one)),
        *_methods(AsyncConsentClient).values(),
        *_methods(ConsentClient).values(),
    ]
    for one in described:
        for name, hint in get_type_hints(one).items():
            assert "pb2" not in str(hint), (one, name)
            assert "google" not in str(hint), (one, name)


def test_data_is_frozen_and_small() -> None:
    """Every dataclass is frozen and has slots."""
    public = [getattr(consentclient, name) for name in consentclient.__all__]
    for one in public:
        if isinstance(one, type) and is_dataclass(one):
            assert one.__dataclass_params__.frozen, one  # type: ignore[attr-defined]
            assert "__slots__" in vars(one), one


async def test_not_open(service: Service) -> None:
    """Outside of its block a client is told to be misused, and opens no connection."""
    client, blocking = AsyncConsentClient(service.target), ConsentClient(service.target)

    with pytest.raises(RuntimeError, match="not open"):
        await client.check("ann", NEWSLETTER)
    with pytest.raises(RuntimeError, match="not open"):
        blocking.check("ann", NEWSLETTER)
    with pytest.raises(RuntimeError, match="not open"):
        blocking.check_stream(["ann"], NEWSLETTER)


async def test_open_twice(service: Service) -> None:
    """One client is one connection."""
    async with AsyncConsentClient(service.target) as client:
        with pytest.raises(RuntimeError, match="open already"):
            await client.__aenter__()
    with ConsentClient(service.target) as blocking, pytest.raises(RuntimeError, match="already"):
        blocking.__enter__()


async def test_open_again(service: Service) -> None:
    """A client that was closed can be opened again."""
    client = AsyncConsentClient(service.target)
    for _ in range(2):
        async with client:
            assert not (await client.check("ann", NEWSLETTER)).permitted


def test_cannot_be_opened() -> None:
    """What goes wrong on the thread in the background is told to the caller."""
    client = ConsentClient(cast("str", object()))
    with pytest.raises(Exception, match=r"\w"), client:
        raise AssertionError("it was opened")


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_every_call_has_a_deadline(seconds: float) -> None:
    """No client can be made that waits for ever, or not at all."""
    with pytest.raises(ValueError, match="timeout"):
        ConsentClient("127.0.0.1:1", timeout=seconds)


async def test_closed_under_a_call(service: Service, store: HeldStore, kind: str) -> None:
    """A call under way when the client is closed could not find out."""
    store.held = True
    async with opened(kind, service.target) as client:
        call = asyncio.ensure_future(client.check("ann", NEWSLETTER))
        await store.reached.wait()

    with pytest.raises(ConsentUnavailable):
        await call


async def test_closed_under_a_stream(service: Service, store: HeldStore) -> None:
    """A stream under way when the client is closed could not find out, and leaves nothing."""
    store.held = True
    async with AsyncConsentClient(service.target) as client:
        stream = client.check_stream(["ann", "bob"], NEWSLETTER, chunk=1)
        first = asyncio.ensure_future(anext(stream))
        await store.reached.wait()

    with pytest.raises(ConsentUnavailable, match="closed"):
        await first
    assert not going_on()


async def test_closed_between_attempts(service: Service) -> None:
    """A call that would be tried again when the client was closed could not find out."""

    async def close() -> None:
        await client.__aexit__(None, None, None)

    await service.stop()
    client = AsyncConsentClient(service.target, retry=Retry(sleep=Sleeps(close)))
    async with client:
        with pytest.raises(ConsentUnavailable, match="closed"):
            await client.check("ann", NEWSLETTER)
    async with client:
        with pytest.raises(ConsentUnavailable, match="closed"):
            await anext(client.check_stream(["ann"], NEWSLETTER))


async def test_cancelled(service: Service, store: HeldStore) -> None:
    """A task that is cancelled in a call ends as cancelled, not as an error of consent."""
    store.held = True
    async with AsyncConsentClient(service.target) as client:
        call = asyncio.create_task(client.check("ann", NEWSLETTER))
        await store.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_cancelled_in_a_stream(service: Service, store: HeldStore) -> None:
    """A task that is cancelled in a stream leaves nothing behind."""
    store.held = True
    async with AsyncConsentClient(service.target) as client:
        stream = client.check_stream(["ann"] * 10, NEWSLETTER, chunk=1)
        first = asyncio.ensure_future(anext(stream))
        await store.reached.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not going_on()


async def test_threads_share_a_client(service: Service) -> None:
    """Threads may share a client: calls and streams of each are its own."""

    def work(number: int) -> list[str]:
        names = [f"t{number}s{one}" for one in range(50)]
        for name in names[:5]:
            assert client.check(name, NEWSLETTER).reason is Reason.NEVER_ASKED
        return [subject for subject, _ in client.check_stream(names, NEWSLETTER, chunk=7)]

    def run() -> list[list[str]]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(work, range(8)))

    with ConsentClient(service.target) as client:
        answered = await asyncio.to_thread(run)

    assert answered == [[f"t{number}s{one}" for one in range(50)] for number in range(8)]


async def test_list_is_read_by_its_owner(service: Service) -> None:
    """A blocking client reads a list on the thread that iterates: it may be bound to it."""
    readers = set()

    def names() -> Iterator[str]:
        for name in ("ann", "bob", "eve"):
            readers.add(threading.current_thread())
            yield name

    def work() -> threading.Thread:
        list(client.check_stream(names(), NEWSLETTER, chunk=1))
        client.check_many((name, NEWSLETTER) for name in names())
        return threading.current_thread()

    with ConsentClient(service.target) as client:
        owner = await asyncio.to_thread(work)

    assert readers == {owner}


async def test_forgotten_iterators(service: Service) -> None:
    """Iterators that nobody goes on with do no harm, not even after the client is closed."""

    def work() -> list[Any]:
        with ConsentClient(service.target) as client:
            forgotten = client.check_stream(["ann", "bob"], NEWSLETTER, chunk=1), client.watch(1)
            for one in forgotten:
                next(one)
            del one, forgotten
            gc.collect()
            kept = [client.check_stream(["ann", "bob"], NEWSLETTER, chunk=1), client.watch(1)]
            for iterator in kept:
                next(iterator)
        return kept

    kept = await asyncio.to_thread(work)

    with pytest.raises(RuntimeError, match="not open"):
        next(kept[1])
    kept.clear()


async def test_blocking_client_ends_its_thread(service: Service) -> None:
    """A closed client leaves no thread behind."""
    before = set(threading.enumerate())
    with ConsentClient(service.target):
        during = set(threading.enumerate()) - before

    assert [thread.name for thread in during] == ["consentclient"]
    assert not set(threading.enumerate()) & during


def test_interrupted_wait() -> None:
    """A wait that is interrupted gives up what it waited for."""

    class Interrupted(Future[None]):
        def result(self, timeout: float | None = None) -> None:
            raise KeyboardInterrupt

    future = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        result(future)

    assert future.cancelled()


async def test_credentials(
    store: HeldStore, catalogue: Catalogue, clock: FakeClock, tmp_path: Path
) -> None:
    """With credentials the connection is encrypted, and the server is who it says."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    (tmp_path / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "certificate").write_bytes(certificate)
    settings = Settings(
        listen="localhost:0", tls_key=tmp_path / "key", tls_certificate=tmp_path / "certificate"
    )
    async with (
        started(store, catalogue, NO_PROFILES, clock, settings) as server,
        AsyncConsentClient(
            f"localhost:{server.port}", credentials=grpc.ssl_channel_credentials(certificate)
        ) as client,
    ):
        assert not (await client.check("ann", NEWSLETTER)).permitted


async def test_connection_is_kept(service: Service) -> None:
    """The channel connects once, and is there before and after a call."""
    async with AsyncConsentClient(service.target) as client:
        await client.check("ann", NEWSLETTER)

        assert channel_of(client).get_state() is grpc.ChannelConnectivity.READY
