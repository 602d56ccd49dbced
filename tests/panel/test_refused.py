"""What is tried and refused, by whoever tries it. Nothing of it changes anything."""

import asyncio
import re
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from consentclient import EventKind
from panel._pages import _files
from tests.panel.making import Panel, all_forms, forms, serving
from tests.panel.registrar import ANN, BEN, LINES
from tests.support.clock import FakeClock

SCRIPT = "\"><script>alert('x')</script><img src=x onerror=alert(1)>"


async def events(panel: Panel, subject: str = ANN) -> int:
    return len([one async for one in panel.client.history(subject)])


async def test_a_form_without_its_token(panel: Panel) -> None:
    """A page of another site cannot hold one."""
    async with panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)["/choices/turn"]
        del given["token"]
        answer = await reader.browser.post("/choices/turn", data={**given, "turn": "on"})

    assert answer.status_code == 403
    assert await events(panel) == 0


@pytest.mark.parametrize(
    "action",
    ["/choices/turn", "/choices/all", "/domains/turn", "/sign-in", "/sign-out", "/language"],
)
async def test_every_form_needs_its_token(tmp_path: Path, clock: FakeClock, action: str) -> None:
    """Also where nothing but a cookie would change."""
    async with serving(tmp_path, clock, LINES, rate=0) as panel, panel.signed_in(ANN) as reader:
        pages = [(await reader.get(path)).text for path in ("/choices", "/domains")]
        given = {**forms(pages[1]), **forms(pages[0])}.get(action, {})
        given.pop("token", None)
        everything = {"turn": "on", "answer": "accept", "customer": BEN, "language": "fr"}
        before = dict(reader.browser.cookies)
        answer = await reader.browser.post(action, data={**given, **everything})
        after = dict(reader.browser.cookies)

        assert answer.status_code == 403
        assert "This form cannot be accepted" in answer.text
        assert before == after
        assert await events(panel) + await events(panel, BEN) == 0


@pytest.mark.parametrize("spoilt", ["", "x", "1.2.3", "99999999999.AAAA.BBBB", SCRIPT])
async def test_a_token_that_is_not_ours(panel: Panel, spoilt: str) -> None:
    """Whatever stands in its place."""
    async with panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)["/choices/turn"]
        answer = await reader.browser.post(
            "/choices/turn", data={**given, "turn": "on", "token": spoilt}
        )

    assert answer.status_code == 403
    assert "<script>" not in answer.text
    assert await events(panel) == 0


async def test_a_token_of_another_session(panel: Panel) -> None:
    """Neither another customer's, nor the same customer's in another browser."""
    async with (
        panel.signed_in(ANN) as ann,
        panel.signed_in(ANN) as other,
        panel.signed_in(BEN) as ben,
    ):
        given = forms((await ann.get("/choices")).text)["/choices/turn"]
        answers = [
            await one.browser.post("/choices/turn", data={**given, "turn": "on"})
            for one in (other, ben)
        ]

    assert [one.status_code for one in answers] == [403, 403]
    assert await events(panel) + await events(panel, BEN) == 0


async def test_a_form_from_another_site(panel: Panel) -> None:
    """A browser tells where a request comes from."""
    async with panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)["/choices/turn"]
        answer = await reader.browser.post(
            "/choices/turn",
            data={**given, "turn": "on"},
            headers={"Sec-Fetch-Site": "cross-site"},
        )

    assert answer.status_code == 403
    assert await events(panel) == 0


async def test_a_replayed_form(panel: Panel) -> None:
    """It did its work once; what was chosen since stays."""
    async with panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)["/choices/turn"]
        sent = {**given, "turn": "on"}
        await reader.browser.post("/choices/turn", data=sent)
        await reader.turn("newsletter", "off")
        replayed = await reader.browser.post("/choices/turn", data=sent)

    assert replayed.status_code == 409
    assert "sent before" in replayed.text
    assert await events(panel) == 2
    assert not (await panel.client.check(ANN, "newsletter")).permitted


