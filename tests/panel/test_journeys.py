"""What a customer does, in a real browser: in both languages, with and without JavaScript."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, expect

from consentclient import Actor, ActorKind, EventKind, Reason
from panel._texts import texts
from tests.panel.browsing import Look, journey, looks, shot, sound, window
from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock

pytestmark = journey

ANN = "customer:8213"


@pytest_asyncio.fixture(loop_scope="session")
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    async with serving(tmp_path, clock, outbox=outbox, rate=0) as panel:
        yield panel


@looks
async def test_giving_and_taking_back(browser: Browser, panel: Panel, look: Look) -> None:
    """Each is one click; the page stays where it was and says what was recorded."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        await expect(page).to_have_title(f"{t('choices.title')} – Registrar Example")
        await sound(page, look)
        await shot(page, "choices-new", look)
        switch = page.locator("#newsletter").get_by_role("switch")
        await expect(switch).to_have_attribute("aria-checked", "false")
        await switch.click()
        await expect(switch).to_have_attribute("aria-checked", "true")
        await expect(page.locator("#newsletter").get_by_role("status")).to_have_text(t("said.on"))
        assert (await panel.client.check(ANN, "newsletter")).permitted
        await switch.click()
        await expect(switch).to_have_attribute("aria-checked", "false")

    assert (await panel.client.check(ANN, "newsletter")).reason is Reason.WITHDRAWN


@looks
async def test_everything_at_once(browser: Browser, panel: Panel, look: Look) -> None:
    """Both buttons weigh the same; one click answers everything, and details tell all."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        accept = page.get_by_role("button", name=t("choices.accept_all"))
        refuse = page.get_by_role("button", name=t("choices.refuse_all"))
        boxes = [await one.bounding_box() for one in (accept, refuse)]
        looks_of = [
            await one.evaluate("one => [getComputedStyle(one).color, getComputedStyle(one).font]")
            if look.javascript
            else None
            for one in (accept, refuse)
        ]
        assert boxes[0] is not None
        assert boxes[1] is not None
        assert boxes[0]["width"] == boxes[1]["width"]
        assert boxes[0]["height"] == boxes[1]["height"]
        assert looks_of[0] == looks_of[1]
        await accept.click()
        await expect(page.get_by_role("status")).to_have_text(t("said.accept"))
        chat = page.locator("#chat_cookies")
        await expect(chat.get_by_role("switch")).to_have_attribute("aria-checked", "true")
        for details in await chat.locator("summary").all():
            await details.click()
        await expect(chat.get_by_role("table")).to_contain_text("__zlcstore")
        await expect(chat).to_contain_text("SHA-256")
        await sound(page, look)
        await shot(page, "choices-accepted", look)
        await page.get_by_role("button", name=t("choices.refuse_all")).click()
        await expect(page.get_by_role("status")).to_have_text(t("said.refuse"))
        for one in await page.get_by_role("switch").all():
            await expect(one).to_have_attribute("aria-checked", "false")


@looks
async def test_leaving_by_the_link_in_a_mail(browser: Browser, panel: Panel, look: Look) -> None:
    """No sign-in: a page with a button, and a page that says what happened."""
    t = texts(look.language, panel.settings.time_zone)
    notice = next(one for one in await panel.client.list_purposes("en") if one.id == "newsletter")
    await panel.client.give(ANN, "newsletter", notice.notice.ref, channel="panel")
    decision = await panel.client.check(ANN, "newsletter", with_withdrawal_token=True)
    async with window(browser, panel, look) as page:
        await page.goto(f"{panel.url}/unsubscribe/{decision.withdrawal_token}")
        titles = {one.id: one.notice.title for one in await panel.client.list_purposes(t.language)}
        await expect(page.locator("main")).to_contain_text(titles["newsletter"])
        await sound(page, look)
        await shot(page, "unsubscribe", look)
        assert (await panel.client.check(ANN, "newsletter")).permitted
        await page.get_by_role("button", name=t("unsubscribe.button")).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("unsubscribed.title"))
        await sound(page, look)
        await shot(page, "unsubscribed", look)
        assert not (await panel.client.check(ANN, "newsletter")).permitted
        await page.goto(f"{panel.url}/unsubscribe/altered")
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("link.unknown"))
        await sound(page, look)
        await shot(page, "link-altered", look)


@looks
async def test_confirming_by_mail(
    browser: Browser, panel: Panel, look: Look, tmp_path: Path
) -> None:
    """The switch sends a mail, its link leads to a button, the button gives."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        row = page.locator('[id="reseller42.newsletter"]')
        await row.get_by_role("switch").click()
        await expect(row.get_by_role("status")).to_have_text(t("said.asked"))
        await sound(page, look)
        (file,) = (tmp_path / "outbox").glob("*.json")
        await page.goto(json.loads(file.read_text())["link"])
        await sound(page, look)
        await shot(page, "confirm", look)
        await page.get_by_role("button", name=t("confirm.button")).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("confirmed.title"))
        await sound(page, look)
        await shot(page, "confirmed", look)

    assert (await panel.client.check(ANN, "reseller42.newsletter")).permitted


@looks
async def test_the_language_can_be_switched(browser: Browser, panel: Panel, look: Look) -> None:
    """On every page, and it is kept."""
    other = {"en": "fr", "fr": "en"}[look.language]
    async with window(browser, panel, look) as page:
        await page.goto(f"{panel.url}/sign-in")
        await sound(page, look)
        await shot(page, "sign-in", look)
        await page.click(f'.languages button[value="{other}"]')
        await expect(page.locator("html")).to_have_attribute("lang", other)
        await page.goto(f"{panel.url}/nowhere")
        await expect(page.locator("html")).to_have_attribute("lang", other)
        await sound(page, look)
        await shot(page, "nowhere", look)


