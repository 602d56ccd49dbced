"""Commands as they are written."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from consentclient import ContactField
from registry_sync import ContactRecord
from registry_sync import _commands as commands
from registry_sync._errors import Unsayable
from registry_sync._extensions import CISA, FRED, NASK, RFC, Dialect
from registry_sync._sending import data_of
from registry_sync._wire import (
    POSTAL_TYPES,
    ContactData,
    Disclose,
    Extension,
    Phone,
    Postal,
)
from tests.registry_sync import making
from tests.registry_sync.making import CAMILLE, HOME, hide, show
from tests.registry_sync.schemas import need_schemas, validate
from tests.registry_sync.shorthand import short

_TYPES = [frozenset(), frozenset({"int"}), frozenset({"loc"}), frozenset(POSTAL_TYPES)]
_LISTS = [
    frozenset(chosen)
    for size in range(len(RFC.settable) + 1)
    for chosen in itertools.combinations(sorted(RFC.settable), size)
]


def written(command: commands.Command) -> str:
    """The command's own element, in short."""
    return short(command.root[0][0][0])


def disclosed(dialect: Dialect, disclose: Disclose) -> list[tuple[str, dict[str, str]]]:
    """What a disclose element lists: names and attributes."""
    command = commands.update_contact(dialect, "ANN-1", disclose=disclose)
    (element,) = command.root.iter(f"{{{dialect.contact}}}disclose")
    assert element.get("flag") == f"{disclose.flag:d}"
    return [
        (etree.QName(one).localname, {str(name): str(value) for name, value in one.attrib.items()})
        for one in element
    ]


@need_schemas
@pytest.mark.parametrize("types", _TYPES)
@pytest.mark.parametrize("flag", [True, False])
def test_every_preference_is_valid(*, flag: bool, types: frozenset[str]) -> None:
    """Whatever is listed, with whatever flag and types, the update and the create are valid."""
    for elements in _LISTS:
        disclose = Disclose(flag, elements, types)
        update = commands.update_contact(RFC, "ANN-1", disclose=disclose)
        create = commands.create_contact(RFC, "ANN-1", CAMILLE, password="x", disclose=disclose)

        validate(update.frame("id-1"))
        validate(create.frame("id-1"))


@need_schemas
@given(
    handle=making.handles,
    data=making.contacts(complete=True),
    disclose=st.none() | making.wishes(RFC),
    client_id=making.client_ids,
)
@settings(max_examples=200)
def test_every_create_is_valid(
    handle: str, data: ContactData, disclose: Disclose | None, client_id: str
) -> None:
    """A contact of any content is created with a valid frame."""
    command = commands.create_contact(RFC, handle, data, password="x", disclose=disclose)

    validate(command.frame(client_id))


@need_schemas
@given(
    handle=making.handles,
    data=st.none() | making.contacts(complete=False),
    disclose=st.none() | making.wishes(RFC),
)
@settings(max_examples=200)
def test_every_update_is_valid(
    handle: str, data: ContactData | None, disclose: Disclose | None
) -> None:
    """Any part of a contact is changed with a valid frame."""
    command = commands.update_contact(RFC, handle, data=data, disclose=disclose)

    validate(command.frame("id-1"))


@need_schemas
def test_other_commands_are_valid() -> None:
    """Sessions, questions, messages and domains are written as the schemas want them."""
    objects = [RFC.contact, RFC.domain]
    said = [
        commands.login(RFC, "registrar", "correct horse", objects),
        commands.login(RFC, "registrar", "correct horse", objects, ["urn:a", "urn:b"], "fr"),
        commands.logout(RFC),
        commands.poll(RFC),
        commands.poll(RFC, acknowledge="12"),
        commands.check_contacts(RFC, ["ANN-1", "ANN-2"]),
        commands.contact_info(RFC, "ANN-1"),
        commands.domain_info(RFC, "example.com"),
    ]

    validate(commands.hello(RFC))
    for command in said:
        validate(command.frame("id-1"))


def test_update_lists_in_the_order_of_the_schema() -> None:
    """The elements of a list come in one order, whatever a set makes of them."""
    every = Disclose(True, RFC.settable, frozenset({"loc"}))

    assert [name for name, _ in disclosed(RFC, every)] == [
        "name",
        "org",
        "addr",
        "voice",
        "fax",
        "email",
    ]


def test_types_are_listed_once_each() -> None:
    """Name, org and addr are listed for each type that is given; the others have none."""
    both = show("name", "email", types=frozenset(POSTAL_TYPES))

    assert disclosed(RFC, both) == [
        ("name", {"type": "int"}),
        ("name", {"type": "loc"}),
        ("email", {}),
    ]
    assert disclosed(RFC, hide("addr", types=frozenset({"int"}))) == [("addr", {"type": "int"})]


def test_unknown_types_are_both_listed() -> None:
    """Where no type is known, no postal form is forgotten."""
    assert disclosed(RFC, hide("org")) == [("org", {"type": "int"}), ("org", {"type": "loc"})]


def test_fred_has_no_types() -> None:
    """FRED's disclose has elements of its own, and its children bear no type."""
    listed = disclosed(FRED, show("addr", "vat", "notifyEmail", types=frozenset({"loc"})))

    assert listed == [("addr", {}), ("vat", {}), ("notifyEmail", {})]