async def test_a_replayed_form_about_publication(tmp_path: Path, clock: FakeClock) -> None:
    """What was shown once is not shown again by sending that form a second time."""
    async with serving(tmp_path, clock, LINES, rate=0) as panel, panel.signed_in(ANN) as reader:
        given = all_forms((await reader.get("/domains")).text)["/domains/turn"][1]
        sent = {**given, "turn": "on"}
        first = await reader.browser.post("/domains/turn", data=sent)
        await reader.send("/domains", "/domains/turn", {"group": "everything", "turn": "off"})
        replayed = await reader.browser.post("/domains/turn", data=sent)
        kinds = [one.kind async for one in panel.client.history(ANN)]

    assert (first.status_code, replayed.status_code) == (303, 409)
    assert kinds == [EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN]


async def test_a_form_that_is_replayed_elsewhere(panel: Panel) -> None:
    """Where the panel has forgotten that it was sent, the service has not."""
    async with panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)["/choices/turn"]
        sent = {**given, "turn": "on"}
        await reader.browser.post("/choices/turn", data=sent)
        await reader.turn("newsletter", "off")
        panel.desk.forms._used.clear()
        await reader.browser.post("/choices/turn", data=sent)

    assert await events(panel) == 2
    assert not (await panel.client.check(ANN, "newsletter")).permitted


@pytest.mark.parametrize("at", [str(2**63), "9" * 5000, "-1", "1e400", "", "x"])
async def test_a_position_that_is_none(tmp_path: Path, clock: FakeClock, at: str) -> None:
    """However large it is: the form is refused, and nothing fails for it."""
    shown = f"{at} 1 en aa"
    async with serving(tmp_path, clock, LINES, rate=0) as panel, panel.signed_in(ANN) as reader:
        choices = await reader.send(
            "/choices", "/choices/turn", {"turn": "on", "shown.newsletter": shown}
        )
        domains = await reader.send("/domains", "/domains/turn", {"turn": "on", "shown": shown}, 1)

        assert (choices.status_code, domains.status_code) == (400, 400)
        assert await events(panel) == 0


@pytest.mark.parametrize("path", ["/choices/", "/unsubscribe/secret/"])
async def test_no_redirect_is_made_from_a_request(panel: Panel, path: str) -> None:
    """It would be without TLS, and name whatever port the request named."""
    async with panel.browser() as browser:
        answer = await browser.get(path, headers={"Host": "127.0.0.1:1"})

    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize("given", [{}, {"purpose": "newsletter"}, {"turn": "on"}])
async def test_a_form_with_something_missing(panel: Panel, given: dict[str, str]) -> None:
    """A form is whole, or not acted on."""
    async with panel.signed_in(ANN) as reader:
        token = forms((await reader.get("/choices")).text)["/choices/turn"]["token"]
        answer = await reader.browser.post("/choices/turn", data={"token": token, **given})

    assert answer.status_code == 400
    assert await events(panel) == 0


async def test_script_in_every_field(panel: Panel) -> None:
    """It is refused or shown as text, never run."""
    async with panel.signed_in(ANN) as reader:
        for action in ("/choices/turn", "/choices/all"):
            page = await reader.get("/choices")
            given = forms(page.text)[action]
            filled = dict.fromkeys(given, SCRIPT) | {"turn": SCRIPT, "answer": SCRIPT}
            for name in (*filled, None):
                kept = forms((await reader.get("/choices")).text)[action]
                sent = kept | ({name: SCRIPT} if name else filled | {"token": kept["token"]})
                answer = await reader.browser.post(action, data=sent)
                assert "<script>alert" not in answer.text
                assert "onerror=alert(1)>" not in answer.text.replace("&gt;", "")
    async with panel.browser() as browser:
        given = forms((await browser.get("/sign-in")).text)["/sign-in"]
        answer = await browser.post("/sign-in", data={**given, "customer": SCRIPT})
        given = forms((await browser.get("/sign-in")).text)["/language"]
        switched = await browser.post(
            "/language", data={**given, "language": SCRIPT, "back": "//evil.example"}
        )

    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert switched.headers["location"] == "/choices"
    assert await events(panel) == 0


