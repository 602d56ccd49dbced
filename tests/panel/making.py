"""The panel as it runs: the real application under uvicorn, over a real server and a real file."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.types import ASGIApp

from consentclient import AsyncConsentClient, Retry
from consentsvc import catalogue, profiles
from consentsvc.config import Settings as ServerSettings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.server import started
from consentsvc.service.ports import Clock
from consentsvc.storage.opening import open_store
from panel import Settings, create_app
from panel._serving import config
from panel._visit import Desk
from registry_sync import JsonLines

CATALOGUE, PROFILES = catalogue.load(), profiles.load()
HASTY = Retry(attempts=2, first_delay=0.01, largest_delay=0.01)


@dataclass
class Panel:
    """A running panel, and a client of the service beside it."""

    url: str
    client: AsyncConsentClient
    app: ASGIApp
    settings: Settings
    stop_service: Any

    @property
    def desk(self) -> Desk:
        """What the panel's requests share, for tests that break it."""
        routed: Any = cast("Any", self.app)._app
        endpoint = routed.routes[0].endpoint
        return next(
            one.cell_contents for one in endpoint.__closure__ if isinstance(one.cell_contents, Desk)
        )

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody's browser, without one: keeps cookies, follows nothing unless told."""
        async with httpx.AsyncClient(base_url=self.url, headers=headers) as browser:
            yield browser

    @asynccontextmanager
    async def signed_in(self, subject: str, language: str = "en") -> AsyncIterator["Reader"]:
        """Somebody who has signed in, in the demonstration's way."""
        async with self.browser(**{"Accept-Language": language}) as browser:
            reader = Reader(browser)
            page = await browser.get("/sign-in")
            form = forms(page.text)["/sign-in"]
            answer = await browser.post("/sign-in", data={**form, "customer": subject})
            assert answer.status_code == 303, answer.text
            yield reader


@dataclass
class Reader:
    """Reads pages and sends their forms, as a browser would."""

    browser: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        """A page, wherever it is in the end."""
        return await self.browser.get(path, follow_redirects=True)

    async def send(
        self, path: str, action: str, more: Mapping[str, str], number: int = 0
    ) -> httpx.Response:
        """Sends one of the forms on a page, as it stands there."""
        page = await self.get(path)
        given = all_forms(page.text)[action][number]
        return await self.browser.post(action, data={**given, **more}, follow_redirects=True)

    async def turn(self, purpose: str, to: str) -> httpx.Response:
        """Turns the switch of a purpose."""
        page = await self.get("/choices")
        given = next(
            one for one in all_forms(page.text)["/choices/turn"] if one.get("purpose") == purpose
        )
        return await self.browser.post(
            "/choices/turn", data={**given, "turn": to}, follow_redirects=True
        )


def all_forms(html: str) -> dict[str, list[dict[str, str]]]:
    """The hidden fields of the forms on a page, by what they are sent to."""
    found: dict[str, list[dict[str, str]]] = {}
    for form in re.finditer(r'<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>', html, re.S):
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form[2])
        found.setdefault(form[1], []).append(dict(hidden))
    return found


def forms(html: str) -> dict[str, dict[str, str]]:
    """The first form of each kind."""
    return {action: given[0] for action, given in all_forms(html).items()}


@asynccontextmanager
async def serving(
    folder: Path,
    clock: Clock,
    lines: list[dict[str, Any]] | None = None,
    offered: Catalogue = CATALOGUE,
    **given: Any,
) -> AsyncIterator[Panel]:
    """Serves a panel over the default catalogue, for as long as a block runs."""
    with _port() as listener, _directory(folder, lines) as directory:
        host, port = listener.getsockname()
        url = f"http://{host}:{port}"
        settings = Settings.read(
            {}, **{"local_sign_in": "true", "url": url, "listen": f"{host}:{port}", **given}
        )
        async with open_store(f"sqlite:///{folder}/log.db", clock=clock) as store:
            listen = ServerSettings(listen="127.0.0.1:0", sweep_seconds=3600)
            starting = started(store, offered, PROFILES, clock, listen)
            server = await starting.__aenter__()
            stopped = False

            async def stop() -> None:
                nonlocal stopped
                if not stopped:
                    stopped = True
                    await starting.__aexit__(None, None, None)

            try:
                target = f"127.0.0.1:{server.port}"
                async with AsyncConsentClient(target, retry=HASTY) as client:
                    app = create_app(settings, client, directory)
                    async with _web(app, settings, listener):
                        yield Panel(url, client, app, settings, stop)
            finally:
                await stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the tests' own


@asynccontextmanager
async def _web(app: ASGIApp, settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(config(app, settings))
    task = asyncio.create_task(server.serve([listener]))
    try:
        await server.ready.wait()
        yield
    finally:
        server.should_exit = True
        await task


@contextmanager
def _port() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@contextmanager
def _directory(folder: Path, lines: list[dict[str, Any]] | None) -> Iterator[JsonLines | None]:
    if lines is None:
        yield None
        return
    file = folder / "directory.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with JsonLines(file) as directory:
        yield directory


def is_ours(url: str, panel: Panel) -> bool:
    """Whether an address is one of the panel's."""
    return urlsplit(url).netloc == urlsplit(panel.url).netloc
