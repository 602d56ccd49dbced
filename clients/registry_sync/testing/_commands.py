"""The registry for tests as a protocol: commands read, carried out, answered."""

import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync import _responses as responses
from registry_sync._extensions import Operation
from registry_sync._wire import ADDRESS_PARTS, ELEMENTS, ContactData
from registry_sync.testing import _answers as answers
from registry_sync.testing import _contents as contents
from registry_sync.testing._policy import Asked, Item, Unacceptable
from registry_sync.testing._registry import Registry

_OBJECTS = ("contact", "domain")


@dataclass(slots=True)
class Session:
    """How far one connection has come."""

    logged_in: bool = False
    ended: bool = False


def named(root: Element) -> str:
    """A message's name, such as login or contact:update; empty if it has none."""
    if not len(root) or etree.QName(root[0]).localname == "hello":
        return "hello" if len(root) else ""
    verb = root[0][0] if len(root[0]) else None
    if verb is None or etree.QName(root[0]).localname != "command":
        return ""
    name = etree.QName(verb).localname
    if name in {"login", "logout", "poll"}:
        return name
    namespace = etree.QName(verb[0]).namespace or "" if len(verb) else ""
    return f"{next((one for one in _OBJECTS if one in namespace), 'unknown')}:{name}"


def client_id(root: Element) -> str | None:
    """The id that the client gave its command."""
    return root.findtext("{*}command/{*}clTRID")


