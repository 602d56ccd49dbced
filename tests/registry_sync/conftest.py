"""Registries on sockets of their own, and adapters to them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from consentsvc.service.ports import EventStore
from registry_sync import FRED, EppRegistry
from registry_sync.testing import Registry, RegistryServer
from tests.registry_sync.meeting import adapter, no_sleep
from tests.registry_sync.scene import FOLLOWER, OPENED, Scene
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
    """A registrar with registries of several kinds."""
    scene = Scene(tmp_path)
    scene.serve = lambda address: serving(
        sqlite_store,
        scene.catalogue,
        clock,
        listen=address,
        obliged_followers=(FOLLOWER,),
        erasure_wait_seconds=scene.patience,
    )
    async with scene, AsyncExitStack() as stack:
        for name, registry in OPENED.items():
            server = RegistryServer(registry(), sleep=no_sleep)
            scene.registries[name] = await stack.enter_async_context(server)
        yield scene
