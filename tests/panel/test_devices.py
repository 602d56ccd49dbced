"""A device that answered before its owner signed in."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from consentclient import EventKind, Reason
from tests.panel.making import Panel, serving
from tests.panel.test_prompts import NEWS, send
from tests.support.clock import FakeClock

ANN = "customer:8213"
VIDEO = "video_embeds"


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, embed_origins=NEWS, rate=0) as panel:
        yield panel


async def answered(panel: Panel, browser: httpx.AsyncClient, *answers: str) -> str:
    """What somebody says before they sign in; the id of their device."""
    async with panel.browser() as anonymous:
        for one in answers:
            await send(anonymous, one)
        device = anonymous.cookies["panel-device"]
    browser.cookies.set("panel-device", device, domain="127.0.0.1")
    return device


async def test_a_no_becomes_the_customers(panel: Panel) -> None:
    """Opening My choices is enough; the device is forgotten, and is not joined a second time."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn(VIDEO, "on")
        device = await answered(panel, reader.browser, "refuse")
        page = await reader.get("/choices")
        forgotten = "panel-device" not in reader.browser.cookies
        await reader.get("/choices")
    events = [one async for one in panel.client.history(ANN)]

    assert page.status_code == 200
    assert forgotten
    assert (await panel.client.check(ANN, VIDEO)).reason is Reason.WITHDRAWN
    assert [one.kind for one in events] == [EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN]
    assert device not in str(events)


async def test_a_yes_stays_the_devices(panel: Panel) -> None:
    """The customer is asked anew."""
    async with panel.signed_in(ANN) as reader:
        await answered(panel, reader.browser, "accept")
        await reader.get("/choices")
        state = await reader.browser.get(f"/prompts/{VIDEO}", headers={"Origin": NEWS})

    assert (state.json()["permitted"], state.json()["answered"]) == (False, False)


async def test_at_a_prompt(panel: Panel) -> None:
    """Who signed in elsewhere is not asked again what they refused; the device is forgotten."""
    async with panel.signed_in(ANN) as reader:
        await answered(panel, reader.browser, "refuse")
        state = await reader.browser.get(f"/prompts/{VIDEO}", headers={"Origin": NEWS})
        cookies = state.headers.get_list("set-cookie")

    assert (state.json()["permitted"], state.json()["answered"]) == (False, True)
    assert len(cookies) == 1
    assert cookies[0].startswith("panel-device=")
    assert "panel-device" not in reader.browser.cookies
    assert (await panel.client.check(ANN, VIDEO)).reason is Reason.REFUSED


async def test_an_id_that_is_none(panel: Panel) -> None:
    """What is no id of ours is not asked about."""
    async with panel.signed_in(ANN) as reader:
        for wrong in ("x", "customer:1", "0" * 31, "G" * 32):
            reader.browser.cookies.set("panel-device", wrong, domain="127.0.0.1")
            assert (await reader.get("/choices")).status_code == 200

    assert [one async for one in panel.client.history(ANN)] == []
