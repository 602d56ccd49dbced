"""Settings, read once when the program starts; all mistakes are told at once."""

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

PREFIX = "CONSENT_PANEL_"

_UTC = ZoneInfo("UTC")
_HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]+\]")
_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SettingsInvalid(Exception):
    """Settings that cannot be used; each mistake names its variable."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Settings:
    """How the panel runs. Each is set by `CONSENT_PANEL_` and its name in capitals."""

    listen: str = "127.0.0.1:8000"
    """Host and port; behind a proxy that speaks TLS to the world. Port 0 takes any that is free."""
    url: str = "http://127.0.0.1:8000"
    """Where customers find the panel, without a path; by default where it listens. Only a loopback
    address may be http."""
    also_hosts: frozenset[str] = frozenset()
    """Other host names that it answers under, separated by commas."""
    trusted_proxies: str = ""
    """The proxies whose `X-Forwarded-For` is believed, as addresses separated by commas."""
    target: str = "127.0.0.1:50051"
    """Where the consent service is."""
    target_ca: Path | None = None
    """If set, TLS to the service, trusting the authorities in this PEM file."""
    target_certificate: Path | None = None
    """The panel's own certificate for the service, PEM."""
    target_key: Path | None = None
    """Its private key, PEM."""
    jwt_keys: Path | None = None
    """The registrar's public keys, a JWK set. Read again when the file changes."""
    jwt_audience: str = ""
    """What `aud` must contain."""
    jwt_issuer: str = ""
    """What `iss` must be; empty: it is not looked at."""
    jwt_cookie: str = ""
    """The cookie that holds the token."""
    jwt_header: str = ""
    """The header that holds it, set by a proxy; a leading `Bearer` is passed over."""
    sign_in_url: str = ""
    """Where a customer signs in at the registrar."""
    sign_out_url: str = ""
    """Where a customer signs out there."""
    local_sign_in: bool = False
    """Whether anybody may sign in as anybody: for demonstrations, on loopback addresses only."""
    secret_file: Path | None = None
    """At least 32 random bytes that sign forms; without it, new ones with each start."""
    brand: str = "Registrar Example"
    """The name at the top of each page."""
    directory: Path | None = None
    """The registrar's contacts and domains, JSON lines; without it there is no such page."""
    publication_purpose: str = "whois_publication"
    """The purpose of publishing contacts, as in the catalogue."""
    outbox: Path | None = None
    """A folder where links to confirm are left for the mailer; without it none can be asked for."""
    embed_origins: frozenset[str] = frozenset()
    """The registrar's other sites that show prompts, such as `https://news.registrar.example`."""
    gpc_since: str = ""
    """Since when the registrar says that it abides by Global Privacy Control; it says so at
    `/.well-known/gpc.json`, and nothing if it is not set."""
    time_zone: ZoneInfo = _UTC
    """In which dates are told."""
    rate: int = 300
    """Requests a minute that one client may make; 0 for no limit."""

    @property
    def secure(self) -> bool:
        """Whether customers come over TLS."""
        return self.url.startswith("https:")

    @property
    def hosts(self) -> frozenset[str]:
        """The host names that are ours."""
        host = urlsplit(self.url).hostname or ""
        return self.also_hosts | {f"[{host}]" if ":" in host else host}

    def at(self, port: int) -> "Settings":
        """The settings as they are once a port was found for port 0."""
        found = f"{self.listen.rpartition(':')[0]}:{port}"
        here = self.url == f"http://{self.listen}"
        return replace(self, listen=found, url=f"http://{found}" if here else self.url)

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
        known = {PREFIX + name.upper() for name in _PARSERS}
        mistakes += [
            f"{variable}: there is no such setting"
            for variable in sorted(environment)
            if variable.startswith(PREFIX) and variable not in known
        ]
        if "listen" in values:
            values.setdefault("url", f"http://{values['listen']}".removesuffix(":80"))
        settings = cls(**values)
        if not mistakes:
            # What could not be read must not be told again as not set.
            mistakes = settings._contradictions()
        if mistakes:
            raise SettingsInvalid(mistakes)
        return settings

    def _contradictions(self) -> list[str]:
        mistakes = []
        if self.jwt_keys is None and not self.local_sign_in:
            mistakes.append(f"{PREFIX}JWT_KEYS: nobody could sign in without it")
        if self.jwt_keys is not None and not self.jwt_audience:
            mistakes.append(f"{PREFIX}JWT_AUDIENCE: is needed with {PREFIX}JWT_KEYS")
        if self.jwt_keys is not None and bool(self.jwt_cookie) == bool(self.jwt_header):
            mistakes.append(f"{PREFIX}JWT_COOKIE or {PREFIX}JWT_HEADER: set one of them")
        hosts = {self.listen.rpartition(":")[0], *self.hosts}
        if self.local_sign_in and not all(map(is_loopback, hosts)):
            # Also not behind a proxy, which would let the world in.
            mistakes.append(f"{PREFIX}LOCAL_SIGN_IN: only on loopback addresses, here and in URL")
        if not self.secure and not is_loopback(urlsplit(self.url).hostname or ""):
            mistakes.append(f"{PREFIX}URL: must be https:// unless it is a loopback address")
        if (self.target_certificate is None) != (self.target_key is None):
            mistakes.append(f"{PREFIX}TARGET_CERTIFICATE and {PREFIX}TARGET_KEY go together")
        if self.target_certificate is not None and self.target_ca is None:
            mistakes.append(f"{PREFIX}TARGET_CERTIFICATE: needs {PREFIX}TARGET_CA")
        return mistakes


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only."""
    host = host.strip("[]")
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


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address that begins with https://")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("must have no path and nothing behind it")
    # Browsers name an origin without the port that goes without saying.
    usual = {"http": 80, "https": 443}[parts.scheme]
    netloc = parts.netloc.lower()
    return f"{parts.scheme}://{netloc.removesuffix(f':{usual}')}"


def _link(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address that begins with https://")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text.lower()):
        raise ValueError("must be host names without ports")
    return text.lower()


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("must be a date, such as 2026-03-01") from None


def _several(parse: Callable[[str], str]) -> Callable[[str], frozenset[str]]:
    return lambda text: frozenset(parse(one.strip()) for one in text.split(",") if one.strip())


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number")
    return int(text)


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _cookie(text: str) -> str:
    if not _COOKIE.fullmatch(text):
        raise ValueError("must be letters, digits, - and _")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path


def _secret(text: str) -> Path:
    path = _file(text)
    if path.stat().st_size < 32:
        raise ValueError(f"{path} holds fewer than 32 bytes")
    return path


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("must be the name of a time zone, such as Europe/Paris") from None


_PARSERS: dict[str, Callable[[str], object]] = {
    "listen": _listen,
    "url": _origin,
    "also_hosts": _several(_host),
    "trusted_proxies": _text,
    "target": _listen,
    "target_ca": _file,
    "target_certificate": _file,
    "target_key": _file,
    "jwt_keys": _file,
    "jwt_audience": _text,
    "jwt_issuer": _text,
    "jwt_cookie": _cookie,
    "jwt_header": _cookie,
    "sign_in_url": _link,
    "sign_out_url": _link,
    "local_sign_in": _boolean,
    "secret_file": _secret,
    "brand": _text,
    "directory": _file,
    "publication_purpose": _text,
    "outbox": _folder,
    "embed_origins": _several(_origin),
    "gpc_since": _date,
    "time_zone": _zone,
    "rate": _whole,
}
