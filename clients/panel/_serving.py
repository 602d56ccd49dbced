"""How the panel is served: by uvicorn, without a word about who asked for what."""

import asyncio
import logging
import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from panel._settings import Settings


class Server(uvicorn.Server):
    """Stops when told to, and leaves the end of the process to whoever started it.

    uvicorn's own would raise the signal once more, and what is still open would not be closed.
    """

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
