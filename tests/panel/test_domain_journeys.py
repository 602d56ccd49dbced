"""What a customer does with their domains, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from panel._texts import texts
from tests.panel.browsing import Look, looks, needs_chromium, shot, sound, window
from tests.panel.making import Panel, serving
from tests.panel.registrar import ANN, LINES
from tests.support.clock import FakeClock

pytestmark = [needs_chromium, pytest.mark.soak]


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, LINES, rate=0) as panel:
        yield panel


@looks
async def test_publishing_and_hiding(panel: Panel, look: Look) -> None:
    """From a contact's switch to an exception for one domain, with the preview beside it."""
    t = texts(look.language, panel.settings.time_zone)
    phone = t("group.phone")
    async with window(panel, look, ANN) as page:
        await page.get_by_role("link", name=t("base.domains"), exact=True).click()
        await sound(page, look)
        row = page.locator(".row").filter(has_text="C-1")
        switch = row.get_by_role("switch", name=phone)
        await switch.click()
        await expect(row.get_by_role("status")).to_have_text(t("said.published_on"))
        await expect(switch).to_have_attribute("aria-checked", "true")
        await shot(page, "domains", look)

        await page.get_by_role("link", name="lilas.cz").click()
        await sound(page, look)
        preview = page.locator(".preview")
        await expect(preview).to_contain_text("+33.199000000")
        await page.locator("summary").first.click()
        await sound(page, look)
        await shot(page, "domain-shown", look)
        await page.get_by_role("switch", name=phone).first.click()
        await expect(page.get_by_role("status").first).to_have_text(t("said.published_off"))
        await expect(preview).not_to_contain_text("+33.199000000")
        await sound(page, look)
        await shot(page, "domain-hidden", look)

        await page.get_by_role("link", name=t("base.domains"), exact=True).first.click()
        await page.get_by_role("link", name="durand.us").click()
        await expect(page.get_by_role("switch")).to_have_count(0)
        await sound(page, look)
        await shot(page, "domain-us", look)