async def test_script_in_the_fields_about_publication(tmp_path: Path, clock: FakeClock) -> None:
    """One at a time and all at once: refused, and nothing of it is in the answer."""
    async with serving(tmp_path, clock, LINES, rate=0) as panel, panel.signed_in(ANN) as reader:
        names = ("token", "shown", "contact", "domain", "role", "group", "turn")
        for name in (*names, None):
            given = all_forms((await reader.get("/domains")).text)["/domains/turn"][1]
            sent = {**given, "turn": "on"} | {one: SCRIPT for one in names if name in {one, None}}
            answer = await reader.browser.post("/domains/turn", data=sent, follow_redirects=True)
            assert answer.status_code in {400, 403}, name
            assert "alert(" not in answer.text
        assert await events(panel) == 0


async def test_script_where_no_form_of_ours_is(panel: Panel) -> None:
    """In addresses, in the fields of links, in what a script of ours sends, in headers."""
    async with panel.signed_in(ANN) as reader:
        quoted = quote(SCRIPT, safe="")
        answers = [
            await reader.get(path)
            for path in (
                f"/choices?q={quoted}",
                f"/history?page={quoted}",
                f"/unsubscribe/{quoted}",
                f"/confirm/{quoted}",
                f"/prompts/{quoted}",
                f"/static/{quoted}",
                f"/{quoted}",
            )
        ]
        post = reader.browser.post
        for path in ("/unsubscribe/x", "/confirm/x"):
            answers.append(await post(path, data={"List-Unsubscribe": SCRIPT, "confirm": SCRIPT}))
        shown = {"version": SCRIPT, "locale": SCRIPT, "sha256": SCRIPT, "position": 0, "token": "t"}
        answers.append(
            await post(
                "/prompts/video_embeds",
                json={"answer": "accept", "shown": shown},
                headers={"Origin": panel.url},
            )
        )
        headers = {
            "Accept-Language": SCRIPT,
            "Referer": SCRIPT,
            "Cookie": f"panel-language={SCRIPT}",
        }
        answers.append(await reader.browser.get("/sign-in", headers=headers))

    for answer in answers:
        if answer.headers["content-type"].startswith("text/html"):
            assert "<script>alert" not in answer.text, answer.url
            assert "<img src=x" not in answer.text, answer.url
    assert await events(panel) == 0


async def test_script_in_what_is_shown_later(tmp_path: Path, clock: FakeClock) -> None:
    """What a browser calls itself, and what the registrar's own systems hold, is text."""
    lines = [
        {"contact": "C-1", "account": ANN, "kind": "natural", "values": {"name": SCRIPT}},
        {
            "domain": "durand.us",
            "registered": "2024-02-01T10:00:00Z",
            "bindings": {"registrant": "C-1"},
        },
    ]
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    async with (
        serving(tmp_path, clock, lines, outbox=outbox, rate=0, brand=SCRIPT) as panel,
        panel.signed_in(ANN) as reader,
    ):
        reader.browser.headers["User-Agent"] = SCRIPT
        await reader.turn("reseller42.newsletter", "on")
        domains = (await reader.get("/domains")).text
        mark = re.search(r'<a href="(/domains/[^"]+)">durand\.us', domains)
        assert mark is not None
        pages = [domains, *[(await reader.get(path)).text for path in (mark[1], "/history")]]

    for page in pages[:2]:
        assert "&lt;script&gt;alert(" in page.partition("<main")[2]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page


async def test_files_that_are_not_there(panel: Panel) -> None:
    """Nothing is kept of what was asked for, however long it was: nobody fills the memory so."""
    async with panel.browser() as browser:
        answers = [
            await browser.get(f"/static/{name}")
            for name in ("x" * 300 + ".css", "%00.css", "README.md", "..%2F_app.py", "panel.css")
        ]
        kept = len(_files())
        await browser.get("/static/another.css")

    assert [one.status_code for one in answers] == [404, 404, 404, 404, 200]
    assert len(_files()) == kept


