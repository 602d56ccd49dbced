"""`registry-sync`: brings the registries to what people chose.

| exit code | says |
| --- | --- |
| 0 | done: every registry has what it should |
| 1 | not everything was applied: a registry refused, was not reached, or something is not known |
| 2 | could not find out: the consent service was not reached |
| 3 | the consent service refused: its log is another one than the state file's, or bad facts |
| 64 | the command line, the settings, the directory or the state file cannot be used |

Told to stop by SIGTERM or SIGINT it ends with 0 or 1: what is not done is done by the next run.
"""

import asyncio
import contextlib
import logging
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from consentclient import AsyncConsentClient, ConsentError, ConsentUnavailable, PositionUnknown
from registry_sync import _settings as settings
from registry_sync._directory import ContactRecord
from registry_sync._errors import FollowerUnknown
from registry_sync._jsonl import DirectoryInvalid, JsonLines
from registry_sync._printing import PrintingRegistry
from registry_sync._sending import Adapter
from registry_sync._state import State, StateUnusable
from registry_sync._summary import Summary
from registry_sync._sync import Sync
from registry_sync._things import Registries
from registry_sync._world import World

_log = logging.getLogger(__name__)

_NOT_APPLIED, _UNKNOWN, _REFUSED, _USAGE, _INTERRUPTED = 1, 2, 3, 64, 130


@dataclass(frozen=True, slots=True)
class _Options:
    """Where everything is."""

    target: str
    tls_ca: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    directory: Path
    state: Path
    registries: Path
    purpose: str
    relay: str
    dry_run: bool
    follower: str | None = None


def _of_each_contact(_context: click.Context, _option: click.Parameter, address: str) -> str:
    """Refuses what is no address, or the same one for everybody."""
    if "@" not in address or "{handle}" not in address:
        raise click.BadParameter("must be an address with {handle} in it")
    return address


def _asks(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--dry-run", is_flag=True, help="Print the frames; send and keep nothing."),
        click.option(
            "--relay",
            default="{handle}@relay.invalid",
            callback=_of_each_contact,
            show_default=True,
            metavar="ADDRESS",
            help="The address that stands in for a person's own; {handle} is the contact's.",
        ),
        click.option(
            "--purpose",
            default="whois_publication",
            show_default=True,
            help="The purpose, as in the catalogue.",
        ),
        click.option(
            "--registries",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            required=True,
            metavar="FILE",
            help="How the registries are reached, TOML.",
        ),
        click.option(
            "--state",
            type=click.Path(dir_okay=False, path_type=Path),
            required=True,
            metavar="FILE",
            help="The job's own memory; made if it is not there.",
        ),
        click.option(
            "--directory",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            required=True,
            metavar="FILE",
            help="The registrar's domains and contacts, JSON lines; read once, when it starts.",
        ),
        click.option(
            "--tls-key",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            envvar="CONSENT_TLS_KEY",
            metavar="FILE",
            help="The certificate's private key, PEM.  [CONSENT_TLS_KEY]",
        ),
        click.option(
            "--tls-certificate",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            envvar="CONSENT_TLS_CERTIFICATE",
            metavar="FILE",
            help="Use TLS, and show this certificate, PEM.  [CONSENT_TLS_CERTIFICATE]",
        ),
        click.option(
            "--tls-ca",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            envvar="CONSENT_TLS_CA",
            metavar="FILE",
            help="Use TLS to the consent service, and trust the authorities in this file, PEM.  "
            "[CONSENT_TLS_CA]",
        ),
        click.option(
            "--target",
            metavar="HOST:PORT",
            envvar="CONSENT_TARGET",
            default="127.0.0.1:50051",
            show_default=True,
            help="Where the consent service is.  [CONSENT_TARGET]",
        ),
    ):
        command = option(command)
    return command


class _Program(click.Group):
    """Click's own code for usage errors is taken: here it says that the service was not reached."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs the program to its end."""
        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}))
        except click.Abort:
            _stop(_INTERRUPTED, "interrupted")
        except click.ClickException as error:
            error.show()
            sys.exit(_USAGE)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Brings the registries to what people chose, and tells the consent service what they took."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")


