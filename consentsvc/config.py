"""Settings, read once when the program starts; all mistakes are told at once."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "CONSENTSVC_"

# Set for every container beside a Kubernetes service of that name, by nobody's wish.
_BY_KUBERNETES = re.compile(
    rf"{PREFIX}(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_[A-Z]+)?)?)"
)


class SettingsInvalid(Exception):
    """Settings that cannot be used; each mistake names its variable."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server runs. Each is set by `CONSENTSVC_` and its name in capitals."""

    listen: str = "127.0.0.1:50051"
    """Host and port. Another host than a loopback address needs TLS or `insecure`."""
    store: str = "sqlite:///data/consent.db"
    """Where the log is: `sqlite:///PATH`, or `memory:` for one that dies with the process."""
    master_key_file: Path | None = None
    """The 32 bytes under which all keys lie; by default beside the log, made with it."""
    catalogue: Path | None = None
    """The catalogue; by default the one that comes with the program."""
    profiles: Path | None = None
    """A folder with registry profiles of the registrar's own, beside those of the program."""
    log_name: str = "consentsvc.invalid"
    """What the log is called where it signs: a domain name of the registrar's, or a URL without its
    scheme. It cannot be changed once something was signed."""
    tls_certificate: Path | None = None
    """The server's certificate chain, PEM."""
    tls_key: Path | None = None
    """Its private key, PEM."""
    tls_client_ca: Path | None = None
    """If set, only callers with a certificate of this authority are let in."""
    insecure: bool = False
    """Whether to listen without TLS where others could listen in."""
    rate: int = 20_000
    """Messages a second that one caller may send; 0 for no limit."""
    drain_seconds: int = 10
    """How long calls under way may go on once the server was told to stop."""
    sweep_seconds: int = 60
    """How often consents and requests that ran out are looked for."""
    retention_seconds: int = 86_400
    """How often personal parts are looked for whose time of retention is over."""
    obliged_followers: tuple[str, ...] = ()
    """The followers that have to act before a person is forgotten, such as `registry_sync`: names
    of a-z, 0-9 and _, with commas between them."""
    erasure_wait_seconds: int = 45
    """How long an erasure waits for them. A call without a deadline of its own ends after 60."""
    trusted_log_keys: Path | None = None
    """A file with the public keys of other logs whose receipts are taken for proof when events are
    imported: one a line, as `consentsvc proof key` prints them."""

    @classmethod
    def read(cls, environment: Mapping[str, str], **given: object) -> "Settings":
        """Reads the environment; what is given otherwise, and not None, has precedence.

        Raises `SettingsInvalid`.
        """
        mistakes: list[str] = []
        values: dict[str, Any] = {}
        for name, parse in _PARSERS.items():
            variable = PREFIX + name.upper()
            text = given.get(name)
            text = environment.get(variable) if text is None else str(text)
            if text is not None:
                try:
                    values[name] = parse(text)
                except ValueError as error:
                    mistakes.append(f"{variable}: {error}")
        # What could not be read is told already; it must not be told again as not set.
        unread = [re.compile(rf"\b{mistake.partition(':')[0]}\b") for mistake in mistakes]
        known = {PREFIX + name.upper() for name in _PARSERS}
        mistakes += [
            f"{variable}: there is no such setting"
            for variable in sorted(environment)
            if variable.startswith(PREFIX)
            and variable not in known
            and not _BY_KUBERNETES.fullmatch(variable)
        ]
        settings = cls(**values)
        mistakes += [
            contradiction
            for contradiction in settings._contradictions()
            if not any(one.search(contradiction) for one in unread)
        ]
        if mistakes:
            raise SettingsInvalid(mistakes)
        return settings

    def _contradictions(self) -> list[str]:
        mistakes = []
        if (self.tls_certificate is None) != (self.tls_key is None):
            mistakes.append(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY go together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            mistakes.append(f"{PREFIX}TLS_CLIENT_CA: needs {PREFIX}TLS_CERTIFICATE")
        if self.tls_certificate is None and not self.insecure and not _is_loopback(self.listen):
            mistakes.append(
                f"{PREFIX}LISTEN: {self.listen} is not a loopback address: set"
                f" {PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY, or {PREFIX}INSECURE=true"
            )
        return mistakes


def _is_loopback(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("must be HOST:PORT")
    return text


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number")
    return int(text)


def _positive(text: str) -> int:
    number = _whole(text)
    if number == 0:
        raise ValueError("must be 1 or more")
    return number


def _text(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _name(text: str) -> str:
    # As the format of signed notes has it; the log's own id comes after it.
    if not re.fullmatch(r"[^\s+]{1,200}", text) or not text.isprintable() or text.endswith("/"):
        raise ValueError("must be 1 to 200 characters without blanks or +, and no / at the end")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not all(re.fullmatch(r"[a-z0-9_]{1,32}", one) for one in names):
        raise ValueError("must be names of 1 to 32 characters of a-z, 0-9 and _, with commas")
    return names


def _path(text: str) -> Path:
    return Path(_text(text))


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


_PARSERS: dict[str, Callable[[str], object]] = {
    "listen": _listen,
    "store": _text,
    "master_key_file": _path,
    "catalogue": _file,
    "profiles": _folder,
    "log_name": _name,
    "tls_certificate": _file,
    "tls_key": _file,
    "tls_client_ca": _file,
    "insecure": _boolean,
    "rate": _whole,
    "drain_seconds": _whole,
    "sweep_seconds": _positive,
    "retention_seconds": _positive,
    "obliged_followers": _names,
    "erasure_wait_seconds": _whole,
    "trusted_log_keys": _file,
}
