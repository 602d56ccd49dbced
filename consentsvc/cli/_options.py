"""Options that many commands share, and the service that they lead to."""

import functools
import math
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from consentsvc.cli._errors import told
from consentsvc.cli._exits import Ended, Exit

if TYPE_CHECKING:
    from consentclient import Actor, AsyncConsentClient, Scope

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")

_LARGEST_PORT = 65_535
# A day: whoever waits longer for one answer has made a mistake, and gRPC cannot count for ever.
_LONGEST_TIMEOUT = 86_400
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, or one a line: for programs."
)


def whole_token(_context: click.Context, _option: click.Parameter, token: str | None) -> str | None:
    """Refuses an empty token: it was lost on the way, and would be taken for none."""
    if token == "":
        raise click.BadParameter("must not be empty")
    return token


freshness_option = click.option(
    "--at-least-as-fresh",
    metavar="TOKEN",
    callback=whole_token,
    help="A written_at or read_at: the answer reflects at least all that it does.",
)

channel_option = click.option(
    "--channel", default="cli", show_default=True, help="Where it comes from: a-z, 0-9 and _."
)

request_option = click.option(
    "--request-id", metavar="ID", help="Under which it is recorded once, however often it is sent."
)

TOKENS = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
"""For a command that takes a token, which may begin with a dash."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is, and how it is asked."""

    target: str
    timeout: float
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def client(self) -> "AbstractAsyncContextManager[AsyncConsentClient]":
        """A client for as long as the block runs."""
        from consentclient import AsyncConsentClient

        return AsyncConsentClient(
            self.target, credentials=self._credentials(), timeout=self.timeout
        )

    def ask(self, question: "Callable[[AsyncConsentClient], Awaitable[T]]") -> T:
        """Asks, and waits for the answer. An error ends the program with its code."""

        async def asking() -> T:
            async with self.client() as client:
                return await question(client)

        import uvloop

        with told(self.target):
            return uvloop.run(asking())

    def _credentials(self) -> Any:
        if self.tls_ca is None and self.tls_certificate is None:
            return None
        import grpc

        return grpc.ssl_channel_credentials(
            root_certificates=_content(self.tls_ca),
            private_key=_content(self.tls_key),
            certificate_chain=_content(self.tls_certificate),
        )


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


def _possible_target(_context: click.Context, _option: click.Parameter, target: str) -> str:
    """Refuses a port that there is not: gRPC would dial what is left of it by 65,536."""
    port = target.rpartition(":")[2]
    if port.isdecimal() and int(port) > _LARGEST_PORT:
        raise click.BadParameter(f"there is no port {port}")
    return target


def _seconds(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """Reads a timeout; neither `nan` nor `inf` is how long anything may take."""
    seconds = math.nan
    with suppress(ValueError):
        seconds = float(value)
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise click.BadParameter(
            f"{value}: must be more than 0 and at most {_LONGEST_TIMEOUT} seconds"
        )
    return seconds


def asks_service(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say where the service is, and itself as `service`."""

    @click.option(
        "--target",
        metavar="HOST:PORT",
        envvar="CONSENT_TARGET",
        callback=_possible_target,
        default="127.0.0.1:50051",
        show_default=True,
        help="Where the service is.  [CONSENT_TARGET]",
    )
    @click.option(
        "--tls-ca",
        type=_FILE,
        envvar="CONSENT_TLS_CA",
        metavar="FILE",
        help="Use TLS, and trust the authorities in this file, PEM.  [CONSENT_TLS_CA]",
    )
    @click.option(
        "--tls-certificate",
        type=_FILE,
        envvar="CONSENT_TLS_CERTIFICATE",
        metavar="FILE",
        help="Use TLS, and show this certificate, PEM.  [CONSENT_TLS_CERTIFICATE]",
    )
    @click.option(
        "--tls-key",
        type=_FILE,
        envvar="CONSENT_TLS_KEY",
        metavar="FILE",
        help="The certificate's private key, PEM.  [CONSENT_TLS_KEY]",
    )
    @click.option(
        "--timeout",
        callback=_seconds,
        default="5.0",
        show_default=True,
        metavar="SECONDS",
        help="How long an answer may take.",
    )
    @json_option
    @functools.wraps(command)
    def asking(
        *args: Any,
        target: str,
        timeout: float,
        tls_ca: Path | None,
        tls_certificate: Path | None,
        tls_key: Path | None,
        **kwargs: Any,
    ) -> None:
        if (tls_certificate is None) != (tls_key is None):
            raise click.UsageError("--tls-certificate and --tls-key go together")
        service = Service(target, timeout, tls_ca, tls_certificate, tls_key)
        command(*args, service=service, **kwargs)

    return asking


def actor_option(default: str | None = None) -> Callable[[Command], Command]:
    """Who asks for it; required if there is no default."""
    return click.option(
        "--actor",
        callback=_actor,
        metavar="KIND[:ID]",
        help="Who asks for it: subject, operator:ID, reseller:ID or system.",
        # For click, a default of None is one.
        **({"default": default, "show_default": True} if default else {"required": True}),
    )


def reader_option(command: Command) -> Command:
    """Who reads, if it is not the subject: that is recorded."""
    return click.option(
        "--reader",
        callback=_actor,
        metavar="KIND[:ID]",
        help="Who reads, if not the subject: operator:ID, reseller:ID or system. It is recorded.",
    )(command)


def scope_options(command: Command) -> Command:
    """How far it reaches and which fields it is about, for a purpose that takes a scope."""
    for option in (
        click.option(
            "--field",
            "fields",
            multiple=True,
            metavar="FIELD",
            help="A field of the contact, such as name or email, or all; may be repeated.",
        ),
        click.option("--role", metavar="ROLE", help="In one role of the domain only."),
        click.option("--domain", metavar="NAME", help="For one domain only."),
        click.option("--contact", metavar="ID", help="For one contact only."),
    ):
        command = option(command)
    return command


def scope(
    contact: str | None, domain: str | None, role: str | None, fields: Sequence[str]
) -> "Scope | None":
    """The scope that the options name; None if they name nothing."""
    from consentclient import ContactField, ContactRole, Scope

    if not (contact or domain or role or fields):
        return None
    if not fields:
        raise click.UsageError("--contact, --domain and --role need --field: all, or some of them")
    try:
        return Scope(
            frozenset(ContactField(one.lower()) for one in fields),
            contact,
            domain,
            None if role is None else ContactRole(role.lower()),
        )
    except ValueError as error:
        known = [one.value for one in ContactField], [one.value for one in ContactRole]
        raise click.UsageError(
            f"fields are {', '.join(known[0])}; roles are {', '.join(known[1])}"
        ) from error


def _actor(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> "Actor | None":
    from consentclient import Actor, ActorKind

    if value is None:
        return None
    kind, _, id = value.partition(":")
    if kind in {"operator", "reseller"} and id:
        return Actor(ActorKind(kind), id)
    if value == "subject" or kind == "system":
        return Actor(ActorKind(kind), id or None)
    raise click.BadParameter(f"{value}: must be subject, operator:ID, reseller:ID or system")


def moment(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Reads a moment as RFC 3339 writes it; without a zone it would be another one elsewhere."""
    if value is None:
        return None
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    raise click.BadParameter(f"{value}: must be like 2026-03-01T09:00:00Z, with Z or an offset")


def standard_input() -> list[str]:
    """The lines of standard input that are not empty."""
    try:
        return [line for one in sys.stdin if (line := one.rstrip("\r\n"))]
    except UnicodeDecodeError as error:
        raise Ended(Exit.USAGE, "what was given is not UTF-8") from error
