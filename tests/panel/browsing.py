"""A real browser for the journeys; where there is none, the tests say so and are skipped."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright

from tests.panel.making import Panel

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
LANGUAGES = {"en": "en-GB", "fr": "fr-FR"}
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
)


class Look(NamedTuple):
    """How somebody looks at a page."""

    language: str = "en"
    size: str = "desktop"
    scheme: str = "light"
    javascript: bool = True

    def __str__(self) -> str:
        script = "" if self.javascript else "-without-javascript"
        dark = "-dark" if self.scheme == "dark" else ""
        return f"{self.language}-{self.size}{dark}{script}"


LOOKS = [
    Look("en", "desktop"),
    Look("fr", "phone", "dark"),
    Look("fr", "desktop", javascript=False),
    Look("en", "phone", javascript=False),
]
looks = pytest.mark.parametrize("look", LOOKS, ids=str)


async def opened(playwright: Playwright, look: Look) -> tuple[BrowserContext, Page]:
    """A fresh window."""
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
    phone = look.size == "phone"
    context = await browser.new_context(
        locale=LANGUAGES[look.language],
        viewport=SIZES[look.size],  # type: ignore[arg-type]  # a dict of this form
        color_scheme=look.scheme,  # type: ignore[arg-type]  # light or dark
        java_script_enabled=look.javascript,
        device_scale_factor=2 if phone else 1,
        has_touch=phone,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    return context, await context.new_page()


@asynccontextmanager
async def window(panel: Panel, look: Look, subject: str | None = None) -> AsyncIterator[Page]:
    """A window on the panel; with a subject, signed in as they would in a demonstration."""
    async with async_playwright() as playwright:
        context, page = await opened(playwright, look)
        foreign: list[str] = []

        def note(request: Any) -> None:
            if not request.url.startswith(panel.url):
                foreign.append(request.url)

        page.on("request", note)
        errors: list[str] = []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if subject is not None:
            await page.goto(f"{panel.url}/sign-in")
            await page.fill("#customer", subject)
            await page.click("form.card button")
            await page.wait_for_url("**/choices")
        yield page
        # Whatever was done: nothing came from elsewhere, and the policy had nothing to refuse.
        assert foreign == []
        assert [one for one in errors if "Content Security Policy" in one] == []
        await context.close()


async def shot(page: Page, name: str, look: Look) -> None:
    """Leaves a picture of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=True)


async def sound(page: Page, look: Look) -> None:
    """Axe finds nothing, and nothing has to be scrolled sideways."""
    if not look.javascript:
        return  # axe is a script
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
