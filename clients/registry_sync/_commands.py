"""EPP commands, written (RFC 5730 to 5733)."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync._errors import Unsayable
from registry_sync._extensions import Dialect, Object, Operation, element
from registry_sync._frames import add, serialised
from registry_sync._wire import (
    ADDRESS_PARTS,
    ELEMENTS,
    POSTAL_TYPES,
    ContactData,
    Disclose,
    Extension,
    Postal,
)

_MAX_STREET_LINES = 3
_POSTAL_ELEMENTS = frozenset({"name", "org", "addr"})


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A command, complete but for the transaction id that it is sent with."""

    name: str
    root: Element

    def frame(self, client_id: str) -> bytes:
        """The XML to be sent."""
        root = copy.deepcopy(self.root)
        add(root[0], "clTRID", client_id)
        return serialised(root)


def hello(dialect: Dialect) -> bytes:
    """Asks for the greeting; the one message without a transaction id."""
    root = etree.Element(f"{{{dialect.epp}}}epp", nsmap={None: dialect.epp})
    add(root, "hello")
    return serialised(root)


def login(
    dialect: Dialect,
    client: str,
    password: str,
    objects: Iterable[str],
    extensions: Iterable[str] = (),
    language: str = "en",
) -> Command:
    """Opens a session for these objects and extensions, by their namespaces."""
    command, verb = _command(dialect, "login", "login")
    add(verb, "clID", client)
    add(verb, "pw", password)
    options = add(verb, "options")
    add(options, "version", "1.0")
    add(options, "lang", language)
    services = add(verb, "svcs")
    for uri in objects:
        add(services, "objURI", uri)
    if uris := list(extensions):
        extended = add(services, "svcExtension")
        for uri in uris:
            add(extended, "extURI", uri)
    return command


def logout(dialect: Dialect) -> Command:
    """Ends the session."""
    return _command(dialect, "logout", "logout")[0]


def poll(dialect: Dialect, acknowledge: str | None = None) -> Command:
    """Asks for the first message that waits, or takes one that was read off the queue."""
    command, verb = _command(dialect, "poll", "poll")
    verb.set("op", "req" if acknowledge is None else "ack")
    if acknowledge is not None:
        verb.set("msgID", acknowledge)
    return command


def check_contacts(dialect: Dialect, handles: Iterable[str]) -> Command:
    """Asks which handles are free."""
    command, about = _about(dialect, Object.CONTACT, "check")
    for handle in handles:
        add(about, "id", handle)
    return command


def contact_info(dialect: Dialect, handle: str) -> Command:
    """Asks for all that is held of a contact."""
    command, about = _about(dialect, Object.CONTACT, "info")
    add(about, "id", handle)
    return command


def create_contact(
    dialect: Dialect,
    handle: str,
    data: ContactData,
    *,
    password: str,
    disclose: Disclose | None = None,
    extension: Extension | None = None,
    emails: Mapping[str, str] | None = None,
) -> Command:
    """Makes a contact."""
    command, about = _about(dialect, Object.CONTACT, "create")
    add(about, "id", handle)
    _write_contact(about, dialect, data, disclose, password)
    _extend(command, Object.CONTACT, Operation.CREATE, extension, emails)
    return command


def update_contact(
    dialect: Dialect,
    handle: str,
    *,
    data: ContactData | None = None,
    disclose: Disclose | None = None,
    extension: Extension | None = None,
    emails: Mapping[str, str] | None = None,
) -> Command:
    """Changes what is given: the values that are not None, the whole disclosure preference."""
    command, about = _about(dialect, Object.CONTACT, "update")
    add(about, "id", handle)
    if data is not None or disclose is not None:
        _write_contact(add(about, "chg"), dialect, data or ContactData(), disclose)
    _extend(command, Object.CONTACT, Operation.UPDATE, extension, emails)
    return command


def domain_info(dialect: Dialect, name: str) -> Command:
    """Asks for all that is held of a domain."""
    command, about = _about(dialect, Object.DOMAIN, "info")
    add(about, "name", name)
    return command


def update_domain(dialect: Dialect, name: str, extension: Extension) -> Command:
    """Changes what the extension says, and nothing else."""
    command, about = _about(dialect, Object.DOMAIN, "update")
    add(about, "name", name)
    _extend(command, Object.DOMAIN, Operation.UPDATE, extension, None)
    return command


def _command(dialect: Dialect, name: str, verb: str) -> tuple[Command, Element]:
    root = etree.Element(f"{{{dialect.epp}}}epp", nsmap={None: dialect.epp})
    return Command(name, root), add(add(root, "command"), verb)


def _about(dialect: Dialect, about: Object, verb: str) -> tuple[Command, Element]:
    command, outer = _command(dialect, f"{about.value}:{verb}", verb)
    namespace = dialect.contact if about is Object.CONTACT else dialect.domain
    inner = etree.SubElement(outer, f"{{{namespace}}}{verb}", nsmap={about.value: namespace})
    return command, inner


