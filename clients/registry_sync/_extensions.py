"""Where registries depart from the RFCs: their namespaces, their contacts, their extensions.

The facts are those of the registries' documents and schemas, as far as these are public. What could
not be confirmed is marked: a registry refuses what it does not know, so a wrong entry is noticed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync._wire import Disclose, Extension

_GENERIC = frozenset({"name", "org", "addr", "voice", "fax", "email"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a registry writes the commands of EPP.

    `settable` are the elements that its disclose can list, `fixed` those that it shows whatever is
    asked. Where it is not `typed`, a contact has one postal form, of neither type.
    """

    epp: str = "urn:ietf:params:xml:ns:epp-1.0"
    contact: str = "urn:ietf:params:xml:ns:contact-1.0"
    domain: str = "urn:ietf:params:xml:ns:domain-1.0"
    settable: frozenset[str] = _GENERIC
    fixed: frozenset[str] = frozenset()
    typed: bool = True

    def shown(self, disclose: Disclose | None, *, hides: bool) -> frozenset[str]:
        """What a contact with this preference shows at a registry that hides, or shows."""
        listed = disclose.elements if disclose is not None and disclose.flag is hides else ()
        return self.fixed | (frozenset(listed) if hides else self.settable.difference(listed))


RFC = Dialect()

# .cz and the other registries that run FRED.
FRED = Dialect(
    contact="http://www.nic.cz/xml/epp/contact-1.6",
    domain="http://www.nic.cz/xml/epp/domain-1.4",
    settable=frozenset({"addr", "voice", "fax", "email", "vat", "ident", "notifyEmail"}),
    fixed=frozenset({"name", "org"}),
    typed=False,
)

# .gov: the generic namespace, and `addrField` elements for the parts of the address.
CISA = Dialect(settable=_GENERIC | {"street", "city", "sp", "pc", "cc"})

# .pl has the elements of the RFCs in namespaces of its own, even that of EPP.
NASK = Dialect(
    epp="http://www.dns.pl/nask-epp-schema/epp-2.1",
    contact="http://www.dns.pl/nask-epp-schema/contact-2.1",
    domain="http://www.dns.pl/nask-epp-schema/domain-2.1",
)


class Object(Enum):
    """What a command is about."""

    CONTACT = "contact"
    DOMAIN = "domain"


class Operation(Enum):
    """Whether the object is new at the registry."""

    CREATE = "create"
    UPDATE = "update"


Places = Mapping[str, tuple[str, ...]]
"""For each path of an extension, where it stands in the XML, in the order of the schema.

A place is a path of elements, or ends with the name of an attribute after an `@`. One that ends
with `=` and a text is written with that text, the others with the value.
"""

_ONE_ZERO = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class Shape:
    """How one registry writes its extension; `numbers` if true and false are 1 and 0 there."""

    namespace: str
    about: Object
    create: Places
    update: Places
    numbers: bool = False

    def places(self, operation: Operation) -> Places:
        """What can be said with this operation."""
        return self.create if operation is Operation.CREATE else self.update


def _flags(around: str) -> Places:
    elements = ("name", "addr", "org", "voice", "fax", "email")
    return {f"dnslu:disclose/{one}": (f"{around}/disclose/{one}/@flag",) for one in elements}


def _privacy(around: str) -> tuple[str, ...]:
    entry = f"{around}/properties/property"
    return f"{entry}/key=PRIVACY", f"{entry}/value"


def _disclosure(around: str) -> Places:
    return {
        "dx:disclosure/dx:natural/disclose": (f"{around}/disclosure/natural/@disclose",),
        "dx:disclosure/dx:legal": (f"{around}/disclosure/legal",),
    }


def _each(around: str, prefix: str, *names: str) -> Places:
    return {f"{prefix}:{name}": (f"{around}/{name}",) for name in names}


# fr re pm tf wf yt
_AFNIC = Shape(
    "http://www.afnic.fr/xml/epp/frnic-2.0",
    Object.CONTACT,
    create={"frnic:list": ("ext/create/contact/list",)},
    update={
        "frnic:add/frnic:list": ("ext/update/contact/add/list",),
        "frnic:rem/frnic:list": ("ext/update/contact/rem/list",),
    },
)

_REGISTRO_IT = Shape(
    "http://www.nic.it/ITNIC-EPP/extcon-1.0",
    Object.CONTACT,
    create=_each("create", "extcon", "consentForPublishing"),
    update=_each("update", "extcon", "consentForPublishing"),
)

# Not verified: whether extcon-2.1 still has consentForPublishing. It was seen with extcon-2.0 only,
# and a client's notes say that the registry ignored it from release 6.1.19 on and has since
# dropped it.
_NASK = Shape(
    "http://www.dns.pl/nask-epp-schema/extcon-2.1",
    Object.CONTACT,
    create=_each("create", "extcon", "individual", "consentForPublishing"),
    update=_each("update", "extcon", "individual", "consentForPublishing"),
    numbers=True,
)

