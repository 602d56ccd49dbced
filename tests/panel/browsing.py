"""A real browser for the journeys; where there is none, the tests say so and are skipped.

One browser serves all journeys of a process, so they run on the session's loop: to start it takes
longer than most journeys. Each journey has a window, a panel and a service of its own.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from playwright.async_api import Error as BrowserError

from tests.panel.making import Panel

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
LANGUAGES = {"en": "en-GB", "fr": "fr-FR"}
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}

# The size of targets is of WCAG 2.2, and axe looks at it only if it is told to.
_AXE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

journey = pytest.mark.asyncio(loop_scope="session")


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


# Two that differ in everything show most of what can go wrong. The long tests have every language,
# width and script with each other.
SHORT = [Look("en", "desktop"), Look("fr", "phone", "dark", javascript=False)]
LONG = [
    Look("en", "phone"),
    Look("fr", "desktop"),
    Look("en", "desktop", javascript=False),
    Look("fr", "phone", "dark"),
    Look("fr", "desktop", javascript=False),
    Look("en", "phone", javascript=False),
]
looks = pytest.mark.parametrize(
    "look", [*SHORT, *(pytest.param(one, marks=pytest.mark.soak) for one in LONG)], ids=str
)


def missing(reason: str) -> NoReturn:
    """Skips the journeys; where everything has to run, that fails instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Chromium, as the system has it."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        missing("there is no Chromium: tools/browser.sh installs it where the system allows")
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        except BrowserError as error:
            missing(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield browser
        await browser.close()


async def opened(browser: Browser, look: Look) -> tuple[BrowserContext, Page]:
    """A fresh window."""
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
async def window(
    browser: Browser, panel: Panel, look: Look, subject: str | None = None
) -> AsyncIterator[Page]:
    """A window on the panel; with a subject, signed in as they would in a demonstration."""
    context, page = await opened(browser, look)
    try:
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
    finally:
        await context.close()


async def shot(page: Page, name: str, look: Look) -> None:
    """Leaves a picture of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=True)


async def sound(page: Page, look: Look) -> None:
    """Axe finds nothing, and nothing has to be scrolled sideways."""
    if look.javascript:  # axe is a script
        found = await Axe().run(page, options=_AXE)
        assert found.violations_count == 0, found.generate_report()
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
