"""`consent-panel`: serves the panel until it is told to stop.

Standard output says where it listens, once it answers. Exit codes: 0 stopped, 64
settings, keys, directory or address cannot be used.
"""

import asyncio
import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import grpc

from consentclient import AsyncConsentClient
from panel._app import create_app
from panel._people import KeysInvalid
from panel._serving import CannotListen, Server, bound, config
from panel._settings import Settings, SettingsInvalid
from registry_sync import DirectoryInvalid, JsonLines

_USAGE = 64


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [CONSENT_PANEL_LISTEN]")
@click.option("--url", help="Where customers find the panel.  [CONSENT_PANEL_URL]")
@click.option("--target", metavar="HOST:PORT", help="The service.  [CONSENT_PANEL_TARGET]")
@click.option("--directory", type=click.Path(path_type=Path), help="Contacts and domains.")
@click.option("--outbox", type=click.Path(path_type=Path), help="Where links to mail are left.")
@click.option("--local-sign-in", is_flag=True, default=None, help="Anybody as anybody: a demo.")
def main(**given: Any) -> None:
    """Serves the customer's panel; every setting is CONSENT_PANEL_ and its name in capitals."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = Settings.read(os.environ, **given)
        asyncio.run(_serve(settings))
    except (SettingsInvalid, KeysInvalid, DirectoryInvalid, CannotListen) as error:
        for line in str(error).splitlines():
            click.echo(f"consent-panel: {line}", err=True)
        sys.exit(_USAGE)


async def _serve(settings: Settings) -> None:
    with ExitStack() as stack:
        directory = None
        if settings.directory is not None:
            directory = stack.enter_context(JsonLines(settings.directory))
        listener = stack.enter_context(bound(settings))
        settings = settings.at(listener.getsockname()[1])
        async with AsyncConsentClient(settings.target, credentials=credentials(settings)) as client:
            app = create_app(settings, client, directory)
            server = Server(config(app, settings), lambda: click.echo(_where(settings)))
            await server.serve([listener])


def _where(settings: Settings) -> str:
    """Where the panel is, after a warning if everybody on this machine can be anybody there."""
    where = f"the panel listens on {settings.listen} and is found at {settings.url}"
    if settings.jwt_keys is not None:
        return where
    return f"LOCAL SIGN-IN IS ON: whoever is on this machine can sign in as anybody\n{where}"


def credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """TLS to the service, with a certificate of the panel's own where there is one."""
    if settings.target_ca is None:
        return None
    key, certificate = settings.target_key, settings.target_certificate
    return grpc.ssl_channel_credentials(
        settings.target_ca.read_bytes(),
        key.read_bytes() if key else None,
        certificate.read_bytes() if certificate else None,
    )


if __name__ == "__main__":
    main(prog_name="consent-panel")