def test_parts_of_the_address_are_fields() -> None:
    """The registry of .gov singles out parts of the address by an attribute, after addr."""
    listed = disclosed(CISA, show("org", "city", "cc", "email", types=frozenset({"loc"})))

    assert listed == [
        ("org", {"type": "loc"}),
        ("addrField", {"type": "loc", "field": "city"}),
        ("addrField", {"type": "loc", "field": "cc"}),
        ("email", {}),
    ]


@pytest.mark.parametrize(
    ("dialect", "element"), [(RFC, "vat"), (RFC, "city"), (FRED, "name"), (FRED, "street")]
)
def test_what_cannot_be_listed_is_not_left_out(dialect: Dialect, element: str) -> None:
    """A list with an element that the registry has no word for is not sent in part."""
    with pytest.raises(ValueError, match=element):
        commands.update_contact(dialect, "ANN-1", disclose=show("email", element))


def test_empty_list() -> None:
    """An empty list is sent as such: with a hiding registry it hides everything."""
    assert written(commands.update_contact(RFC, "ANN-1", disclose=show())) == (
        "update(id=ANN-1 chg(disclose[flag=1]))"
    )


def test_update_names_what_changes_only() -> None:
    """A change of one value says nothing of the others; an empty one takes it away."""
    change = ContactData({"int": Postal(org="")}, fax=Phone(""))

    assert written(commands.update_contact(RFC, "ANN-1", data=change)) == (
        "update(id=ANN-1 chg(postalInfo[type=int](org) fax))"
    )


def test_phone_with_extension() -> None:
    """The extension is an attribute of the number."""
    change = ContactData(voice=Phone("+33.1", "42"))

    assert "voice[x=42]=+33.1" in written(commands.update_contact(RFC, "ANN-1", data=change))


def test_fred_contact() -> None:
    """FRED's contact has an untyped postal form, a bare password, and FRED's values at the end."""
    data = ContactData({"loc": HOME}, email="a@b.example", vat="V", ident=("op", "1"))
    text = written(commands.create_contact(FRED, "ANN-1", data, password="x", disclose=show("vat")))

    assert "postalInfo(name=" in text
    assert text.endswith(
        " email=a@b.example authInfo=x disclose[flag=1](vat) vat=V ident[type=op]=1)"
    )


def test_fred_has_one_form() -> None:
    """A second postal form is refused rather than dropped."""
    with pytest.raises(ValueError, match="one postal form"):
        commands.update_contact(FRED, "ANN-1", data=ContactData({"int": HOME, "loc": HOME}))


def test_half_an_address() -> None:
    """An address is changed whole: without city and country it is not sent."""
    with pytest.raises(ValueError, match="city and its country"):
        commands.update_contact(RFC, "ANN-1", data=ContactData({"int": Postal(street=("1 a",))}))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (ContactData({"loc": Postal(name="")}), "name"),
        (ContactData({"loc": Postal(city="", cc="")}), "city"),
        (ContactData({"loc": Postal(street=("a", "b", "c", "d"), city="E", cc="FR")}), "street"),
        (ContactData({"loc": Postal(city="E", pc="0" * 17, cc="FR")}), "pc"),
        (ContactData({"int": Postal(name="\u00c9ric")}), "name"),
        (ContactData(email=""), "email"),
    ],
)
def test_what_no_frame_can_say(data: ContactData, field: str) -> None:
    """What the schemas do not allow is not sent; the field is named, and its value is not.

    A removed address was an empty change that counted as done, and stayed public.
    """
    with pytest.raises(Unsayable, match=f"^{field}: ") as raised:
        commands.update_contact(RFC, "ANN-1", data=data)

    assert "ric" not in str(raised.value)


def test_an_address_that_is_gone() -> None:
    """A removed address is said to be what cannot be said."""
    record = ContactRecord("ANN-1", "acct:1", values={ContactField.NAME: "Camille"})

    with pytest.raises(Unsayable, match="city"):
        commands.update_contact(
            RFC, "ANN-1", data=data_of(record, frozenset({ContactField.STREET}))
        )


def test_own_namespace_of_epp() -> None:
    """The registry of .pl has EPP itself in a namespace of its own."""
    root = etree.fromstring(commands.contact_info(NASK, "ANN-1").frame("id-1"))

    assert {etree.QName(one).namespace for one in root.iter()} == {NASK.epp, NASK.contact}


def test_command_may_be_sent_twice() -> None:
    """A command keeps nothing of the id that it was sent with."""
    command = commands.contact_info(RFC, "ANN-1")

    assert command.frame("id-1").replace(b"id-1", b"id-2") == command.frame("id-2")


def test_nothing_personal_in_print() -> None:
    """Whoever prints a contact, a command or a phone number learns nothing of the person."""
    command = commands.update_contact(RFC, "ANN-1", data=CAMILLE)

    for one in (CAMILLE, HOME, CAMILLE.voice, command):
        assert not {"Camille", "+33", "ANN"} & set(repr(one).replace("'", " ").split())
        assert repr(one).startswith("<")


def test_wishes_are_checked() -> None:
    """What no registry could disclose is refused where it is said."""
    with pytest.raises(ValueError, match="shoe size"):
        show("shoe size")
    with pytest.raises(ValueError, match="both"):
        show("name", types=frozenset({"both"}))
    with pytest.raises(ValueError, match="without a value"):
        Extension({})
