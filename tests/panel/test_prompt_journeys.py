"""Questions where they arise, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Request, expect

from panel._texts import texts
from tests.panel.browsing import Look, journey, looks, shot, sound, window
from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock

pytestmark = journey


@pytest_asyncio.fixture(loop_scope="session")
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, rate=0) as panel:
        yield panel


@looks
async def test_nothing_is_loaded_before_the_yes(browser: Browser, panel: Panel, look: Look) -> None:
    """Neither before an answer, nor after a no, nor without JavaScript; after a yes it is."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look) as page:
        loaded: list[str] = []

        def note(request: Request) -> None:
            if "example-player" in request.url:
                loaded.append(request.url)

        page.on("request", note)
        await page.goto(f"{panel.url}/prompts")
        form = page.get_by_role("link", name=t("example.form"))
        await expect(form).to_be_visible()
        if not look.javascript:
            await shot(page, "prompts", look)
            assert loaded == []
            return
        video = page.locator('[data-consent="video_embeds"]')
        chat = page.locator('[data-consent="chat_cookies"]')
        await expect(video.get_by_role("button")).to_have_count(2)
        await expect(chat.get_by_role("button")).to_have_count(2)
        await sound(page, look)
        await shot(page, "prompts", look)
        await chat.get_by_role("button", name=t("prompt.refuse")).click()
        await expect(chat.get_by_role("status")).to_have_text(t("prompt.refused"))
        await expect(form).to_be_visible()
        assert loaded == []
        await video.get_by_role("button", name=t("prompt.accept")).click()
        await expect(video.get_by_role("img")).to_be_visible()
        assert len(loaded) == 1
        await sound(page, look)
        await shot(page, "prompts-answered", look)
        await page.reload()
        await expect(video.get_by_role("img")).to_be_visible()
        await expect(chat.get_by_role("button")).to_have_count(2)
