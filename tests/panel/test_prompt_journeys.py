"""Questions where they arise, in a real browser."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, expect

from panel._texts import texts
from tests.panel.browsing import Look, journey, looks, opened, shot, sound, window
from tests.panel.making import Panel, serving
from tests.panel.registrar import ANN
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
        # Whoever uses the keyboard goes on from there.
        await expect(chat.locator(".consent-prompt")).to_be_focused()
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


async def _twice(page: Page) -> None:
    """The example with its video a second time, as pages with several have it."""

    async def doubled(route: Route) -> None:
        answer = await route.fetch()
        html = await answer.text()
        video = re.search(r'<div data-consent="video_embeds">.*?</div>', html, re.S)
        assert video is not None
        await route.fulfill(response=answer, body=html.replace(video[0], video[0] * 2))

    await page.route("**/prompts", doubled)


@pytest.mark.parametrize("answer", ["accept", "refuse"])
async def test_one_answer_is_for_every_place(browser: Browser, panel: Panel, answer: str) -> None:
    """A second video asks for nothing else; its answer would be to a question of before."""
    t = texts("en", panel.settings.time_zone)
    async with window(browser, panel, Look()) as page:
        await _twice(page)
        await page.goto(f"{panel.url}/prompts")
        videos = page.locator('[data-consent="video_embeds"]')
        await expect(videos.get_by_role("button")).to_have_count(4)
        await sound(page, Look())
        await videos.nth(1).get_by_role("button", name=t(f"prompt.{answer}")).click()
        await expect(videos.get_by_role("button")).to_have_count(0)
        if answer == "accept":
            await expect(videos.get_by_role("img")).to_have_count(2)
            await expect(videos.nth(1).locator(".consent-loaded")).to_be_focused()
        else:
            await expect(videos.get_by_role("status")).to_have_text([t("prompt.refused")] * 2)
            await expect(videos.get_by_role("img")).to_have_count(0)


async def test_an_answer_to_a_question_of_before(browser: Browser, panel: Panel) -> None:
    """What was answered in another window stays; the next answer here counts again."""
    t = texts("en", panel.settings.time_zone)
    async with window(browser, panel, Look(), ANN) as page:
        other = await page.context.new_page()
        for one in (page, other):
            await one.goto(f"{panel.url}/prompts")
        video, elsewhere = (one.locator('[data-consent="video_embeds"]') for one in (page, other))
        refuse = elsewhere.get_by_role("button", name=t("prompt.refuse"))
        await refuse.click()
        await expect(elsewhere.get_by_role("status")).to_have_text(t("prompt.refused"))
        accept = video.get_by_role("button", name=t("prompt.accept"))
        await accept.click()
        await expect(video.get_by_role("status")).to_have_text(t("prompt.unknown"))
        await expect(video.get_by_role("img")).to_have_count(0)
        assert not (await panel.client.check(ANN, "video_embeds")).permitted
        await accept.click()
        await expect(video.get_by_role("img")).to_be_visible()


@asynccontextmanager
async def _article(html: list[str]) -> AsyncIterator[str]:
    """Another site of the registrar's, at an origin of its own. What it shows may come later."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close"
        writer.write(f"{head}\r\n\r\n{html[0]}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("named", [True, False])
async def test_a_page_of_another_origin(
    browser: Browser, tmp_path: Path, clock: FakeClock, named: bool
) -> None:
    """A site that is named asks, and its answer is kept; any other is told nothing."""
    html: list[str] = []
    async with (
        _article(html) as origin,
        serving(tmp_path, clock, embed_origins=origin if named else None, rate=0) as panel,
    ):
        html.append(f"""<!doctype html><html lang="fr"><title>Un article</title>
            <link rel="stylesheet" href="{panel.url}/static/prompts.css">
            <div data-consent="video_embeds">
              <template><p id="video">La vidéo</p></template><p id="without">Sans la vidéo</p>
            </div>
            <script src="{panel.url}/static/prompts.js" defer></script></html>""")
        context, page = await opened(browser, Look())
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text))
        try:
            await page.goto(origin, wait_until="networkidle")
            await expect(page.locator("#without")).to_be_visible()
            if not named:
                assert any("Access-Control-Allow-Origin" in one for one in refused)
                await expect(page.get_by_role("button")).to_have_count(0)
                return
            assert refused == []
            # In the language of that page, whatever the browser's is.
            t = texts("fr", panel.settings.time_zone)
            await page.get_by_role("button", name=t("prompt.accept")).click()
            await expect(page.locator("#video")).to_be_visible()
            await page.reload()
            await expect(page.locator("#video")).to_be_visible()
            await expect(page.get_by_role("button")).to_have_count(0)
        finally:
            await context.close()
