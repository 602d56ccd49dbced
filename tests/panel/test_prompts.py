"""Questions where they arise, on the registrar's other pages."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from consentclient import Actor, ActorKind, Reason
from tests.panel.making import Panel, serving
from tests.support.clock import FakeClock

NEWS = "https://news.registrar.example"
ANN = "customer:8213"
_WORDS = dict.fromkeys(("version", "locale", "token"), "1")
_REST = {"position": 0, "sha256": ""}


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, embed_origins=NEWS, rate=0) as panel:
        yield panel


async def send(
    browser: httpx.AsyncClient, answer: str, /, origin: str = NEWS, **changes: Any
) -> httpx.Response:
    """Answers the video's question as the script does."""
    state = (await browser.get("/prompts/video_embeds", headers={"Origin": origin})).json()
    body = {"answer": answer, "shown": state["shown"]} | changes
    headers = {"Origin": origin, "Content-Type": "application/json"}
    return await browser.post("/prompts/video_embeds", content=json.dumps(body), headers=headers)


async def test_an_anonymous_device_answers(panel: Panel) -> None:
    """It gets its id with its answer, and is known by it from then on; asking leaves nothing."""
    async with panel.browser() as browser:
        asked = await browser.get("/prompts/video_embeds", headers={"Origin": NEWS})
        answered = await send(browser, "accept")
        again = await browser.get("/prompts/video_embeds", headers={"Origin": NEWS})
        device = browser.cookies["panel-device"]
        taken = await send(browser, "refuse")

    assert "set-cookie" not in asked.headers
    assert asked.json()["permitted"] is False
    assert answered.json() == {"permitted": True}
    assert answered.headers["access-control-allow-origin"] == NEWS
    assert again.json()["permitted"] is True
    assert taken.json() == {"permitted": False}
    decision = await panel.client.check(f"device:{device}", "video_embeds")
    assert decision.reason is Reason.WITHDRAWN
    events = [one async for one in panel.client.history(f"device:{device}")]
    assert [one.evidence.action for one in events if one.evidence] == [
        "accept in the prompt",
        "refuse in the prompt",
    ]
    assert all(device not in str(one.evidence) for one in events)


async def test_a_devices_id_is_out_of_reach(tmp_path: Path, clock: FakeClock) -> None:
    """Over TLS it goes to this host alone, to no script, and never in the clear."""
    async with (
        serving(tmp_path, clock, url="https://localhost", also_hosts="127.0.0.1", rate=0) as panel,
        httpx.AsyncClient(base_url=f"http://{panel.settings.listen}") as browser,
    ):
        answered = await send(browser, "accept", origin="https://localhost")

    (cookie,) = answered.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-panel-device=")
    for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=34214400"):
        assert word in cookie
    assert "Domain" not in cookie


async def test_a_customer_who_has_signed_in_answers_as_themselves(panel: Panel) -> None:
    """And their device gets no id."""
    async with panel.signed_in("customer:ann") as reader:
        await send(reader.browser, "accept")

    assert "panel-device" not in reader.browser.cookies
    assert (await panel.client.check("customer:ann", "video_embeds")).permitted


