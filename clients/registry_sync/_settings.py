"""The registries that the job connects to, from one TOML file; all mistakes are told at once.

    [cz]
    host = "epp.registry.example"
    client = "REG-EXAMPLE"
    password_file = "/run/secrets/cz"
    dialect = "fred"

A section is named after the profile, or after profile and suffix where each suffix is a registry of
its own: `["epp-hiding/xyz"]`. The password stands in a file, never here.

A registry whose greeting contradicts its profile about what is shown by default is told nothing.
Where the greeting is known to be wrong, `default = "hides"` or `default = "shows"` says what holds.
"""

import ipaddress
import re
import ssl
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry_sync._epp import EppRegistry
from registry_sync._extensions import CISA, FRED, NASK, RFC, Dialect

_DEFAULTS = {"hides": True, "shows": False}
DIALECTS: Mapping[str, Dialect] = {"rfc": RFC, "fred": FRED, "gov": CISA, "pl": NASK}
_PORT = 700
_LARGEST_PORT = 65_535
_KNOWN = {
    "host": str,
    "port": int,
    "client": str,
    "password_file": str,
    "dialect": str,
    "ca_file": str,
    "certificate_file": str,
    "key_file": str,
    "server_name": str,
    "plain": bool,
    "timeout": int,
    "default": str,
}
_NEEDED = ("host", "client", "password_file")
_OF_TLS = ("ca_file", "certificate_file", "key_file", "server_name")
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?", re.IGNORECASE)
_LONGEST_HOST = 253


class SettingsInvalid(Exception):
    """Settings that cannot be used; each mistake names its key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How one registry is reached."""

    name: str
    host: str
    client: str
    password: str
    port: int = _PORT
    dialect: Dialect = RFC
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    timeout: int = 30
    hides: bool | None = None

    def connect(self) -> EppRegistry:
        """The registry, not yet connected."""
        return EppRegistry(
            self.host,
            self.port,
            client=self.client,
            password=self.password,
            tls=self.tls,
            server_name=self.server_name,
            plain=self.tls is None,
            dialect=self.dialect,
            timeout=self.timeout,
            prompt=True,
            hides=self.hides,
        )


def read(file: Path) -> list[RegistrySettings]:
    """Reads the file; raises `SettingsInvalid`."""
    try:
        sections = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid([f"{file}: {error}"]) from error
    mistakes: list[str] = []
    registries = []
    for name, section in sections.items():
        if not isinstance(section, dict):
            mistakes.append(f"{name}: must be a section with the settings of a registry")
            continue
        before = len(mistakes)
        mistakes += [f"{name}.{one}" for one in _wrong(section)]
        if len(mistakes) == before:
            try:
                registries.append(_registry(name, section, file.parent))
            except ValueError as error:
                mistakes.append(f"{name}.{error}")
    if mistakes:
        raise SettingsInvalid(mistakes)
    return registries


def refuse_unknown(registries: Iterable[RegistrySettings], known: Collection[str]) -> None:
    """Raises `SettingsInvalid` for sections that stand for none of the known registries."""
    mistakes = [
        f"{one.name}: there is no such registry that takes commands, but {', '.join(sorted(known))}"
        for one in registries
        if one.name not in known
    ]
    if mistakes:
        raise SettingsInvalid(mistakes)


def _wrong(section: Mapping[str, Any]) -> list[str]:
    mistakes = [f"{key}: there is no such setting" for key in section if key not in _KNOWN]
    mistakes += [f"{key}: is missing" for key in _NEEDED if key not in section]
    mistakes += [
        f"{key}: must be {kind.__name__}"
        for key, kind in _KNOWN.items()
        if key in section and type(section[key]) is not kind
    ]
    if section.get("dialect", "rfc") not in DIALECTS:
        mistakes.append(f"dialect: must be one of {', '.join(DIALECTS)}")
    if section.get("default", "hides") not in _DEFAULTS:
        mistakes.append(f"default: must be one of {', '.join(_DEFAULTS)}")
    port, timeout = section.get("port", _PORT), section.get("timeout", 1)
    if type(port) is int and not 0 < port <= _LARGEST_PORT:
        mistakes.append("port: must be a port")
    if type(timeout) is int and timeout < 1:
        mistakes.append("timeout: must be 1 or more seconds")
    mistakes += [
        f"{key}: must be the name of a host, in A-labels, or an address"
        for key in ("host", "server_name")
        if isinstance(section.get(key), str) and not _is_host(section[key])
    ]
    client = section.get("client")
    if isinstance(client, str) and not _can_be_said(client):
        mistakes.append("client: must be printable, and not empty")
    if ("certificate_file" in section) != ("key_file" in section):
        mistakes.append("certificate_file: goes together with key_file")
    if section.get("plain") is True:
        mistakes += [
            f"{key}: is for TLS, and plain is without" for key in _OF_TLS if key in section
        ]
    return mistakes


def _is_host(text: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None


def _can_be_said(text: str) -> bool:
    return text.isprintable() and bool(text.strip())


def _registry(name: str, section: Mapping[str, Any], folder: Path) -> RegistrySettings:
    tls = None
    if not section.get("plain", False):
        ca = section.get("ca_file")
        with _told("ca_file", ca):
            tls = ssl.create_default_context(cafile=None if ca is None else folder / ca)
        if "certificate_file" in section:
            certificate, key = section["certificate_file"], section["key_file"]
            with _told("certificate_file", f"{certificate}, {key}"):
                tls.load_cert_chain(folder / certificate, folder / key)
    with _told("password_file", section["password_file"]):
        password = (folder / section["password_file"]).read_text(encoding="utf-8").strip()
        if not _can_be_said(password):
            raise ValueError("must hold a password that is printable")
    registry = RegistrySettings(
        name=name,
        host=section["host"],
        port=section.get("port", _PORT),
        client=section["client"],
        password=password,
        dialect=DIALECTS[section.get("dialect", "rfc")],
        tls=tls,
        server_name=section.get("server_name"),
        timeout=section.get("timeout", 30),
        hides=_DEFAULTS.get(section.get("default", "")),
    )
    try:
        registry.connect()
    except ValueError as error:  # it would not, and says why
        raise ValueError(f"plain: {error}") from error
    return registry


@contextmanager
def _told(key: str, files: str | None) -> Iterator[None]:
    """Says of what is wrong with a file which setting names it. Nothing of the file is quoted."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{key}: {files}: is not UTF-8") from error
    except OSError as error:
        raise ValueError(f"{key}: {files}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{key}: {files}: {error}") from error
