"""The registry for tests does what FRED's documentation says: its examples, on a socket."""

from dataclasses import replace

import pytest

from registry_sync._epp import EppRegistry
from registry_sync._errors import Refused
from registry_sync._extensions import FRED
from registry_sync._wire import ContactData, Disclose, Phone, Postal
from registry_sync.testing import Registry, RegistryServer
from tests.registry_sync.making import CZ_CAMILLE, HOME, hide, show
from tests.registry_sync.meeting import adapter

_ALWAYS = frozenset({"name", "org"})
_ALL = FRED.settable


async def _created(
    fred: RegistryServer, cz: EppRegistry, disclose: Disclose | None
) -> tuple[Disclose | None, frozenset[str]]:
    await cz.create_contact("ANN-1", CZ_CAMILLE, password="x", disclose=disclose)
    return (await cz.contact("ANN-1")).disclose, fred.registry.disclosed("ANN-1")


async def _updated(
    fred: RegistryServer, cz: EppRegistry, before: Disclose, disclose: Disclose | None
) -> tuple[Disclose | None, frozenset[str]]:
    """What an update makes of a verified contact."""
    fred.registry.create_contact("ANN-1", CZ_CAMILLE)
    fred.registry.verify("ANN-1")
    await cz.update_contact("ANN-1", disclose=before)
    await cz.update_contact("ANN-1", disclose=disclose)
    return (await cz.contact("ANN-1")).disclose, fred.registry.disclosed("ANN-1")


@pytest.mark.parametrize(
    ("disclose", "told"),
    [
        (None, show("addr")),
        (show(), show("addr")),
        (show(*_ALL - {"addr"}), show(*_ALL)),
        (show("email", "vat", "ident"), show("addr", "email", "vat", "ident")),
        (hide("email", "voice"), show("addr")),
    ],
)
async def test_create(
    fred: RegistryServer, cz: EppRegistry, disclose: Disclose | None, told: Disclose
) -> None:
    """A new contact shows its address, what was listed to be shown, and nothing else."""
    found, disclosed = await _created(fred, cz, disclose)

    assert found == told
    assert disclosed == told.elements | _ALWAYS


@pytest.mark.parametrize("disclose", [show("addr"), show("addr", "email"), hide("addr")])
async def test_create_takes_no_address(
    fred: RegistryServer, cz: EppRegistry, disclose: Disclose
) -> None:
    """The address cannot be listed on create: the schema has no place for it."""
    with pytest.raises(Refused) as refused:
        await _created(fred, cz, disclose)

    assert refused.value.code == 2001
    assert not fred.registry.contacts


@pytest.mark.parametrize(
    ("before", "disclose", "told"),
    [
        (show("notifyEmail"), None, show("notifyEmail")),
        (show("addr", "voice", "fax"), show(), show()),
        (show("voice"), show(*_ALL), show(*_ALL)),
        (show("fax", "ident", "notifyEmail"), show("email"), show("email")),
        (show("addr", "email"), hide("voice"), show()),
        (show("addr", "email"), hide(), show()),
    ],
)
async def test_update(
    fred: RegistryServer,
    cz: EppRegistry,
    before: Disclose,
    disclose: Disclose | None,
    told: Disclose,
) -> None:
    """Without a list nothing changes; with one, what it does not list falls back to the default."""
    found, disclosed = await _updated(fred, cz, before, disclose)

    assert found == told
    assert disclosed == told.elements | _ALWAYS


@pytest.mark.parametrize("disclose", [show(), show("email", "vat"), hide(), hide("email")])
async def test_address_of_whom_the_registry_does_not_know(
    fred: RegistryServer, cz: EppRegistry, disclose: Disclose
) -> None:
    """Until the contact is verified a list without the address is refused, and changes nothing."""
    fred.registry.create_contact("ANN-1", CZ_CAMILLE)
    with pytest.raises(Refused) as refused:
        await cz.update_contact("ANN-1", disclose=disclose)
    await cz.update_contact("ANN-1", disclose=show("addr", "email"))

    assert refused.value.code == 2304
    assert fred.registry.disclosed("ANN-1") == {"addr", "email"} | _ALWAYS