@pytest.mark.parametrize("above", ["restriction", "objection"])
async def test_a_yes_below_something_that_stands(panel: Panel, above: str) -> None:
    """It is recorded, and loads nothing: an objection or a restriction stands above it."""
    if above == "restriction":
        operator = Actor(ActorKind.OPERATOR, "op7")
        await panel.client.restrict(ANN, actor=operator, channel="letter")
    else:
        await panel.client.raise_objection(ANN, "video_embeds", channel="letter")
    async with panel.signed_in(ANN) as reader:
        answered = await send(reader.browser, "accept")

    assert answered.json() == {"permitted": False}
    assert not (await panel.client.check(ANN, "video_embeds")).permitted


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{NEWS}.evil.example", ""])
async def test_another_site_gets_nothing(panel: Panel, origin: str) -> None:
    """It can neither read the state nor answer for somebody."""
    async with panel.browser() as browser:
        headers = {"Origin": origin} if origin else {}
        read = await browser.get("/prompts/video_embeds", headers=headers)
        first = await browser.request("OPTIONS", "/prompts/video_embeds", headers=headers)
        sent = await browser.post("/prompts/video_embeds", json={}, headers=headers)

    for one in (read, first, sent):
        assert "access-control-allow-origin" not in one.headers
    assert sent.status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": "maybe"},
        {"shown": {}},
        {"shown": None},
        {"answer": ["accept"]},
        {"shown": ["a"]},
        {"shown": dict.fromkeys(("version", "locale", "token"), "\ud800") | _REST},
        {"shown": dict.fromkeys(("version", "locale", "token"), 7) | _REST},
        {"shown": _WORDS | _REST | {"position": float("inf")}},
        {"shown": _WORDS | _REST | {"position": 2**63}},
        {"shown": _WORDS | _REST | {"position": -1}},
    ],
)
async def test_an_answer_that_makes_no_sense(panel: Panel, changes: dict[str, Any]) -> None:
    """It is refused, and is no answer."""
    async with panel.browser() as browser:
        answer = await send(browser, "accept", **changes)

    assert answer.status_code == 400


async def test_an_answer_that_is_nested_without_end(panel: Panel) -> None:
    """No answer either, and nothing fails for it."""
    async with panel.browser() as browser:
        answer = await browser.post(
            "/prompts/video_embeds", content="[" * 50_000, headers={"Origin": NEWS}
        )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "purpose", ["newsletter", "whois_publication", "audience_measurement", "unheard-of", "<script>"]
)
async def test_what_is_not_asked_in_a_prompt(panel: Panel, purpose: str) -> None:
    """Only what is stored on a device and needs a yes."""
    async with panel.browser() as browser:
        answer = await browser.get(f"/prompts/{purpose}", headers={"Origin": NEWS})

    assert answer.status_code == 404


async def test_a_question_that_is_out_of_date(panel: Panel) -> None:
    """Somebody answered meanwhile, in another window: that answer stays."""
    async with panel.browser() as browser:
        await send(browser, "accept")
        stale = (await browser.get("/prompts/video_embeds")).json()["shown"]
        await send(browser, "refuse")
        answer = await send(browser, "accept", shown=stale)
        device = browser.cookies["panel-device"]

    assert answer.status_code == 409
    assert not (await panel.client.check(f"device:{device}", "video_embeds")).permitted


async def test_an_answer_that_nobody_recorded(panel: Panel) -> None:
    """The script is told so, and loads nothing; there is no prompt for what needs none either."""
    async with panel.browser() as browser:
        state = (await browser.get("/prompts/video_embeds")).json()
        headers = {"Origin": panel.url}
        body = {"answer": "accept", "shown": state["shown"]}
        other = await browser.post("/prompts/newsletter", json=body, headers=headers)
        await panel.stop_service()
        lost = await browser.post("/prompts/video_embeds", json=body, headers=headers)

    assert (other.status_code, lost.status_code) == (404, 503)
    assert "set-cookie" not in lost.headers


async def test_a_page_of_ours_may_send(panel: Panel) -> None:
    """A browser asks first, and is told what is allowed."""
    async with panel.browser() as browser:
        answer = await browser.request("OPTIONS", "/prompts/video_embeds", headers={"Origin": NEWS})
        script = await browser.get("/static/prompts.js")

    assert answer.headers["access-control-allow-origin"] == NEWS
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_an_outage_is_no_yes(panel: Panel) -> None:
    """The script is told that nobody knows, and loads nothing."""
    await panel.stop_service()
    async with panel.browser() as browser:
        answer = await browser.get("/prompts/video_embeds", headers={"Origin": NEWS})

    assert answer.status_code == 503
    assert "permitted" not in answer.json()