class Responder:
    """Answers for a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._dialect = registry.dialect
        self._transactions = itertools.count(1)

    def greeting(self) -> bytes:
        """What is said to whoever connects."""
        registry = self._registry
        return answers.greeting(self._dialect, registry.now(), hides=registry.policy.hides)

    def answer(self, root: Element, session: Session) -> bytes:
        """Carries a command out, or refuses it."""
        try:
            return self._carried_out(root, session)
        except Unacceptable as refusal:
            return self.response(refusal.code, root)

    def response(
        self,
        code: int,
        root: Element | None,
        *,
        data: Element | None = None,
        queue: Element | None = None,
    ) -> bytes:
        """An answer to a command, or to something that could not be read."""
        theirs = None if root is None else client_id(root)
        ours = f"SV-{next(self._transactions):06d}"
        return answers.response(self._dialect, code, theirs, ours, queue=queue, data=data)

    def _carried_out(self, root: Element, session: Session) -> bytes:
        name = named(root)
        if name == "hello":
            return self.greeting()
        if not name or root.tag != f"{{{self._dialect.epp}}}epp":
            raise Unacceptable(2001)
        if session.logged_in is (name == "login"):
            raise Unacceptable(2002)
        verb = root[0][0]
        match name:
            case "login":
                given = verb.findtext("{*}clID"), verb.findtext("{*}pw")
                if given != (self._registry.client, self._registry.password):
                    raise Unacceptable(2200)
                session.logged_in = True
                return self.response(1000, root)
            case "logout":
                session.ended = True
                return self.response(1500, root)
            case "poll":
                return self._polled(root, verb)
        if name not in _COMMANDS:
            raise Unacceptable(2101)
        if etree.QName(verb[0]).namespace not in {self._dialect.contact, self._dialect.domain}:
            raise Unacceptable(2307)
        data = _COMMANDS[name](self._registry, verb[0], _said(root))
        waits = name.endswith(":update") and self._registry.is_pending(verb[0][0].text or "")
        return self.response(1001 if waits else 1000, root, data=data)

    def _polled(self, root: Element, verb: Element) -> bytes:
        messages = self._registry.messages
        code = 1301 if messages else 1300
        if verb.get("op") == "ack":
            if not messages or messages[0][0] != verb.get("msgID"):
                raise Unacceptable(2303)
            del messages[0]
            code = 1000
        queue = answers.queue(self._dialect, messages, self._registry.now()) if messages else None
        return self.response(code, root, queue=queue)


def _said(root: Element) -> dict[str, str]:
    operation = Operation.CREATE if root.find("{*}command/{*}create") is not None else None
    said: dict[str, str] = {}
    for extension in root.iterfind("{*}command/{*}extension/*"):
        understood = contents.said(extension, operation or Operation.UPDATE)
        if understood is None:
            raise Unacceptable(2103)
        if not understood:
            raise Unacceptable(2001)
        said |= understood
    return said


def _asked(parent: Element) -> Asked | None:
    disclose = parent.find("{*}disclose")
    if disclose is None:
        return None
    return Asked(disclose.get("flag") in {"1", "true"}, responses.listed(disclose))


def _bound(parent: Element) -> dict[str, str]:
    bound = {one.get("type", ""): one.text or "" for one in parent.iterfind("{*}contact")}
    registrant = parent.findtext("{*}registrant")
    return bound if registrant is None else {"registrant": registrant} | bound


def _check_contacts(registry: Registry, about: Element, _: Mapping[str, str]) -> Element:
    data = answers.data(registry.dialect.contact, "chkData", "contact")
    for handle in (one.text or "" for one in about):
        taken = handle in registry.contacts
        checked = frames.add(data, "cd")
        frames.add(checked, "id", handle, avail="0" if taken else "1")
        if taken:
            frames.add(checked, "reason", "In use")
    return data


def _contact_info(registry: Registry, about: Element, _: Mapping[str, str]) -> Element:
    contact = registry.contact(about.findtext("{*}id") or "")
    data = answers.data(registry.dialect.contact, "infData", "contact")
    frames.add(data, "id", contact.handle)
    frames.add(data, "roid", _roid(contact.handle))
    frames.add(data, "status", s=_status(registry, contact.handle))
    commands.write_reachable(data, registry.dialect, contact.data)
    frames.add(data, "clID", registry.client)
    frames.add(data, "crID", registry.client)
    frames.add(data, "crDate", answers.timestamp(contact.created_at))
    # As an exception to the policy: so FRED says it.
    policy = registry.policy
    exceptions = contact.shown if policy.hides else policy.everything - contact.shown
    _write_disclose(frames.add(data, "disclose", flag=f"{policy.hides:d}"), exceptions)
    commands.write_identifying(data, contact.data)
    return data


def _write_disclose(disclose: Element, items: Iterable[Item]) -> None:
    for name, type_ in sorted(items, key=lambda item: (ELEMENTS.index(item[0]), item[1])):
        attributes = {"type": type_} if type_ else {}
        if name in ADDRESS_PARTS:
            frames.add(disclose, "addrField", field=name, **attributes)
        else:
            frames.add(disclose, name, **attributes)


def _create_contact(registry: Registry, about: Element, said: Mapping[str, str]) -> Element:
    handle = about.findtext("{*}id") or ""
    registry.create_contact(handle, responses.contact_in(about, handle).data, _asked(about), said)
    data = answers.data(registry.dialect.contact, "creData", "contact")
    frames.add(data, "id", handle)
    frames.add(data, "crDate", answers.timestamp(registry.now()))
    return data


def _update_contact(registry: Registry, about: Element, said: Mapping[str, str]) -> None:
    handle = about.findtext("{*}id") or ""
    change = about.find("{*}chg")
    data, asked = ContactData(), None
    if change is not None:
        data, asked = responses.contact_in(change, handle).data, _asked(change)
    registry.submit(handle, lambda: registry.update_contact(handle, data, asked, said))


def _domain_info(registry: Registry, about: Element, _: Mapping[str, str]) -> Element:
    domain = registry.domain(about.findtext("{*}name") or "")
    data = answers.data(registry.dialect.domain, "infData", "domain")
    frames.add(data, "name", domain.name)
    frames.add(data, "roid", _roid(domain.name))
    frames.add(data, "status", s=_status(registry, domain.name))
    if "registrant" in domain.contacts:
        frames.add(data, "registrant", domain.contacts["registrant"])
    for role, handle in domain.contacts.items():
        if role != "registrant":
            frames.add(data, "contact", handle, type=role)
    frames.add(data, "clID", registry.client)
    frames.add(data, "crID", registry.client)
    frames.add(data, "crDate", answers.timestamp(domain.created_at))
    return data


def _create_domain(registry: Registry, about: Element, said: Mapping[str, str]) -> Element:
    name = about.findtext("{*}name") or ""
    registry.create_domain(name, _bound(about), said)
    data = answers.data(registry.dialect.domain, "creData", "domain")
    frames.add(data, "name", name)
    frames.add(data, "crDate", answers.timestamp(registry.now()))
    return data


def _update_domain(registry: Registry, about: Element, said: Mapping[str, str]) -> None:
    domain = registry.domain(about.findtext("{*}name") or "")
    contacts = dict(domain.contacts)
    for part in about.iterfind("{*}rem"):
        gone = _bound(part)
        contacts = {role: one for role, one in contacts.items() if role not in gone}
    for part in (*about.iterfind("{*}add"), *about.iterfind("{*}chg")):
        contacts |= _bound(part)
    registry.submit(domain.name, lambda: registry.update_domain(domain.name, contacts, said))


def _status(registry: Registry, about: str) -> str:
    return "pendingUpdate" if registry.is_pending(about) else "ok"


def _roid(name: str) -> str:
    return f"R{zlib.crc32(name.encode())}-TEST"


_COMMANDS: Mapping[str, Callable[[Registry, Element, Mapping[str, str]], Element | None]] = {
    "contact:check": _check_contacts,
    "contact:info": _contact_info,
    "contact:create": _create_contact,
    "contact:update": _update_contact,
    "domain:info": _domain_info,
    "domain:create": _create_domain,
    "domain:update": _update_domain,
}