def _extend(
    command: Command,
    about: Object,
    operation: Operation,
    extension: Extension | None,
    emails: Mapping[str, str] | None,
) -> None:
    if extension is not None:
        outer = add(command.root[0], "extension")
        outer.append(element(extension, about, operation, emails or {}))


def _write_contact(
    parent: Element,
    dialect: Dialect,
    data: ContactData,
    disclose: Disclose | None,
    password: str | None = None,
) -> None:
    _check(data)
    write_reachable(parent, dialect, data)
    if password is not None:
        authorisation = add(parent, "authInfo")
        (add(authorisation, "pw") if dialect.typed else authorisation).text = password
    if disclose is not None:
        _write_disclose(add(parent, "disclose"), dialect, disclose)
    if "vat" in dialect.settable:
        write_identifying(parent, data)


def _check(data: ContactData) -> None:
    # The limits of the schemas (RFC 5733, section 4). A message names the field, never its value.
    for type_, postal in data.postal.items():
        _check_lengths("name", postal.name, 255, least=1)
        _check_lengths("org", postal.org, 255)
        if len(postal.street) > _MAX_STREET_LINES:
            raise Unsayable(f"street: more than {_MAX_STREET_LINES} lines")
        for line in postal.street:
            _check_lengths("street", line, 255)
        _check_lengths("city", postal.city, 255, least=1)
        _check_lengths("sp", postal.sp, 255)
        _check_lengths("pc", postal.pc, 16)
        _check_lengths("cc", postal.cc, 2, least=2)
        parts = {"name": postal.name, "org": postal.org, "city": postal.city, "sp": postal.sp}
        parts |= {"pc": postal.pc, "cc": postal.cc, "street": "".join(postal.street)}
        for name, value in parts.items():
            if type_ == "int" and not (value or "").isascii():
                raise Unsayable(f"{name}: not ASCII, in the international form")
    _check_lengths("email", data.email, None, least=1)


def _check_lengths(name: str, value: str | None, most: int | None, *, least: int = 0) -> None:
    if value is None:
        return
    if len(value.strip()) < least:
        raise Unsayable(f"{name}: cannot be taken away" if not value else f"{name}: too short")
    if most is not None and len(value) > most:
        raise Unsayable(f"{name}: too long")


def write_reachable(parent: Element, dialect: Dialect, data: ContactData) -> None:
    """Writes a contact's values up to the e-mail address, in the order of the schema."""
    if not dialect.typed and len(data.postal) > 1:
        raise ValueError("the registry holds one postal form")
    for type_, postal in data.postal.items():
        attributes = {"type": type_} if dialect.typed else {}
        _write_postal(add(parent, "postalInfo", **attributes), postal)
    for name, phone in (("voice", data.voice), ("fax", data.fax)):
        if phone is not None:
            attributes = {"x": phone.extension} if phone.extension else {}
            add(parent, name, phone.number, **attributes)
    if data.email is not None:
        add(parent, "email", data.email)


def write_identifying(parent: Element, data: ContactData) -> None:
    """Writes the values that only FRED has, which come last."""
    if data.vat is not None:
        add(parent, "vat", data.vat)
    if data.ident is not None:
        add(parent, "ident", data.ident[1], type=data.ident[0])
    if data.notify_email is not None:
        add(parent, "notifyEmail", data.notify_email)


def _write_postal(parent: Element, postal: Postal) -> None:
    if postal.name is not None:
        add(parent, "name", postal.name)
    if postal.org is not None:
        add(parent, "org", postal.org)
    if postal.city is None or postal.cc is None:
        if postal.street or postal.city or postal.sp or postal.pc or postal.cc:
            raise ValueError("an address needs its city and its country")
        return
    address = add(parent, "addr")
    for line in postal.street:
        add(address, "street", line)
    add(address, "city", postal.city)
    if postal.sp is not None:
        add(address, "sp", postal.sp)
    if postal.pc is not None:
        add(address, "pc", postal.pc)
    add(address, "cc", postal.cc)


def _write_disclose(parent: Element, dialect: Dialect, disclose: Disclose) -> None:
    if unknown := disclose.elements - dialect.settable:
        raise ValueError(f"the registry cannot disclose: {', '.join(sorted(unknown))}")
    parent.set("flag", "1" if disclose.flag else "0")
    # The schema wants a type. Where none is known, both are listed: a form that is not held shows
    # nothing, and one that is held is not forgotten.
    types = [one for one in POSTAL_TYPES if one in (disclose.types or POSTAL_TYPES)]
    for name in (one for one in ELEMENTS if one in disclose.elements):
        if name in ADDRESS_PARTS:
            for type_ in types:
                add(parent, "addrField", type=type_, field=name)
        elif name in _POSTAL_ELEMENTS and dialect.typed:
            for type_ in types:
                add(parent, name, type=type_)
        else:
            add(parent, name)
