"""A real server over a store in memory, and a client of each kind."""

from collections.abc import AsyncIterator

import pytest

from consentclient import AsyncConsentClient, NoticeRef
from consentsvc.domain.catalogue import Catalogue
from tests.consentclient.both import opened
from tests.consentclient.servers import HeldStore, Service
from tests.support.clock import FakeClock


@pytest.fixture
async def store(clock: FakeClock) -> HeldStore:
    return HeldStore(clock)


@pytest.fixture
async def service(
    store: HeldStore, catalogue: Catalogue, clock: FakeClock
) -> AsyncIterator[Service]:
    async with Service(store, catalogue, clock, rate=0) as service:
        yield service


@pytest.fixture(params=["asynchronous", "blocking"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(service: Service, kind: str) -> AsyncIterator[AsyncConsentClient]:
    async with opened(kind, service.target) as client:
        yield client


@pytest.fixture
def notice() -> NoticeRef:
    return NoticeRef("1", "en")
