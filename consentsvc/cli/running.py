"""`consentsvc run`: a server and the panel beside it."""

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from consentsvc.cli._exits import Ended, Exit
from consentsvc.config import Settings, SettingsInvalid


@click.command(short_help="Serves with the panel beside it, to try them on this machine.")
@click.option("--listen", metavar="HOST:PORT", help="Where the server listens.")
@click.option("--store", metavar="URL", help="Where the log is, as for serve.")
@click.option(
    "--panel",
    default="127.0.0.1:8000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the panel listens: a loopback address.",
)
@click.option("--directory", metavar="FILE", help="Contacts and domains, as for the panel.")
@click.option("--outbox", metavar="FOLDER", help="Where the panel leaves links to mail.")
def run(
    listen: str | None, store: str | None, panel: str, directory: str | None, outbox: str | None
) -> None:
    """Serves in the foreground with the panel beside it, until SIGTERM or Ctrl-C ends both.

    Anybody on this machine can sign in to that panel as anybody: it is for trying things out, and
    listens on a loopback address only. Whatever else is to be set is read from CONSENTSVC_... and
    CONSENT_PANEL_... as usual. Exits with 0 if both ended in order.
    """
    try:
        settings = Settings.read(os.environ, listen=listen, store=store)
    except SettingsInvalid as error:
        raise Ended(Exit.CONFIG, *error.mistakes) from error

    import uvloop

    from consentsvc.cli._background import ServerFailed, until_told

    panel_options = ["--listen", panel, "--local-sign-in"]
    for name, value in (("--directory", directory), ("--outbox", outbox)):
        if value is not None:
            panel_options += [name, value]
    with tempfile.TemporaryDirectory(prefix="consentsvc-run-") as folder:
        try:
            with suppress(asyncio.CancelledError):
                uvloop.run(until_told(_both(Path(folder), settings, tuple(panel_options))))
        except ServerFailed as error:
            raise Ended(Exit.CONFIG, *str(error).splitlines()) from error


async def _both(folder: Path, settings: Settings, panel_options: tuple[str, ...]) -> None:
    """Runs both until one of them ends by itself, which is told, or until it is cancelled."""
    from consentsvc.cli._background import ServerFailed, serving, showing

    server_options = ("--listen", settings.listen, "--store", settings.store)
    host = settings.listen.rpartition(":")[0]
    async with serving(folder, server_options, dict(os.environ), None) as server:
        target = ("--target", f"{host}:{server.address}")
        async with showing(panel_options + target, dict(os.environ), None) as panel:
            print(*panel.said, sep="\n", flush=True)
            ended = {
                asyncio.create_task(one.process.wait(), name=name): name
                for name, one in {"server": server, "panel": panel}.items()
            }
            try:
                done, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in ended:
                    one.cancel()
            raise ServerFailed(f"the {ended[done.pop()]} has ended")
