"""What a server says: greetings and responses, understood (RFC 5730 to 5733)."""

from dataclasses import dataclass, field

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync._extensions import Dialect
from registry_sync._frames import FrameError, parsed
from registry_sync._wire import (
    ELEMENTS,
    POSTAL_TYPES,
    Contact,
    ContactData,
    Disclose,
    Phone,
    Postal,
)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says of itself: what it serves, and its data collection policy."""

    server: str
    objects: frozenset[str]
    extensions: frozenset[str]
    access: str

    @property
    def hides(self) -> bool | None:
        """Whether the registry hides by default; None if its policy says neither."""
        return {"none": True, "all": False}.get(self.access)


@dataclass(frozen=True, slots=True)
class Queued:
    """The message that waits longest: how many there are, its id, its text if it was asked for."""

    count: int
    id: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """An answer. Its message is the registry's, for people, and may name what was sent."""

    code: int
    message: str
    client_id: str | None
    server_id: str
    queued: Queued | None = None
    data: Element | None = None
    extension: Element | None = None

    @property
    def ok(self) -> bool:
        """Whether the command was carried out, or will be."""
        return 1000 <= self.code < 2000

    @property
    def pending(self) -> bool:
        """Whether it was accepted and is yet to be carried out: what was asked does not hold."""
        return self.code == 1001


def greeting(dialect: Dialect, xml: bytes) -> Greeting:
    """Understands a greeting, or raises FrameError."""
    found = _message(dialect, xml, "greeting")
    menu = _child(found, "svcMenu")
    policy = _optional(found, "dcp")
    access = None if policy is None else _optional(policy, "access")
    return Greeting(
        server=_text(found, "svID"),
        objects=frozenset(_texts(menu, "objURI")),
        extensions=frozenset(_texts(menu, "svcExtension", "extURI")),
        access="" if access is None or not len(access) else etree.QName(access[0]).localname,
    )


def response(dialect: Dialect, xml: bytes) -> Response:
    """Understands a response, or raises FrameError."""
    found = _message(dialect, xml, "response")
    # Where there are several, the command is no success unless all of them are.
    code, result = max(
        ((_number(one, "code", 4), one) for one in _all(found, "result")),
        key=lambda one: one[0],
        default=(0, found),
    )
    if not code:
        raise FrameError("no result in response")
    ids = _child(found, "trID")
    queue = _optional(found, "msgQ")
    return Response(
        code=code,
        message=_text(result, "msg"),
        client_id=_text(ids, "clTRID") or None,
        server_id=_text(ids, "svTRID"),
        queued=None if queue is None else _queued(queue),
        data=_optional(found, "resData"),
        extension=_optional(found, "extension"),
    )


def availability(dialect: Dialect, answer: Response) -> dict[str, bool]:
    """From the answer to a check: which handles are free."""
    checked = _answered(answer, dialect.contact, "chkData").iterfind(f"{{{dialect.contact}}}cd")
    ids = [_child(one, "id") for one in checked]
    return {(one.text or "").strip(): one.get("avail") in {"1", "true"} for one in ids}


def contact(dialect: Dialect, answer: Response) -> Contact:
    """From the answer to an info: what the registry holds."""
    found = _answered(answer, dialect.contact, "infData")
    return contact_in(found, _text(found, "id"))


def domain_statuses(dialect: Dialect, answer: Response) -> frozenset[str]:
    """From the answer to an info: the statuses of a domain."""
    found = _answered(answer, dialect.domain, "infData")
    return frozenset(one.get("s", "") for one in _all(found, "status"))


