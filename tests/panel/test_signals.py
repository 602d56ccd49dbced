"""Global Privacy Control: heard once, said plainly, and outranked by the person."""

from pathlib import Path

import pytest

from consentclient import Action, Change, ConsentEvent, Reason, Signal
from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock

ANN = "customer:8213"
DEVICE = "0123456789abcdef0123456789abcdef"
GPC = {"Sec-GPC": "1"}
STATISTICS = "audience_measurement"


async def _events(panel: Panel, subject: str = ANN) -> list[ConsentEvent]:
    return [one async for one in panel.client.history(subject)]


async def _decided(panel: Panel) -> Reason:
    return (await panel.client.check(ANN, STATISTICS)).reason


async def test_it_is_recorded_once(panel: Panel) -> None:
    """The first page that it comes with objects, and says so; the next ones record nothing."""
    async with panel.signed_in(ANN) as reader:
        reader.browser.headers.update(GPC)
        first = await reader.get("/choices")
        second = await reader.get("/choices")
    (event,) = await _events(panel)

    assert event.signal is Signal.GLOBAL_PRIVACY_CONTROL
    assert event.purpose_id == STATISTICS
    assert event.evidence is not None
    assert event.evidence.action == "Sec-GPC: 1"
    assert "Your browser objected for you on 1 March 2026." in first.text
    assert "It sends Global Privacy Control" in first.text
    assert "Your browser objected for you on 1 March 2026." in second.text
    assert await _decided(panel) is Reason.OBJECTED


@pytest.mark.parametrize("value", ["0", "", "true"])
async def test_nothing_else_is_a_signal(panel: Panel, value: str) -> None:
    """No other value of the header says anything."""
    async with panel.signed_in(ANN) as reader:
        reader.browser.headers["Sec-GPC"] = value
        await reader.get("/choices")

    assert await _events(panel) == []


async def test_the_switch_outranks_it(panel: Panel) -> None:
    """Whoever turns it on has chosen: the signal that comes with every page changes nothing."""
    async with panel.signed_in(ANN) as reader:
        reader.browser.headers.update(GPC)
        await reader.get("/choices")
        await reader.turn(STATISTICS, "on")
        page = await reader.get("/choices")

    assert await _decided(panel) is Reason.NOT_OBJECTED
    assert "Your browser objected for you" not in page.text


async def test_accepting_all_outranks_it(panel: Panel) -> None:
    """So has whoever accepts everything; a signal's objection is not the person's own."""
    async with panel.signed_in(ANN) as reader:
        reader.browser.headers.update(GPC)
        await reader.get("/choices")
        await reader.send("/choices", "/choices/all", {"answer": "accept"})
        await reader.get("/choices")

    assert await _decided(panel) is Reason.CONSENT_GIVEN


async def test_an_objection_of_their_own_stays(panel: Panel) -> None:
    """Nothing of it is taken for the person's own objection, nor the other way round."""
    await panel.client.update(ANN, [Change(STATISTICS, Action.OBJECT)], channel="panel")
    async with panel.signed_in(ANN) as reader:
        reader.browser.headers.update(GPC)
        page = await reader.get("/choices")
        await reader.send("/choices", "/choices/all", {"answer": "accept"})

    assert "You objected on 1 March 2026." in page.text
    assert "Global Privacy Control" not in page.text
    assert await _decided(panel) is Reason.OBJECTED


async def test_the_history_says_who_objected(panel: Panel) -> None:
    """In French too."""
    async with panel.signed_in(ANN, "fr") as reader:
        reader.browser.headers.update(GPC)
        choices = await reader.get("/choices")
        history = await reader.get("/history")

    assert "Votre navigateur s’y est opposé pour vous le 1er mars 2026." in choices.text
    assert "Il envoie le signal Global Privacy Control" in choices.text
    assert "Votre navigateur s’est opposé pour vous" in history.text
    assert "Par votre navigateur" in history.text
    assert "Par vous" not in history.text


async def test_a_device_that_is_known(panel: Panel) -> None:
    """A prompt passes it on for a device, and takes it for no answer to what it asks."""
    async with panel.browser(**GPC) as browser:
        browser.cookies.set("panel-device", DEVICE)
        told = (await browser.get("/prompts/chat_cookies")).json()
    (event,) = await _events(panel, f"device:{DEVICE}")

    assert event.signal is Signal.GLOBAL_PRIVACY_CONTROL
    assert event.purpose_id == STATISTICS
    assert told["permitted"] is told["answered"] is False


async def test_a_device_that_is_nobody(panel: Panel) -> None:
    """Of a device without an id nothing is recorded, and none is made."""
    before = (await panel.client.list_events(page_size=1)).head_position
    async with panel.browser(**GPC) as browser:
        answer = await browser.get("/prompts/chat_cookies")

    assert "set-cookie" not in answer.headers
    assert (await panel.client.list_events(page_size=1)).head_position == before


async def test_the_registrar_may_say_that_it_heeds_it(tmp_path: Path, clock: FakeClock) -> None:
    """At the address that the standard names, to everybody, and only where it was asked to."""
    async with (
        serving(tmp_path, clock, gpc_since="2026-03-01", rate=0) as panel,
        panel.browser() as browser,
    ):
        answer = await browser.get("/.well-known/gpc.json")

    assert answer.json() == {"gpc": True, "lastUpdate": "2026-03-01"}
    assert answer.headers["content-type"] == "application/json"
    assert "set-cookie" not in answer.headers


async def test_nothing_is_said_that_the_registrar_did_not_say(panel: Panel) -> None:
    """It is their word, with their date."""
    async with panel.browser() as browser:
        assert (await browser.get("/.well-known/gpc.json")).status_code == 404