@looks
async def test_under_a_restriction(browser: Browser, panel: Panel, look: Look) -> None:
    """A banner says so, no switch turns anything on, and what was given can be taken back."""
    t = texts(look.language, panel.settings.time_zone)
    notice = next(one for one in await panel.client.list_purposes("en") if one.id == "newsletter")
    await panel.client.give(ANN, "newsletter", notice.notice.ref, channel="panel")
    await panel.client.restrict(ANN, actor=Actor(ActorKind.OPERATOR, "op7"), channel="letter")
    async with window(browser, panel, look, ANN) as page:
        await expect(page.locator(".warning")).to_have_text(t("choices.restricted"))
        await expect(page.get_by_role("switch")).to_have_count(0)
        await sound(page, look)
        await shot(page, "restricted", look)
        row = page.locator("#newsletter")
        await row.get_by_role("button", name=t("choices.take_back")).click()
        await expect(row.get_by_role("status")).to_have_text(t("said.off"))
        await expect(page.locator(".row form")).to_have_count(0)

    events = [one async for one in panel.client.history(ANN)]
    assert events[-1].kind is EventKind.CONSENT_WITHDRAWN


@looks
async def test_a_choice_that_was_changed_meanwhile(
    browser: Browser, panel: Panel, look: Look
) -> None:
    """The page says so and shows what holds now; the newer choice stays."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        row = page.locator("#newsletter")
        await row.get_by_role("switch").click()
        await expect(row.get_by_role("status")).to_have_text(t("said.on"))
        await panel.client.withdraw(ANN, "newsletter", channel="phone")
        await row.get_by_role("switch").click()
        await expect(row.get_by_role("status")).to_have_text(t("said.conflict"))
        await expect(row.get_by_role("switch")).to_have_attribute("aria-checked", "false")
        await sound(page, look)
        await shot(page, "changed-meanwhile", look)

    assert (await panel.client.check(ANN, "newsletter")).reason is Reason.WITHDRAWN


@looks
async def test_too_fast(browser: Browser, tmp_path: Path, clock: FakeClock, look: Look) -> None:
    """The page says so and what to do; it is no answer about any choice."""
    async with (
        serving(tmp_path, clock, rate=20) as panel,
        window(browser, panel, look, ANN) as page,
    ):
        t = texts(look.language, panel.settings.time_zone)
        answer = None
        for _ in range(20):
            answer = await page.goto(f"{panel.url}/choices")
            if answer is not None and answer.status == 429:
                break
        assert answer is not None
        assert answer.status == 429
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("trouble.too_fast"))
        await expect(page.get_by_role("switch")).to_have_count(0)
        await sound(page, look)
        await shot(page, "too-fast", look)


@looks
async def test_when_the_service_is_down(browser: Browser, panel: Panel, look: Look) -> None:
    """The page says so, in the reader's language, and shows no switch."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        await panel.stop_service()
        await page.locator("#newsletter").get_by_role("switch").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("trouble.down"))
        await expect(page.get_by_role("button", name=t("trouble.again"))).to_be_visible()
        await expect(page.get_by_role("switch")).to_have_count(0)
        await sound(page, look)
        await shot(page, "down", look)
        await page.goto(f"{panel.url}/choices")
        await expect(page.get_by_role("heading", level=1)).to_have_text(t("trouble.down"))
        await expect(page.get_by_role("switch")).to_have_count(0)
        await expect(page.locator("main")).not_to_contain_text(t("reason.never_asked"))


async def test_with_the_keyboard_only(browser: Browser, panel: Panel) -> None:
    """From the skip link to a switch and back, with focus that can be seen at each step."""
    look = Look()
    async with window(browser, panel, look) as page:
        await page.goto(f"{panel.url}/sign-in")
        while await page.evaluate("document.activeElement.id") != "customer":
            await page.keyboard.press("Tab")
        await page.keyboard.type(ANN)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/choices")

        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await shot(page, "keyboard-skip", look)
        await page.keyboard.press("Enter")
        assert await page.evaluate("location.hash") == "#content"
        for _ in range(4):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.role") == "switch":
                break
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        await shot(page, "keyboard-switch", look)
        await page.keyboard.press("Space")
        await page.wait_for_url("**/choices#newsletter")
        switch = page.locator("#newsletter").get_by_role("switch")
        await expect(switch).to_have_attribute("aria-checked", "true")
        # The next stop is in the row that was changed, not at the top of the page.
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('.row')?.id") == "newsletter"
        await page.keyboard.press("Enter")
        await expect(switch).to_have_attribute("aria-checked", "false")


@looks
async def test_looking_back(browser: Browser, panel: Panel, look: Look) -> None:
    """A timeline with its proof, and a file to take away."""
    t = texts(look.language, panel.settings.time_zone)
    async with window(browser, panel, look, ANN) as page:
        await page.locator("#newsletter").get_by_role("switch").click()
        await page.locator("#audience_measurement").get_by_role("switch").click()
        await page.locator("#newsletter").get_by_role("switch").click()
        await page.get_by_role("link", name=t("base.history")).click()
        entries = page.locator(".timeline > li")
        await expect(entries).to_have_count(3)
        await expect(entries.nth(0)).to_contain_text(t("event.consent_withdrawn"))
        await entries.nth(2).locator("summary").click()
        await expect(entries.nth(2)).to_contain_text("SHA-256")
        await sound(page, look)
        await shot(page, "history", look)
        async with page.expect_download() as coming:
            await page.get_by_role("link", name=t("history.download")).click()
        file = await coming.value
        assert file.suggested_filename == "my-choices.json"
        text = await asyncio.to_thread(Path(await file.path()).read_text)
        assert len(json.loads(text)["events"]) == 3
