"""Registries on sockets of their own, and adapters to them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from consentclient import AsyncConsentClient
from consentsvc.service.ports import EventStore
from registry_sync import FRED, EppRegistry
from registry_sync.testing import Registry, RegistryServer
from tests.registry_sync.meeting import adapter, no_sleep
from tests.registry_sync.scene import OPENED, Scene
from tests.support import catalogues
from tests.support.clock import FakeClock
from tests.support.wire import serving


@pytest.fixture
async def server() -> AsyncIterator[RegistryServer]:
    """A registry that hides, in the words of the RFCs."""
    async with RegistryServer() as server:
        yield server


@pytest.fixture
async def registry(server: RegistryServer) -> AsyncIterator[EppRegistry]:
    async with adapter(server) as registry:
        yield registry


@pytest.fixture
async def fred() -> AsyncIterator[RegistryServer]:
    """A registry like that of .cz."""
    async with RegistryServer(Registry(dialect=FRED)) as server:
        yield server


@pytest.fixture
async def cz(fred: RegistryServer) -> AsyncIterator[EppRegistry]:
    async with adapter(fred) as registry:
        yield registry


@pytest.fixture
async def scene(tmp_path: Path, sqlite_store: EventStore, clock: FakeClock) -> AsyncIterator[Scene]:
    """A registrar with a registry of each kind: `OPENED` says which."""
    purpose = catalogues.purpose(catalogues.WHOIS, takes_scope=True)
    async with (
        serving(sqlite_store, catalogues.catalogue(purpose), clock) as wire,
        AsyncConsentClient(f"127.0.0.1:{wire.server.port}") as client,
        AsyncExitStack() as stack,
    ):
        scene = Scene(wire, client, tmp_path)
        for name, registry in OPENED.items():
            server = RegistryServer(registry(), sleep=no_sleep)
            scene.registries[name] = await stack.enter_async_context(server)
        yield scene
