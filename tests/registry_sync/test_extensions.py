"""The registries' own extensions."""

from collections.abc import Callable

import pytest
from lxml import etree

from registry_sync import _commands as commands
from registry_sync._extensions import NAMESPACES, RFC, SHAPES, Object, Operation, element
from registry_sync._wire import Extension
from registry_sync.testing import _contents as contents
from tests.registry_sync.making import CAMILLE
from tests.registry_sync.schemas import need_schemas, validate
from tests.registry_sync.shorthand import short

_CREATE, _UPDATE = Operation.CREATE, Operation.UPDATE
_CONTACT, _DOMAIN = Object.CONTACT, Object.DOMAIN
_RESTRICTED = "restrictedPublication"
_LU = {f"dnslu:disclose/{one}": "false" for one in ("org", "name", "addr", "voice", "fax")}

_EXPECTED = [
    (
        {"frnic:list": _RESTRICTED},
        (_CONTACT, _CREATE),
        "ext(create(contact(list=restrictedPublication)))",
    ),
    (
        {"frnic:add/frnic:list": _RESTRICTED},
        (_CONTACT, _UPDATE),
        "ext(update(contact(add(list=restrictedPublication))))",
    ),
    (
        {"frnic:rem/frnic:list": _RESTRICTED},
        (_CONTACT, _UPDATE),
        "ext(update(contact(rem(list=restrictedPublication))))",
    ),
    (
        {"extcon:consentForPublishing": "true"},
        (_CONTACT, _CREATE),
        "create(consentForPublishing=true)",
    ),
    (
        {"extcon:consentForPublishing": "false"},
        (_CONTACT, _UPDATE),
        "update(consentForPublishing=false)",
    ),
    (
        {"extcon:consentForPublishing": "true", "extcon:individual": "true"},
        (_CONTACT, _UPDATE),
        "update(individual=1 consentForPublishing=1)",
    ),
    ({"extcon:individual": "false"}, (_CONTACT, _CREATE), "create(individual=0)"),
    (
        {"contact-ext:naturalPerson": "true", "contact-ext:whoisEmail": "real"},
        (_CONTACT, _CREATE),
        "create(whoisEmail=camille@durand.example naturalPerson=true)",
    ),
    (
        {"contact-ext:naturalPerson": "true", "contact-ext:whoisEmail": "relay"},
        (_CONTACT, _UPDATE),
        "update(chg(whoisEmail=relay@mail.example naturalPerson=true))",
    ),
    (
        {"contact-ext:naturalPerson": "false"},
        (_CONTACT, _UPDATE),
        "update(chg(naturalPerson=false))",
    ),
    (
        {"fury:properties/PRIVACY": "PUBLIC"},
        (_DOMAIN, _CREATE),
        "create(properties(property(key=PRIVACY value=PUBLIC)))",
    ),
    (
        {"fury:rem/PRIVACY": "PRIVATE", "fury:add/PRIVACY": "PUBLIC"},
        (_DOMAIN, _UPDATE),
        "update(add(properties(property(key=PRIVACY value=PUBLIC)))"
        " rem(properties(property(key=PRIVACY value=PRIVATE))))",
    ),
    (
        {"dx:disclosure/dx:natural/disclose": "true"},
        (_DOMAIN, _CREATE),
        "create(disclosure(natural[disclose=true]))",
    ),
    (
        {"dx:disclosure/dx:natural/disclose": "false"},
        (_DOMAIN, _UPDATE),
        "update(chg(disclosure(natural[disclose=false])))",
    ),
    ({"dx:disclosure/dx:legal": ""}, (_DOMAIN, _UPDATE), "update(chg(disclosure(legal)))"),
    (
        {"unspec": "WhoisType=NATURAL Publish=Y"},
        (_DOMAIN, _UPDATE),
        "extension(unspec=WhoisType=NATURAL Publish=Y)",
    ),
    (
        _LU | {"dnslu:disclose/email": "true"},
        (_CONTACT, _UPDATE),
        "ext(update(contact(add(disclose(name[flag=0] addr[flag=0] org[flag=0] voice[flag=0]"
        " fax[flag=0] email[flag=1])))))",
    ),
    (
        {"dnslu:disclose/email": "true", "dnslu:type": "contact"},
        (_CONTACT, _CREATE),
        "ext(create(contact(type=contact disclose(email[flag=1]))))",
    ),
    ({"ptdomain:ownerVisible": "true"}, (_DOMAIN, _CREATE), "create(ownerVisible=true)"),
    ({"ptdomain:ownerVisible": "false"}, (_DOMAIN, _UPDATE), "update(roid ownerVisible=false)"),
    ({"irpo": "1"}, (_CONTACT, _UPDATE), "update(irpo=1)"),
]