async def test_refused_update_changes_no_data(fred: RegistryServer, cz: EppRegistry) -> None:
    """A command is carried out whole or not at all."""
    fred.registry.create_contact("ANN-1", CZ_CAMILLE)
    with pytest.raises(Refused):
        await cz.update_contact("ANN-1", disclose=show(), data=ContactData(email="b@b.example"))

    assert fred.registry.contacts["ANN-1"].data == CZ_CAMILLE
    assert len(fred.registry.history) == 1


async def test_verification(fred: RegistryServer, cz: EppRegistry) -> None:
    """Verified, the address is hidden and the registrar told; unverified, it is shown silently."""
    fred.registry.create_contact("ANN-1", CZ_CAMILLE)
    fred.registry.verify("ANN-1")
    hidden = fred.registry.disclosed("ANN-1")
    message = await cz.next_message()
    assert message is not None
    assert message.queued is not None
    await cz.acknowledge(message.queued.id)
    fred.registry.unverify("ANN-1")

    assert hidden == _ALWAYS
    assert fred.registry.disclosed("ANN-1") == {"addr"} | _ALWAYS
    assert (message.queued.count, message.queued.text) == (1, "ANN-1 has been verified")
    assert await cz.next_message() is None


async def test_organisation(fred: RegistryServer, cz: EppRegistry) -> None:
    """An organisation's address stays on show, verified or not."""
    company = ContactData({"loc": Postal("A", "Company", (), "Town", cc="CZ")}, email="a@b.example")
    fred.registry.create_contact("ORG-1", company)
    fred.registry.verify("ORG-1")

    assert fred.registry.visible("ORG-1") == {"name", "org", "addr"}
    with pytest.raises(Refused) as refused:
        await cz.update_contact("ORG-1", disclose=show("email"))
    assert refused.value.code == 2304


async def test_name_cannot_be_listed(fred: RegistryServer, cz: EppRegistry) -> None:
    """Name and organisation are never listed: the adapter does not ask, and would be refused."""
    fred.registry.create_contact("ANN-1", CZ_CAMILLE)
    with pytest.raises(ValueError, match="name"):
        await cz.update_contact("ANN-1", disclose=show("name", "addr"))
    careless = replace(FRED, settable=FRED.settable | {"name"})
    async with adapter(fred, dialect=careless) as other:
        with pytest.raises(Refused) as refused:
            await other.update_contact("ANN-1", disclose=show("name", "addr"))

    assert refused.value.code == 2001
    assert len(fred.registry.history) == 1


async def test_showing_registry() -> None:
    """Where the default is to show, a list hides, and its omissions are shown again."""
    async with (
        RegistryServer(Registry(dialect=FRED, hides=False)) as fred,
        adapter(fred) as cz,
    ):
        await cz.create_contact("ANN-1", CZ_CAMILLE, password="x", disclose=hide("voice", "vat"))
        created = await cz.contact("ANN-1"), fred.registry.disclosed("ANN-1")
        await cz.update_contact("ANN-1", disclose=hide("email"))
        updated = fred.registry.disclosed("ANN-1")
        await cz.update_contact("ANN-1", disclose=show("email"))
        useless = fred.registry.disclosed("ANN-1")
        with pytest.raises(Refused) as refused:
            await cz.update_contact("ANN-1", disclose=hide("addr"))

    assert created[0].disclose == hide("voice", "vat")
    assert created[1] == (_ALL | _ALWAYS) - {"voice", "vat"}
    assert updated == (_ALL | _ALWAYS) - {"email"}
    assert useless == _ALL | _ALWAYS
    assert refused.value.code == 2304


async def test_empty_values_are_not_seen(fred: RegistryServer, cz: EppRegistry) -> None:
    """The public sees what is shown and held: a value that goes is seen no more."""
    await cz.create_contact("ANN-1", CZ_CAMILLE, password="x", disclose=show("fax", "email"))
    before = fred.registry.visible("ANN-1")
    gone = ContactData(fax=Phone(""), vat="")
    await cz.update_contact("ANN-1", data=gone)

    assert before == {"name", "addr", "fax", "email"}
    assert fred.registry.visible("ANN-1") == {"name", "addr", "email"}
    assert fred.registry.contacts["ANN-1"].data.postal["loc"].name == HOME.name
