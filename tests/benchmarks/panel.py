"""A customer with a long history and many domains opens the panel."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from consentclient import Action, AsyncConsentClient, Change, ContactField, Scope
from consentsvc.cli._background import showing
from consentsvc.cli._visiting import Forms
from tests.benchmarks.load import Figure, measure
from tests.benchmarks.setting import NEWSLETTER, Running

GOAL_MS = 200
"""What a page may take at the server, p50."""

_CUSTOMER = "customer:long-standing"
_EVENTS, _DOMAINS = 5_000, 500
_PAGES = ("choices", "domains", "history")
_CALLS, _AT_ONCE = 25, 64
_SUFFIXES = ("cz", "com", "fr", "it", "us")


async def pages(running: Running, folder: Path) -> list[Figure]:
    """Opens each page, as somebody who has signed in. The time is that of the whole answer."""
    directory = folder / "directory.jsonl"
    _write(directory)
    async with AsyncConsentClient(running.target) as client:
        await _fill(client)
    options = (
        *("--listen", "127.0.0.1:0", "--target", running.target),
        *("--directory", str(directory), "--local-sign-in"),
    )
    environment = {**os.environ, "CONSENT_PANEL_RATE": "0"}
    with (folder / "panel.log").open("w+b") as log:
        async with (
            showing(options, environment, log) as panel,
            httpx.AsyncClient(base_url=panel.address) as browser,
        ):
            await _sign_in(browser)

            async def opened(page: str) -> None:
                answer = await browser.get(f"/{page}")
                assert answer.status_code == 200

            figures = []
            for page in _PAGES:
                await opened(page)
                name = f"panel, {page} ({_EVENTS:,} events, {_DOMAINS} domains)"
                figures.append(await measure(name, _CALLS, 1, _always(opened, page)))
            return figures


def _always(call: Callable[[str], Awaitable[None]], page: str) -> Callable[[int], Awaitable[None]]:
    return lambda _: call(page)


async def _sign_in(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/sign-in")
    form = Forms(page.status_code, page.text).one("/sign-in")
    assert form is not None
    sent = {name: value for name, value in form.items() if name != Forms.ACTION}
    answer = await browser.post("/sign-in", data={**sent, "customer": _CUSTOMER})
    assert answer.status_code == 303


async def _fill(client: AsyncConsentClient) -> None:
    """A choice for each domain, and a newsletter that was turned on and off all the time."""
    notices = {one.id: one.notice.ref for one in await client.list_purposes("en")}

    async def change(one: Change) -> None:
        await client.update(_CUSTOMER, [one], channel="panel")

    email = frozenset({ContactField.EMAIL})
    whois = [
        Change(
            "whois_publication",
            Action.GIVE,
            notices["whois_publication"],
            scope=Scope(email, "C-1", _domain(number)),
        )
        for number in range(_DOMAINS)
    ]
    for first in range(0, _DOMAINS, _AT_ONCE):
        await asyncio.gather(*map(change, whois[first : first + _AT_ONCE]))
    # Giving again is an event each time, whatever comes first.
    give = Change(NEWSLETTER, Action.GIVE, notices[NEWSLETTER])
    for first in range(_DOMAINS, _EVENTS, _AT_ONCE):
        await asyncio.gather(*(change(give) for _ in range(min(_AT_ONCE, _EVENTS - first))))


def _write(directory: Path) -> None:
    values = {"name": "A. Name", "city": "Exempleville", "email": "a@name.example"}
    lines: list[dict[str, object]] = [
        {"contact": "C-1", "account": _CUSTOMER, "kind": "natural", "values": values}
    ]
    lines += [
        {
            "domain": _domain(number),
            "registered": "2024-02-01T10:00:00Z",
            "bindings": {"registrant": "C-1"},
        }
        for number in range(_DOMAINS)
    ]
    directory.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _domain(number: int) -> str:
    return f"example-{number}.{_SUFFIXES[number % len(_SUFFIXES)]}"
