"""What the registry for tests holds: contacts, domains, and everything that it ever accepted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync._extensions import SHAPES, Operation, Shape
from registry_sync._wire import ADDRESS_PARTS, ContactData, Phone, Postal
from registry_sync.testing._policy import Item


@dataclass(slots=True)
class StoredContact:
    """A contact, what is shown of it, and what extensions said of it, in the form of a create."""

    handle: str
    data: ContactData
    shown: frozenset[Item]
    created_at: datetime
    verified: bool = False
    extension: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class StoredDomain:
    """A domain, the contacts bound to it by role, and what extensions said of it."""

    name: str
    created_at: datetime
    contacts: dict[str, str] = field(default_factory=dict)
    extension: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that was carried out, and what held after it.

    `published` are the values that the public sees of the contact; for a domain there are none.
    """

    number: int
    command: str
    about: str
    published: Mapping[str, tuple[str, ...]]
    extension: Mapping[str, str]

    @property
    def visible(self) -> frozenset[str]:
        """The elements of which the public sees a value."""
        return frozenset(self.published)


def published(
    data: ContactData, shown: Iterable[Item], fixed: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The values that the public sees, by element."""
    seen: dict[str, tuple[str, ...]] = {}
    always = {(name, type_) for name in fixed for type_ in ("", *data.postal)}
    for name, type_ in sorted(always.union(shown)):
        postal = [one for kind, one in data.postal.items() if type_ in {"", kind}]
        values = tuple(value for value in _values(data, postal, name) if value)
        if values:
            seen[name] = tuple(dict.fromkeys((*seen.get(name, ()), *values)))
    return seen


def _values(data: ContactData, postal: Sequence[Postal], name: str) -> Iterable[str]:
    match name:
        case "voice" | "fax":
            phone: Phone | None = getattr(data, name)
            return () if phone is None else (phone.number, phone.extension)
        case "email" | "vat":
            return (getattr(data, name) or "",)
        case "ident":
            return data.ident or ()
        case "notifyEmail":
            return (data.notify_email or "",)
        case _:
            parts = ADDRESS_PARTS if name == "addr" else (name,)
            return [value for part in parts for one in postal for value in _lines(one, part)]


def _lines(postal: Postal, part: str) -> tuple[str, ...]:
    return postal.street if part == "street" else (getattr(postal, part) or "",)


def changed(before: ContactData, change: ContactData) -> ContactData:
    """The values after an update: what is named is replaced, what is named empty goes."""
    postal = dict(before.postal)
    for type_, new in change.postal.items():
        old = postal.get(type_, Postal())
        kept = old if new.city is None else new
        name = old.name if new.name is None else new.name
        org = old.org if new.org is None else new.org
        postal[type_] = replace(kept, name=name, org=org or None)
    return ContactData(
        postal=postal,
        voice=_phone(before.voice, change.voice),
        fax=_phone(before.fax, change.fax),
        email=change.email or before.email,
        vat=before.vat if change.vat is None else change.vat or None,
        ident=change.ident or before.ident,
        notify_email=(
            before.notify_email if change.notify_email is None else change.notify_email or None
        ),
    )


def _phone(before: Phone | None, change: Phone | None) -> Phone | None:
    if change is None:
        return before
    return change if change.number else None


def said(extension: Element, operation: Operation) -> dict[str, str] | None:
    """What an extension says, in the words that it was written from; None if it is not known."""
    namespace = etree.QName(extension).namespace
    for shape in SHAPES:
        if shape.namespace == namespace:
            return {
                path: value
                for path, places in shape.places(operation).items()
                if (value := _read(extension, shape, places)) is not None
            }
    return None


def _read(root: Element, shape: Shape, places: tuple[str, ...]) -> str | None:
    *others, last = places
    path, _, attribute = last.partition("/@")
    first, *inner = path.split("/")
    start = f"{{{shape.namespace}}}"
    if root.tag != start + first:
        return None
    found = root.find("/".join(start + one for one in inner)) if inner else root
    for where, _, text in (one.partition("=") for one in others):
        constant = root.findtext("/".join(start + one for one in where.split("/")[1:]))
        if (constant or "") != text:
            return None
    if found is None:
        return None
    value = found.get(attribute) if attribute else found.text or ""
    plain = {"1": "true", "0": "false"} if shape.numbers else {}
    return None if value is None else plain.get(value, value)


def merge(held: dict[str, str], new: Mapping[str, str]) -> None:
    """Takes what an extension said into what is held, which has the form of a create."""
    # First what goes: the same value may come in the same command.
    for path, value in new.items():
        if "rem/" in path and held.get(_as_created(path, "rem/")) == value:
            del held[_as_created(path, "rem/")]
    if any(path.startswith("dx:disclosure/") for path in new):
        for path in [path for path in held if path.startswith("dx:disclosure/")]:
            del held[path]
    for path, value in new.items():
        if "rem/" not in path:
            held[_as_created(path, "add/")] = value


def _as_created(path: str, marker: str) -> str:
    before, found, after = path.partition(marker)
    if not found:
        return path
    return after if ":" in after else f"{before}properties/{after}"
