"""`consentsvc serve`."""

import contextlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from consentsvc.cli._exits import Ended, Exit
from consentsvc.config import PREFIX, Settings, SettingsInvalid

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP = {
    "listen": "HOST:PORT. Another host than a loopback address needs TLS or --insecure.",
    "store": "Where the log is: sqlite:///PATH, or memory: for one that dies with the process.",
    "master_key_file": "The 32 bytes under which all keys lie; by default beside the log.",
    "catalogue": "The catalogue, TOML; by default the one that comes with the program.",
    "profiles": "A folder with registry profiles of your own, beside those of the program.",
    "log_name": "What the log signs as, with its id behind it: a domain name of yours.",
    "tls_certificate": "The server's certificate chain, PEM.",
    "tls_key": "Its private key, PEM.",
    "tls_client_ca": "Let in only callers with a certificate of this authority, PEM.",
    "insecure": "Listen without TLS where others could listen in.",
    "rate": "Messages a second that one caller may send; 0 for no limit.",
    "drain_seconds": "How long calls under way may go on once the server was told to stop.",
    "sweep_seconds": "How often consents and requests that ran out are looked for.",
    "retention_seconds": "How often what has been kept for long enough is looked for.",
    "obliged_followers": "Followers that have to act before a person is forgotten: NAME,NAME...",
    "erasure_wait_seconds": "How long an erasure waits for them.",
    "trusted_log_keys": "Keys of other logs whose receipts count in an import, one a line.",
}
_METAVAR = {
    "listen": "HOST:PORT",
    "store": "URL",
    "profiles": "FOLDER",
    "log_name": "NAME",
    "rate": "N",
    "obliged_followers": "NAMES",
}


def _settings_options(command: Command) -> Command:
    """An option for each setting. `Settings` parses them, so that all mistakes are told at once."""
    for name, text in reversed(_HELP.items()):
        option = "--" + name.replace("_", "-")
        variable = PREFIX + name.upper()
        help_text = f"{text}  [{variable}]"
        if name == "insecure":
            command = click.option(f"{option}/--no-insecure", default=None, help=help_text)(command)
        else:
            metavar = _METAVAR.get(name, "SECONDS" if name.endswith("seconds") else "FILE")
            command = click.option(option, metavar=metavar, help=help_text)(command)
    return command


@click.command()
@_settings_options
@click.option(
    "--port-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Written with the port once the server answers, removed when it stops; or a named pipe.",
)
def serve(port_file: Path | None, **given: object) -> None:
    """Serves in the foreground until SIGTERM or Ctrl-C; then drains, and exits with 0.

    Every setting is an option or the environment variable beside it; the option has precedence.
    Logs go to standard error, one JSON object a line; the one called "ready" has the address.
    """
    try:
        settings = Settings.read(os.environ, **given)
    except SettingsInvalid as error:
        raise Ended(Exit.CONFIG, *(_as_given(one, given) for one in error.mistakes)) from error

    import structlog
    import uvloop

    from consentsvc import logs, server
    from consentsvc.catalogue import CatalogueInvalid
    from consentsvc.domain.errors import Error
    from consentsvc.profiles import ProfilesInvalid
    from consentsvc.service.checkpoints import CannotSign
    from consentsvc.service.notices import NoticesChanged
    from consentsvc.storage.errors import StoreRefused

    logs.configure()
    host = settings.listen.rpartition(":")[0]

    def ready(port: int) -> None:
        structlog.get_logger(__name__).info("ready", address=f"{host}:{port}")
        if port_file:
            _tell(port_file, f"{port}\n")

    try:
        if port_file:
            _forget(port_file)
        uvloop.run(server.serve(settings, ready))
    except (CatalogueInvalid, ProfilesInvalid) as error:
        raise Ended(Exit.CONFIG, *map(str, error.mistakes)) from error
    except (
        StoreRefused,
        NoticesChanged,
        CannotSign,
        server.CannotListen,
        server.KeysUnusable,
    ) as error:
        raise Ended(Exit.CONFIG, str(error)) from error
    except OSError as error:
        raise Ended(
            Exit.CONFIG, f"{error.filename or settings.listen}: {error.strerror}"
        ) from error
    except Error as error:
        raise Ended(Exit.UNKNOWN, error.message) from error
    finally:
        if port_file:
            with contextlib.suppress(OSError):
                _forget(port_file)


def _as_given(mistake: str, given: dict[str, object]) -> str:
    """Names the options that were used, where `Settings` names their variables."""
    for name, value in given.items():
        if value is not None:
            variable = rf"{PREFIX}{name.upper()}\b"
            mistake = re.sub(variable, "--" + name.replace("_", "-"), mistake)
    return mistake


def _tell(file: Path, text: str) -> None:
    """Writes a file that a reader finds whole or not at all; a named pipe keeps its reader."""
    if file.is_fifo():
        # It may be long until somebody reads.
        threading.Thread(target=file.write_text, args=(text,), daemon=True).start()
    else:
        partial = file.with_name(file.name + ".partial")
        partial.write_text(text)
        partial.replace(file)


def _forget(file: Path) -> None:
    if not file.is_fifo():
        file.unlink(missing_ok=True)
