"""What is sent to a registry, and what a registry holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ELEMENTS = (
    "name",
    "org",
    "addr",
    "street",
    "city",
    "sp",
    "pc",
    "cc",
    "voice",
    "fax",
    "email",
    "vat",
    "ident",
    "notifyEmail",
)
"""What a disclose element can list, in the order in which it is written."""

ADDRESS_PARTS = ("street", "city", "sp", "pc", "cc")
POSTAL_TYPES = ("int", "loc")
POSTAL = frozenset({"name", "org", "addr", *ADDRESS_PARTS})
"""What has a form for each postal type."""


@dataclass(frozen=True, slots=True)
class Disclose:
    """The contact's whole disclosure preference: an exception to the policy of the registry.

    `types` says for which postal forms name, org and addr are listed; empty: it is not known.
    """

    flag: bool
    elements: frozenset[str]
    types: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if unknown := self.elements.difference(ELEMENTS) | self.types.difference(POSTAL_TYPES):
            raise ValueError(f"nothing that can be disclosed: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True)
class Extension:
    """What goes into a registry's own extension: flattened paths, each with its value.

    For example {"fury:add/PRIVACY": "PUBLIC", "fury:rem/PRIVACY": "PRIVATE"}.
    """

    values: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("an extension without a value")


# None of what follows is ever printed: it holds what people are called and where they live.


@dataclass(frozen=True, slots=True, repr=False)
class Postal:
    """A postal form. In an update None leaves a value as it is; the address is changed whole."""

    name: str | None = None
    org: str | None = None
    street: tuple[str, ...] = ()
    city: str | None = None
    sp: str | None = None
    pc: str | None = None
    cc: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """A number like +33.123456789, and its extension. An empty number takes it away."""

    number: str
    extension: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class ContactData:
    """The values of a contact: `postal` by type, "int" or "loc" (where there are no types, "loc").

    `vat`, `ident` (its kind and value) and `notify_email` are FRED's.
    """

    postal: Mapping[str, Postal] = field(default_factory=dict)
    voice: Phone | None = None
    fax: Phone | None = None
    email: str | None = None
    vat: str | None = None
    ident: tuple[str, str] | None = None
    notify_email: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """What the registry holds of a contact, as it tells the registrar."""

    handle: str
    data: ContactData
    disclose: Disclose | None
    statuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """What a registry holds of a contact or a domain, as far as it tells what was carried out.

    `pending`: a change was accepted, and is not in force yet.
    """

    pending: bool
    disclose: Disclose | None = None
