"""How the panel is served: by uvicorn, without a word about who asked for what."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from panel._settings import Settings


class CannotListen(Exception):
    """The address is somebody else's, or not one of this machine's."""


def bound(settings: Settings) -> socket.socket:
    """Takes the address to listen on, before anything is built on it. Raises `CannotListen`."""
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {settings.listen}: {error.strerror}") from None
    return listener


class Server(uvicorn.Server):
    """Stops when told to, and leaves the end of the process to whoever started it.

    uvicorn's own would raise the signal once more, and what is still open would not be closed.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer, and says so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Takes the signals for as long as it serves."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


def config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """What uvicorn is told. A log of requests is for nobody: links from mails are in them."""
    # `access_log=False` only takes the logger's handlers; whoever set up others would still get it.
    logging.getLogger("uvicorn.access").disabled = True
    host, _, port = settings.listen.rpartition(":")
    return uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=int(port),
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="off",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
    )
