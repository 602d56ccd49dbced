"""What the registry for tests says: greetings and responses, written."""

from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync._extensions import NAMESPACES, Dialect
from registry_sync._frames import add, serialised

_MESSAGES = {
    1000: "Command completed successfully",
    1001: "Command completed successfully; action pending",
    1300: "Command completed successfully; no messages",
    1301: "Command completed successfully; ack to dequeue",
    1500: "Command completed successfully; ending session",
    2000: "Unknown command",
    2001: "Command syntax error",
    2002: "Command use error",
    2003: "Required parameter missing",
    2101: "Unimplemented command",
    2103: "Unimplemented extension",
    2200: "Authentication error",
    2302: "Object exists",
    2303: "Object does not exist",
    2304: "Object status prohibits operation",
    2306: "Parameter value policy error",
    2307: "Unimplemented object service",
    2308: "Data management policy violation",
    2400: "Command failed",
    2500: "Command failed; server closing connection",
    2501: "Authentication error; server closing connection",
    2502: "Session limit exceeded; server closing connection",
}


def timestamp(moment: datetime) -> str:
    """A moment as EPP writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0Z")


def greeting(dialect: Dialect, now: datetime, *, hides: bool) -> bytes:
    """What the server says first."""
    root = _root(dialect)
    outer = add(root, "greeting")
    add(outer, "svID", "registry for tests")
    add(outer, "svDate", timestamp(now))
    menu = add(outer, "svcMenu")
    add(menu, "version", "1.0")
    add(menu, "lang", "en")
    for uri in (dialect.contact, dialect.domain):
        add(menu, "objURI", uri)
    extended = add(menu, "svcExtension")
    for uri in sorted(NAMESPACES):
        add(extended, "extURI", uri)
    policy = add(outer, "dcp")
    add(add(policy, "access"), "none" if hides else "all")
    statement = add(policy, "statement")
    add(add(statement, "purpose"), "prov")
    add(add(statement, "recipient"), "ours")
    add(add(statement, "retention"), "stated")
    return serialised(root)


def response(
    dialect: Dialect,
    code: int,
    client_id: str | None,
    server_id: str,
    *,
    queue: Element | None = None,
    data: Element | None = None,
) -> bytes:
    """An answer to a command."""
    root = _root(dialect)
    outer = add(root, "response")
    add(add(outer, "result", code=str(code)), "msg", _MESSAGES.get(code, "Refused"))
    if queue is not None:
        outer.append(queue)
    if data is not None:
        add(outer, "resData").append(data)
    ids = add(outer, "trID")
    if client_id is not None:
        add(ids, "clTRID", client_id)
    add(ids, "svTRID", server_id)
    return serialised(root)


def queue(dialect: Dialect, waiting: Iterable[tuple[str, str]], now: datetime) -> Element:
    """How many messages wait, and the first of them."""
    messages = list(waiting)
    first_id, text = messages[0] if messages else ("0", "")
    found = etree.Element(f"{{{dialect.epp}}}msgQ", {"count": str(len(messages)), "id": first_id})
    if text:
        add(found, "qDate", timestamp(now))
        add(found, "msg", text)
    return found


def data(namespace: str, kind: str, prefix: str) -> Element:
    """The start of an object's part of an answer."""
    return etree.Element(f"{{{namespace}}}{kind}", nsmap={prefix: namespace})


def _root(dialect: Dialect) -> Element:
    return etree.Element(f"{{{dialect.epp}}}epp", nsmap={None: dialect.epp})
