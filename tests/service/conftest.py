"""The use cases on the reference store, without a wire."""

import pytest

from consentsvc.storage.memory import MemoryEventStore
from tests.support.clock import FakeClock


@pytest.fixture
async def store(clock: FakeClock) -> MemoryEventStore:
    return MemoryEventStore(clock)