_EMAILS = {"real": "camille@durand.example", "relay": "relay@mail.example"}


@pytest.mark.parametrize(("values", "where", "expected"), _EXPECTED)
def test_written_as_the_registry_reads_it(
    values: dict[str, str], where: tuple[Object, Operation], expected: str
) -> None:
    """Each switch stands where the registry's documents have it, in one namespace."""
    found = element(Extension(values), *where, _EMAILS)

    assert short(found) == expected
    assert {etree.QName(one).namespace for one in found.iter()} <= NAMESPACES


@pytest.mark.parametrize(("values", "where", "expected"), _EXPECTED)
def test_read_as_it_was_written(
    values: dict[str, str], where: tuple[Object, Operation], expected: str
) -> None:
    """The registry for tests reads what was meant."""
    meant = {path: _EMAILS.get(value, value) for path, value in values.items()}
    if "irpo" in meant:
        meant = {"irpo": "true"}

    assert contents.said(element(Extension(values), *where, _EMAILS), where[1]) == meant


def test_namespaces() -> None:
    """Two registries that use one prefix are told apart by what is said."""
    italy = element(Extension({"extcon:consentForPublishing": "true"}), _CONTACT, _UPDATE)
    poland = element(Extension({"extcon:individual": "false"}), _CONTACT, _UPDATE)

    assert etree.QName(italy).namespace == "http://www.nic.it/ITNIC-EPP/extcon-1.0"
    assert etree.QName(poland).namespace == "http://www.dns.pl/nask-epp-schema/extcon-2.1"
    assert len(NAMESPACES) == len(SHAPES)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"frnic:list": _RESTRICTED}, (_CONTACT, _UPDATE)),
        ({"frnic:add/frnic:list": _RESTRICTED}, (_CONTACT, _CREATE)),
        ({"fury:properties/PRIVACY": "PUBLIC"}, (_CONTACT, _CREATE)),
        ({"fury:properties/LANGUAGE": "FR"}, (_DOMAIN, _CREATE)),
        ({"irpo": "1", "unspec": "WhoisType=LEGAL"}, (_CONTACT, _UPDATE)),
        ({"unknown:thing": "1"}, (_CONTACT, _UPDATE)),
    ],
)
def test_what_no_registry_takes(values: dict[str, str], where: tuple[Object, Operation]) -> None:
    """Nothing is sent in part, nor with a command that it does not belong to."""
    with pytest.raises(ValueError, match="no registry takes this"):
        element(Extension(values), *where)


def test_address_is_needed() -> None:
    """The word "real" is never sent in the place of an address."""
    wish = Extension({"contact-ext:naturalPerson": "true", "contact-ext:whoisEmail": "real"})

    with pytest.raises(ValueError, match="address"):
        element(wish, _CONTACT, _UPDATE, {"relay": "relay@mail.example"})


def test_beside_the_command() -> None:
    """The extension stands between the command and its id."""
    wish = Extension({"frnic:list": _RESTRICTED})
    command = commands.create_contact(RFC, "ANN-1", CAMILLE, password="x", extension=wish)
    root = etree.fromstring(command.frame("id-1"))

    assert [etree.QName(one).localname for one in root[0]] == ["create", "extension", "clTRID"]


@need_schemas
@pytest.mark.parametrize(
    ("values", "where"), [one[:2] for one in _EXPECTED if one[1] != (_DOMAIN, _CREATE)]
)
def test_the_rest_of_the_frame_is_valid(
    values: dict[str, str], where: tuple[Object, Operation]
) -> None:
    """A command with an extension is valid but for the extension, which the RFCs do not know."""
    wish = Extension(values)
    making: dict[tuple[Object, Operation], Callable[[], commands.Command]] = {
        (_CONTACT, _CREATE): lambda: commands.create_contact(
            RFC, "ANN-1", CAMILLE, password="x", extension=wish, emails=_EMAILS
        ),
        (_CONTACT, _UPDATE): lambda: commands.update_contact(
            RFC, "ANN-1", extension=wish, emails=_EMAILS
        ),
        (_DOMAIN, _UPDATE): lambda: commands.update_domain(RFC, "example.com", wish),
    }
    root = etree.fromstring(making[where]().frame("id-1"))
    root[0].remove(root[0][1])

    validate(etree.tostring(root))
