"""What a customer does with their domains, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from consentclient import Actor, ActorKind
from panel._texts import texts
from tests.panel.browsing import Look, journey, looks, shot, sound, window
from tests.panel.making import Panel, serving
from tests.panel.registrar import ANN, LINES
from tests.support.clock import FakeClock

pytestmark = journey


@pytest_asyncio.fixture(loop_scope="session")
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, LINES, rate=0) as panel:
        yield panel


@looks
async def test_publishing_and_hiding(browser: Browser, panel: Panel, look: Look) -> None:
    """From a contact's switch to an exception for one domain, with the preview beside it."""
    t = texts(look.language, panel.settings.time_zone)
    phone = t("group.phone")
    async with window(browser, panel, look, ANN) as page:
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


@looks
async def test_an_ending_that_nobody_knows(browser: Browser, panel: Panel, look: Look) -> None:
    """Nothing is published, no switch pretends otherwise, and the page says why."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        await page.get_by_role("link", name=t("base.domains"), exact=True).click()
        await page.get_by_role("link", name="durand.unheard-of").click()
        await expect(page.get_by_role("switch")).to_have_count(0)
        await expect(page.locator(".switches")).to_contain_text(t("why.unknown_profile"))
        await expect(page.locator(".preview")).not_to_contain_text("Durand")
        await sound(page, look)
        await shot(page, "domain-unknown", look)


async def test_every_page_in_the_dark_on_a_phone(browser: Browser, panel: Panel) -> None:
    """What the journeys look at in the light and on a wide screen is sound in the dark too."""
    look = Look("fr", "phone", "dark")
    await panel.client.restrict("customer:x", actor=Actor(ActorKind.OPERATOR, "op7"), channel="c")
    notice = next(one for one in await panel.client.list_purposes("fr") if one.id == "newsletter")
    await panel.client.give("customer:y", "newsletter", notice.notice.ref, channel="panel")
    link = await panel.client.check("customer:y", "newsletter", with_withdrawal_token=True)
    async with window(browser, panel, look) as page:
        unsubscribe = f"unsubscribe/{link.withdrawal_token}"
        for path in ("sign-in", unsubscribe, "unsubscribe/x", "prompts", "nowhere"):
            await page.goto(f"{panel.url}/{path}")
            await sound(page, look)
    async with window(browser, panel, look, "customer:x") as page:
        await sound(page, look)
    async with window(browser, panel, look, "customer:y") as page:
        await page.set_extra_http_headers({"Sec-GPC": "1"})
        await page.goto(f"{panel.url}/choices")
        await sound(page, look)
        await shot(page, "choices-signal", look)
    async with window(browser, panel, look, ANN) as page:
        await page.locator("#chat_cookies").get_by_role("switch").click()
        for details in await page.locator("#chat_cookies summary").all():
            await details.click()
        await sound(page, look)
        await shot(page, "choices", look)
        await page.goto(f"{panel.url}/history")
        await page.locator("summary").first.click()
        await sound(page, look)
        await shot(page, "history", look)
        await page.goto(f"{panel.url}/domains")
        await sound(page, look)
        await page.get_by_role("link", name="lilas.cz").click()
        await sound(page, look)
        await shot(page, "domain", look)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_at_its_narrowest(browser: Browser, panel: Panel, language: str) -> None:
    """At 320 pixels, or enlarged four times, nothing has to be scrolled sideways (WCAG 1.4.10)."""
    look = Look(language, "phone")
    async with window(browser, panel, look, ANN) as page:
        await page.set_viewport_size({"width": 320, "height": 640})
        await page.locator("#newsletter").get_by_role("switch").click()
        for path in ("choices", "history", "domains", "prompts"):
            await page.goto(f"{panel.url}/{path}")
            if path == "prompts":
                await expect(page.locator(".consent-prompt")).to_have_count(2)
            for details in await page.locator("summary").all():
                await details.click()
            await sound(page, look)
        await page.goto(f"{panel.url}/domains")
        await shot(page, "domains-narrow", look)
        await page.get_by_role("link", name="lilas.cz").click()
        await sound(page, look)
