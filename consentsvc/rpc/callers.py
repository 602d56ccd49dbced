"""Who is calling, as far as the connection shows it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from consentsvc.domain.identifiers import CallerId

_IDENTITIES = ("x509_subject_alternative_name", "x509_common_name")


class Connection(Protocol):
    """The part of a call's context that tells who calls."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What the transport has verified of the peer."""
        ...

    def peer(self) -> str:
        """The peer's address."""
        ...


class Caller(NamedTuple):
    """`id` owns request ids; `share` is what the rate limit counts by."""

    id: CallerId
    share: str


def caller(connection: Connection) -> Caller:
    """Names the caller by its certificate, or all that have none by one name.

    Without a certificate there is nothing to tell one local service from another: they share their
    request ids, and each host has its share of the rate.
    """
    verified = connection.auth_context()
    for name in _IDENTITIES:
        for value in verified.get(name, ()):
            identity = value.decode("utf-8", "backslashreplace")
            # One caller's common name must not pass for another's alternative name.
            return Caller(CallerId(f"{name}:{identity}"), f"{name}:{identity}")
    # ipv4:127.0.0.1:40312 or ipv6:[::1]:40312: the port changes with every connection.
    return Caller(CallerId("anonymous"), connection.peer().rpartition(":")[0])
