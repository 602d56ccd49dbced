"""A panel over a real service, for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    async with serving(tmp_path, clock, outbox=outbox, rate=0) as panel:
        yield panel