# `type` and `lang`, which the registry demands on create, are the registrar's to add.
_EURID = Shape(
    "http://www.eurid.eu/xml/epp/contact-ext-1.3",
    Object.CONTACT,
    create=_each("create", "contact-ext", "type", "vat", "lang", "whoisEmail", "naturalPerson"),
    update=_each("update/chg", "contact-ext", "vat", "lang", "whoisEmail", "naturalPerson"),
)

# Not verified: whether an update must also take away, with `rem`, the flags that held before. The
# element `type`, which a create needs, is the registrar's to add.
_RESTENA = Shape(
    "http://www.dns.lu/xml/epp/dnslu-1.0",
    Object.CONTACT,
    create={**_each("ext/create/contact", "dnslu", "type"), **_flags("ext/create/contact")},
    update=_flags("ext/update/contact/add"),
    numbers=True,
)

# Not verified at all: neither the namespace, which is made up here so that no registry mistakes it
# for its own, nor the form. The registry that .nz has moved to in 2022 keeps this choice with the
# domain and not with the contact.
_NZ = Shape(
    "urn:x-unverified:nz-irpo",
    Object.CONTACT,
    create={"irpo": ("create/irpo",)},
    update={"irpo": ("update/irpo",)},
    numbers=True,
)

# ca
_FURY = Shape(
    "urn:ietf:params:xml:ns:fury-2.1",
    Object.DOMAIN,
    create={"fury:properties/PRIVACY": _privacy("create")},
    update={
        "fury:add/PRIVACY": _privacy("update/add"),
        "fury:rem/PRIVACY": _privacy("update/rem"),
    },
)

# cat
_CORE = Shape(
    "http://xmlns.domini.cat/epp/domain-ext-1.0",
    Object.DOMAIN,
    create=_disclosure("create"),
    update=_disclosure("update/chg"),
)

_TEL = Shape(
    "urn:ietf:params:xml:ns:neulevel-1.0",
    Object.DOMAIN,
    create={"unspec": ("extension/unspec",)},
    update={"unspec": ("extension/unspec",)},
)

# Not verified: the namespace of the registry in production. All that is public names the one of its
# test system, eppdev, and the clients in use send that one. `roid` is demanded, and may be empty.
_PT = Shape(
    "http://eppdev.dns.pt/schemas/ptdomain-1.0",
    Object.DOMAIN,
    create=_each("create", "ptdomain", "ownerVisible"),
    update={"ptdomain:ownerVisible": ("update/roid=", "update/ownerVisible")},
)

# What .it says is also part of what .pl says, and so stands before it.
SHAPES = (_AFNIC, _REGISTRO_IT, _NASK, _EURID, _RESTENA, _NZ, _FURY, _CORE, _TEL, _PT)

NAMESPACES = frozenset(shape.namespace for shape in SHAPES)
"""The extensions that can be written."""

_WHOIS_EMAIL = "contact-ext:whoisEmail"


def element(
    extension: Extension,
    about: Object,
    operation: Operation,
    emails: Mapping[str, str] = MappingProxyType({}),
) -> Element:
    """The child of the command's extension element.

    `emails` has the addresses for which "real" and "relay" stand. Raises ValueError for what no
    registry takes with such a command: what cannot be said whole is not said in part.
    """
    said = dict(extension.values)
    shape = next((one for one in SHAPES if said.keys() <= one.places(operation).keys()), None)
    if shape is None or shape.about is not about:
        paths = ", ".join(sorted(said))
        raise ValueError(f"no registry takes this on {operation.value} of a {about.value}: {paths}")
    if _WHOIS_EMAIL in said:
        kind = said[_WHOIS_EMAIL]
        if kind not in emails:
            raise ValueError(f"the address for {_WHOIS_EMAIL} is missing")
        said[_WHOIS_EMAIL] = emails[kind]
    return _written(shape, shape.places(operation), said)


def _written(shape: Shape, places: Places, said: Mapping[str, str]) -> Element:
    root: Element | None = None
    for path in (path for path in places if path in said):
        value = _ONE_ZERO.get(said[path], said[path]) if shape.numbers else said[path]
        for place in places[path]:
            where, constant, text = place.partition("=")
            first, *steps = where.split("/")
            if root is None:
                prefix = path.partition(":")[0] if ":" in path else None
                root = etree.Element(
                    f"{{{shape.namespace}}}{first}", nsmap={prefix: shape.namespace}
                )
            _write(root, shape.namespace, steps, text if constant else value)
    if root is None:
        raise ValueError("an extension without a value")
    return root


def _write(root: Element, namespace: str, steps: list[str], text: str) -> None:
    at = root
    for number, step in enumerate(steps, start=1):
        if step.startswith("@"):
            at.set(step[1:], text)
            return
        tag = f"{{{namespace}}}{step}"
        inside = number < len(steps)
        found = at[-1] if inside and len(at) and at[-1].tag == tag else None
        at = etree.SubElement(at, tag) if found is None else found
    at.text = text or None
