"""The reference store keeps the contract."""

import pytest

from consentsvc.service.ports import EventStore
from consentsvc.storage.memory import MemoryEventStore
from tests.storage.event_store_contract import EventStoreContract
from tests.support.clock import FakeClock


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    async def store(self, clock: FakeClock) -> EventStore:
        return MemoryEventStore(clock)

    @pytest.fixture
    async def other(self, clock: FakeClock) -> EventStore:
        return MemoryEventStore(clock)