@main.command()
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="POSITION",
    help="Stop once the log was read through here and everything is done.",
)
@click.option(
    "--follower",
    metavar="NAME",
    envvar="CONSENT_FOLLOWER",
    help="The name by which the consent service waits for this job before it forgets anybody; it "
    "then acknowledges what is done.  [CONSENT_FOLLOWER]",
)
@_asks
def run(until: int | None, **options: object) -> None:
    """Follows every change: withdrawals first.

    Begins with everything there is if the state file is new, and goes on where it was otherwise.

    The directory is read when it starts: after a change to it, stop this, reconcile, and start it
    again.
    """
    _end(_work(_Options(**options), lambda sync: sync.follow(until)))  # type: ignore[arg-type]


@main.command()
@_asks
def reconcile(**options: object) -> None:
    """Holds every domain against what was last applied, and repairs what differs.

    It needs the state file for itself: stop `run` before.
    """

    async def work(sync: Sync) -> None:
        with _progress() as progress:
            await sync.reconcile(progress)

    _end(_work(_Options(**options), work))  # type: ignore[arg-type]


def _work(options: _Options, work: Callable[[Sync], Awaitable[None]]) -> Summary:
    try:
        return asyncio.run(_working(options, work))
    except settings.SettingsInvalid as error:
        _stop(_USAGE, *error.mistakes)
    except (DirectoryInvalid, StateUnusable) as error:
        _stop(_USAGE, str(error))
    except sqlite3.Error as error:
        _stop(_USAGE, f"{options.state}: {error}")
    except FollowerUnknown as error:
        _stop(_USAGE, f"--follower: {options.target}: {error}")
    except ConsentUnavailable as error:
        _stop(_UNKNOWN, f"{options.target}: {error}")
    except PositionUnknown:
        _stop(_REFUSED, f"{options.target}: its log is not the one that {options.state} is about")
    except ConsentError as error:
        _stop(_REFUSED, f"{options.target}: {error}")
    raise AssertionError  # each of them has ended the program


async def _working(options: _Options, work: Callable[[Sync], Awaitable[None]]) -> Summary:
    summary = Summary()

    async def working() -> None:
        nonlocal summary
        async with _world(options) as world:
            sync = Sync(world)
            summary = sync.summary
            try:
                await work(sync)
            finally:
                for name in sorted(world.state.waiting().keys() - world.adapters.keys()):
                    _log.warning("%s is not among the registries of the settings", name)

    task = asyncio.ensure_future(working())
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):  # told to stop: nothing is lost by it
        await task
    return summary


@asynccontextmanager
async def _world(options: _Options) -> AsyncIterator[World]:
    import grpc  # noqa: PLC0415 - only here

    if (options.tls_certificate is None) != (options.tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together")
    credentials = None
    if options.tls_ca is not None or options.tls_certificate is not None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_content(options.tls_ca),
            private_key=_content(options.tls_key),
            certificate_chain=_content(options.tls_certificate),
        )
    known = settings.read(options.registries)
    async with AsyncExitStack() as stack:
        state = stack.enter_context(_state(options))
        directory = stack.enter_context(JsonLines(options.directory))
        client = await stack.enter_async_context(
            AsyncConsentClient(options.target, credentials=credentials, timeout=30)
        )
        registries = Registries(await client.list_profiles())
        settings.refuse_unknown(known, registries.names())
        adapters: dict[str, Adapter] = {}
        for one in known:
            if options.dry_run:
                adapters[one.name] = PrintingRegistry(one.name, one.dialect)
            else:
                adapters[one.name] = await stack.enter_async_context(one.connect())

        def relay(contact: ContactRecord) -> str:
            return options.relay.replace("{handle}", contact.handle)

        yield World(
            client,
            directory,
            state,
            registries,
            adapters,
            options.purpose,
            relay,
            reports=not options.dry_run,
            follower=None if options.dry_run else options.follower,
        )


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


@contextlib.contextmanager
def _state(options: _Options) -> Iterator[State]:
    """The state; for a dry run a copy of it, which goes when it is over."""
    if not options.dry_run:
        with State(options.state) as state:
            yield state
        return
    with State(None) as copy:
        if options.state.exists():
            with State(options.state) as state:
                state.copy_to(copy)
        yield copy


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console  # noqa: PLC0415 - only here
    from rich.progress import Progress  # noqa: PLC0415 - only here

    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("reconciling", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _end(summary: Summary) -> None:
    for one in fields(summary):
        click.echo(f"{one.name.replace('_', ' '):<12}{getattr(summary, one.name):>8}")
    sys.exit(_NOT_APPLIED if summary.failed else 0)


def _stop(code: int, *words: str) -> None:
    for word in words:
        click.echo(f"registry-sync: {word}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="registry-sync")