def contact_in(found: Element, handle: str) -> Contact:
    """What an element says that is built like an info's answer, or like what a command changes."""
    ident = _optional(found, "ident")
    disclosed = _optional(found, "disclose")
    data = ContactData(
        postal={one.get("type", "loc"): _postal(one) for one in _all(found, "postalInfo")},
        voice=_phone(found, "voice"),
        fax=_phone(found, "fax"),
        email=_maybe(found, "email"),
        vat=_maybe(found, "vat"),
        ident=None if ident is None else (ident.get("type", ""), (ident.text or "").strip()),
        notify_email=_maybe(found, "notifyEmail"),
    )
    return Contact(
        handle=handle,
        data=data,
        disclose=None if disclosed is None else _disclose(disclosed),
        statuses=frozenset(one.get("s", "") for one in _all(found, "status")),
    )


def listed(disclose: Element) -> frozenset[tuple[str, str]]:
    """What a disclose element lists, each with its postal type, which may be empty."""
    names = ((one.get("field") or etree.QName(one).localname, one) for one in disclose)
    return frozenset((name, one.get("type", "")) for name, one in names if name in ELEMENTS)


def _disclose(found: Element) -> Disclose:
    pairs = listed(found)
    elements = frozenset(name for name, _ in pairs)
    types = frozenset(type_ for _, type_ in pairs if type_ in POSTAL_TYPES)
    typed = frozenset(name for name, type_ in pairs if type_)
    # Where the forms differ from element to element, this class cannot say so. No type is what
    # equals no list that was sent with types, so that it is sent again.
    uniform = {(name, type_) for name in typed for type_ in types} <= pairs
    flag = found.get("flag") in {"1", "true"}
    return Disclose(flag, elements, types if uniform else frozenset())


def _postal(found: Element) -> Postal:
    address = _optional(found, "addr")
    name, org = _maybe(found, "name"), _maybe(found, "org")
    if address is None:
        return Postal(name, org)
    return Postal(
        name,
        org,
        street=tuple(_texts(address, "street")),
        city=_maybe(address, "city"),
        sp=_maybe(address, "sp"),
        pc=_maybe(address, "pc"),
        cc=_maybe(address, "cc"),
    )


def _phone(found: Element, name: str) -> Phone | None:
    phone = _optional(found, name)
    return None if phone is None else Phone((phone.text or "").strip(), phone.get("x", ""))


def _queued(found: Element) -> Queued:
    message = _optional(found, "msg")
    text = "" if message is None else "".join(message.itertext()).strip()
    return Queued(_number(found, "count"), found.get("id", ""), text)


def _number(found: Element, name: str, digits: int | None = None) -> int:
    # What int() takes beyond plain digits is no number in EPP.
    text = found.get(name, "")
    right = text.isascii() and text.isdigit() and len(text) in range(1, 20)
    if not right or len(text) != (digits or len(text)):
        raise FrameError("a number that is none")
    return int(text)


def _message(dialect: Dialect, xml: bytes, kind: str) -> Element:
    root = parsed(xml)
    if root.tag != f"{{{dialect.epp}}}epp":
        raise FrameError("a frame that is not EPP, or of another version")
    return _child(root, kind)


def _answered(answer: Response, namespace: str, name: str) -> Element:
    found = None if answer.data is None else answer.data.find(f"{{{namespace}}}{name}")
    if found is None:
        raise FrameError(f"an answer without {name}")
    return found


def _optional(parent: Element, name: str) -> Element | None:
    return parent.find(f"{{{etree.QName(parent).namespace}}}{name}")


def _child(parent: Element, name: str) -> Element:
    found = _optional(parent, name)
    if found is None:
        raise FrameError(f"no {name} in {etree.QName(parent).localname}")
    return found


def _all(parent: Element, *path: str) -> list[Element]:
    return parent.findall("/".join(f"{{{etree.QName(parent).namespace}}}{one}" for one in path))


def _texts(parent: Element, *path: str) -> list[str]:
    return [(one.text or "").strip() for one in _all(parent, *path)]


def _maybe(parent: Element, name: str) -> str | None:
    found = _optional(parent, name)
    return None if found is None else (found.text or "").strip()


def _text(parent: Element, name: str) -> str:
    return _maybe(parent, name) or ""