@pytest.mark.parametrize(
    "path", ["/choices", "/nowhere", "/unsubscribe/x", "/static/panel.css", "/healthz"]
)
async def test_a_host_that_is_not_ours(panel: Panel, path: str) -> None:
    """No page, no redirect, and nothing of the name in the answer."""
    async with panel.browser() as browser:
        answer = await browser.get(path, headers={"Host": "evil.example"})

    assert answer.status_code == 421
    assert "evil" not in answer.text + str(answer.headers)


async def test_two_hosts_or_none(panel: Panel) -> None:
    """A request that names two, one of them ours, is refused as well."""
    host, port = panel.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    for lines in (f"Host: {host}:{port}\r\nHost: evil.example\r\n", ""):
        with socket.create_connection((host, int(port))) as raw:
            raw.setblocking(False)
            request = f"GET /choices HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
            await loop.sock_sendall(raw, request.encode())
            answer = await loop.sock_recv(raw, 4096)
        assert answer.split()[1] in {b"400", b"421"}


async def test_nobody_sees_anything_without_signing_in(panel: Panel) -> None:
    """Pages lead to the sign-in, forms are refused."""
    async with panel.browser() as browser:
        for path in ("/", "/choices"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        for path in ("/choices/turn", "/choices/all"):
            assert (await browser.post(path)).status_code == 401


async def test_a_body_that_is_too_large(panel: Panel) -> None:
    """Announced or not, it is not read to its end."""

    async def pieces() -> object:
        for _ in range(100):
            yield b"x" * 10_000

    async with panel.browser() as browser:
        announced = await browser.post("/unsubscribe/x", data={"a": "x" * 100_000})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        streamed = await browser.post("/unsubscribe/x", content=pieces(), headers=headers)  # type: ignore[arg-type]  # it is asynchronous

    assert (announced.status_code, streamed.status_code) == (413, 413)


async def test_too_many_requests(tmp_path: Path, clock: FakeClock) -> None:
    """A client has its share of pages; a withdrawal by link is never refused for that."""
    async with serving(tmp_path, clock, rate=10) as panel, panel.browser() as browser:
        answers = [(await browser.get("/sign-in")).status_code for _ in range(7)]
        last = await browser.get("/sign-in")
        link = await browser.post("/unsubscribe/x", data={"List-Unsubscribe": "One-Click"})

    assert answers == [200] * 5 + [429] * 2
    assert last.headers["retry-after"] == "60"
    assert link.status_code == 404


async def test_every_answer_carries_the_policy(panel: Panel) -> None:
    """No script and no style of anybody else's, no frame, no word to other sites."""
    async with panel.signed_in(ANN) as reader:
        answers = [await reader.get(path) for path in ("/choices", "/nowhere", "/unsubscribe/x")]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert " on" not in "".join(part.partition(">")[0] for part in answer.text.split("<"))


async def test_nothing_that_identifies_is_in_addresses_or_logs(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a redirect, not in a link, not in what is written down when something fails."""
    with caplog.at_level("DEBUG"):
        async with panel.signed_in(ANN) as reader:
            page = await reader.turn("newsletter", "on")
            addresses = [str(one.url) for one in (*page.history, page)]
            panel.desk.pages.globals["static"] = None
            failed = await reader.get("/choices?q=secret")

    assert not any(ANN in one or "ann" in one for one in addresses)
    assert failed.status_code == 500
    told = [one.getMessage() for one in caplog.records if one.name.startswith(("panel", "uvicorn"))]
    assert any("unforeseen TypeError" in one for one in told)
    assert not any("ann" in one or "secret" in one for one in told)


async def test_cookies_are_out_of_reach(tmp_path: Path, clock: FakeClock) -> None:
    """Over TLS they go to this host alone, to no script, and never in the clear."""
    async with (
        serving(tmp_path, clock, url="https://localhost", also_hosts="127.0.0.1", rate=0) as panel,
        panel.browser() as browser,
    ):
        answer = await browser.get("/sign-in")

    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-panel-session=")
    for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert word in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
