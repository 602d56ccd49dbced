"""A panel over a real service, for every test; a browser for all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.panel.browsing import launched
from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    async with serving(tmp_path, clock, outbox=outbox, rate=0) as panel:
        yield panel


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser
