"""What most tests start from: a clock, chance, a catalogue, stores, and a server on one."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import EventStore
from consentsvc.storage.opening import open_store
from tests.support import catalogues
from tests.support.clock import FakeClock
from tests.support.wire import Wire, serving


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pick() -> random.Random:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    return random.Random(seed)


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.catalogue()


@pytest.fixture
async def sqlite_store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
    async with open_store(f"sqlite:///{tmp_path}/log.db", clock=clock) as store:
        yield store


@pytest.fixture
async def wire(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> AsyncIterator[Wire]:
    async with serving(sqlite_store, catalogue, clock) as wire:
        yield wire
