"""The registry for tests: other dialects, its history, sessions, and faults."""

import asyncio
import ssl
from contextlib import suppress

import pytest

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync import _responses as responses
from registry_sync._epp import EppRegistry
from registry_sync._errors import Refused, RegistryUnavailable
from registry_sync._extensions import CISA, FRED, NASK, RFC, Dialect
from registry_sync._wire import ContactData, Extension, Phone, Postal
from registry_sync.testing import Fault, Faults, Kind, Registry, RegistryServer, self_signed
from tests.registry_sync.making import CAMILLE, HOME, hide, show
from tests.registry_sync.meeting import adapter, at_once


class Talk:
    """A connection without an adapter, to say what no adapter says."""

    def __init__(self, server: RegistryServer) -> None:
        self._server = server

    async def __aenter__(self) -> "Talk":
        self.reader, self.writer = await asyncio.open_connection(
            self._server.host, self._server.port
        )
        self.greeting = responses.greeting(RFC, await frames.read(self.reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def say(self, xml: bytes) -> responses.Response:
        self.writer.write(frames.framed(xml))
        return responses.response(RFC, await frames.read(self.reader))

    async def ask(self, command: commands.Command) -> int:
        return (await self.say(command.frame("id-1"))).code


def _login(password: str = "correct horse") -> commands.Command:
    return commands.login(RFC, "registrar", password, [RFC.contact])


async def test_login_comes_first(server: RegistryServer) -> None:
    """Nothing is done for whoever has not logged in, and one logs in once."""
    async with Talk(server) as talk:
        before = await talk.ask(commands.contact_info(RFC, "ANN-1"))
        wrong = await talk.ask(_login("wrong"))
        right = await talk.ask(_login())
        again = await talk.ask(_login())
        after = await talk.ask(commands.contact_info(RFC, "ANN-1"))
        ended = await talk.ask(commands.logout(RFC))
        end = await talk.reader.read()

    assert [before, wrong, right, again, after, ended] == [2002, 2200, 1000, 2002, 2303, 1500]
    assert end == b""


async def test_hello(server: RegistryServer) -> None:
    """A hello is answered with the greeting, at any time."""
    async with Talk(server) as talk:
        talk.writer.write(frames.framed(commands.hello(RFC)))
        greeting = responses.greeting(RFC, await frames.read(talk.reader))

    assert greeting == talk.greeting
    assert greeting.hides


async def test_commands_that_are_none(server: RegistryServer) -> None:
    """What is not understood is refused with the code of the reason."""
    info = commands.contact_info(RFC, "ANN-1").frame("id-1")
    async with Talk(server) as talk:
        await talk.ask(_login())
        codes = [
            (await talk.say(xml)).code
            for xml in (
                b"<epp/>",
                info.replace(b"<info>", b"<transfer>").replace(b"</info>", b"</transfer>"),
                info.replace(b"contact-1.0", b"contact-9.9"),
                b'<epp xmlns="urn:ietf:params:xml:ns:epp-1.0"><command><info/></command></epp>',
            )
        ]
        talk.writer.write(frames.framed(b"no XML"))
        last = responses.response(RFC, await frames.read(talk.reader))

    assert codes == [2001, 2101, 2307, 2101]
    assert last.code == 2500


async def test_unknown_extension(server: RegistryServer) -> None:
    """An extension that nobody announced is not passed over."""
    server.registry.create_contact("ANN-1", CAMILLE)
    wish = Extension({"irpo": "1"})
    xml = commands.update_contact(RFC, "ANN-1", extension=wish).frame("id-1")
    async with Talk(server) as talk:
        await talk.ask(_login())
        known = await talk.say(xml)
        unknown = await talk.say(xml.replace(b"nz-irpo", b"nz-other"))
        senseless = await talk.say(xml.replace(b"<irpo>1</irpo>", b"<other/>"))

    assert (known.code, unknown.code, senseless.code) == (1000, 2103, 2001)


async def test_generic_registry(server: RegistryServer, registry: EppRegistry) -> None:
    """In the words of the RFCs everything can be listed, name and postal type included."""
    data = ContactData(
        {"int": HOME, "loc": Postal("Ж", None, (), "Мир", cc="FR")}, email="a@b.example"
    )
    only_loc = frozenset({"loc"})
    await registry.create_contact(
        "ANN-1", data, password="x", disclose=show("name", types=only_loc)
    )
    created = server.registry.published("ANN-1")
    await registry.update_contact("ANN-1", disclose=show("email", "addr"))

    assert created == {"name": ("Ж",)}
    assert server.registry.visible("ANN-1") == {"email", "addr"}
    assert (await registry.contact("ANN-1")).disclose == (
        show("email", "addr", types=frozenset({"int", "loc"}))
    )


async def test_parts_of_the_address() -> None:
    """The registry of .gov shows parts of an address; addr is all of them."""
    async with RegistryServer(Registry(dialect=CISA)) as server, adapter(server) as gov:
        disclose = show("org", "city", "cc", types=frozenset({"loc"}))
        await gov.create_contact("ANN-1", CAMILLE, password="x", disclose=disclose)
        parts = server.registry.published("ANN-1")
        told = (await gov.contact("ANN-1")).disclose
        await gov.update_contact("ANN-1", disclose=show("addr"))

    assert parts == {"city": ("Exempleville",), "cc": ("FR",)}
    assert told == disclose
    assert server.registry.visible("ANN-1") == {"street", "city", "sp", "pc", "cc"}


@pytest.mark.parametrize("dialect", [RFC, CISA, NASK, FRED], ids=["rfc", "gov", "pl", "cz"])
async def test_dialects(dialect: Dialect) -> None:
    """Each dialect is spoken from the login on, and both sides mean the same by it."""
    async with (
        RegistryServer(Registry(dialect=dialect, hides=False)) as server,
        adapter(server) as registry,
    ):
        await registry.create_contact("ANN-1", CAMILLE, password="x", disclose=hide("email"))
        greeting = await registry.greeting()
        contact = await registry.contact("ANN-1")
        disclosed = server.registry.disclosed("ANN-1")

    assert greeting.objects == {dialect.contact, dialect.domain}
    assert contact.data == CAMILLE
    assert dialect.shown(contact.disclose, hides=False) - {"addr"} == disclosed - {"addr"}


async def test_protected_elements() -> None:
    """What the registry's policy does not let anybody set is answered with 2308."""
    async with (
        RegistryServer(Registry(protected={"email"})) as server,
        adapter(server) as registry,
    ):
        server.registry.create_contact("ANN-1", CAMILLE)
        with pytest.raises(Refused) as refused:
            await registry.update_contact("ANN-1", disclose=show("voice", "email"))
        await registry.update_contact("ANN-1", disclose=show("voice"))

    assert refused.value.code == 2308
    assert server.registry.visible("ANN-1") == {"voice"}


async def test_history(server: RegistryServer, registry: EppRegistry) -> None:
    """The history keeps, after each change, the values that the public saw then."""
    await registry.create_contact("ANN-1", CAMILLE, password="x", disclose=show("email"))
    await registry.update_contact("ANN-1", data=ContactData(email="new@durand.example"))
    with pytest.raises(Refused):
        await registry.update_contact("ANN-2", disclose=show("email"))
    await registry.update_contact("ANN-1", disclose=show())

    assert [(one.number, one.command, one.about) for one in server.registry.history] == [
        (1, "contact:create", "ANN-1"),
        (2, "contact:update", "ANN-1"),
        (3, "contact:update", "ANN-1"),
    ]
    assert [one.published.get("email") for one in server.registry.history] == [
        ("camille@durand.example",),
        ("new@durand.example",),
        None,
    ]
    assert server.registry.history[0].visible == {"email"}


async def test_extensions_are_kept(server: RegistryServer, registry: EppRegistry) -> None:
    """What extensions said is kept in the form of a create, and each time in the history."""
    restricted = "restrictedPublication"
    await registry.create_contact(
        "ANN-1", CAMILLE, password="x", extension=Extension({"frnic:list": restricted})
    )
    kept = dict(server.registry.contacts["ANN-1"].extension)
    await registry.update_contact(
        "ANN-1", extension=Extension({"frnic:rem/frnic:list": restricted})
    )
    server.registry.create_domain("example.ca", {"registrant": "ANN-1"})
    for new, old in (("PUBLIC", "PRIVATE"), ("PRIVATE", "PUBLIC")):
        wish = Extension({"fury:add/PRIVACY": new, "fury:rem/PRIVACY": old})
        await registry.update_domain("example.ca", wish)

    assert kept == {"frnic:list": restricted}
    assert server.registry.contacts["ANN-1"].extension == {}
    assert server.registry.domains["example.ca"].extension == {"fury:properties/PRIVACY": "PRIVATE"}
    assert [dict(one.extension) for one in server.registry.history[-2:]] == [
        {"fury:add/PRIVACY": "PUBLIC", "fury:rem/PRIVACY": "PRIVATE"},
        {"fury:add/PRIVACY": "PRIVATE", "fury:rem/PRIVACY": "PUBLIC"},
    ]


async def test_other_kind_of_holder(server: RegistryServer, registry: EppRegistry) -> None:
    """A domain's holder is of one kind: what was said of the other is forgotten."""
    server.registry.create_contact("ANN-1", CAMILLE)
    server.registry.create_domain("example.cat", {"registrant": "ANN-1"})
    domain = server.registry.domains["example.cat"]
    await registry.update_domain(
        "example.cat", Extension({"dx:disclosure/dx:natural/disclose": "true"})
    )
    natural = dict(domain.extension)
    await registry.update_domain("example.cat", Extension({"dx:disclosure/dx:legal": ""}))

    assert natural == {"dx:disclosure/dx:natural/disclose": "true"}
    assert domain.extension == {"dx:disclosure/dx:legal": ""}


async def test_domains_on_the_wire(server: RegistryServer) -> None:
    """Domains are made, changed and asked for with the commands of EPP."""
    server.registry.create_contact("ANN-1", CAMILLE)
    server.registry.create_contact("ANN-2", CAMILLE)
    start = '<epp xmlns="urn:ietf:params:xml:ns:epp-1.0"><command>'
    domain = f'xmlns:d="{RFC.domain}"'
    create = f"""{start}<create><d:create {domain}><d:name>example.com</d:name>
        <d:registrant>ANN-1</d:registrant><d:contact type="tech">ANN-1</d:contact>
        <d:authInfo><d:pw/></d:authInfo></d:create></create></command></epp>"""
    update = f"""{start}<update><d:update {domain}><d:name>example.com</d:name>
        <d:add><d:contact type="tech">ANN-2</d:contact></d:add>
        <d:rem><d:contact type="tech">ANN-1</d:contact></d:rem>
        </d:update></update></command></epp>"""
    async with Talk(server) as talk:
        await talk.ask(_login())
        codes = [
            (await talk.say(xml.encode())).code
            for xml in (
                update,
                create.replace("ANN-1", "ANN-9"),
                create,
                create,
                update,
                update.replace("ANN-2", "ANN-9"),
            )
        ]
        info = await talk.say(commands.domain_info(RFC, "example.com").frame("id-1"))

    assert codes == [2303, 2303, 1000, 2302, 1000, 2303]
    assert info.data is not None
    assert info.data.findtext(".//{*}registrant") == "ANN-1"
    assert info.data.findtext(".//{*}contact") == "ANN-2"


async def test_incomplete_contact(server: RegistryServer, registry: EppRegistry) -> None:
    """A contact needs a name, an address and an e-mail address."""
    nameless = ContactData({"loc": Postal(city="Town", cc="FR")}, email="a@b.example")
    for data in (nameless, ContactData({"loc": HOME}), ContactData(email="a@b.example")):
        with pytest.raises(Refused) as refused:
            await registry.create_contact("ANN-1", data, password="x")
        assert refused.value.code == 2003


async def test_messages(server: RegistryServer, registry: EppRegistry) -> None:
    """Only the message that was read is taken off the queue."""
    with pytest.raises(Refused) as refused:
        await registry.acknowledge("7")

    assert refused.value.code == 2303


async def test_changed_postal_forms(server: RegistryServer, registry: EppRegistry) -> None:
    """A change of one form leaves the other, and what it does not name, as they were."""
    server.registry.create_contact("ANN-1", CAMILLE)
    moved = Postal(street=("2 rue",), city="Autreville", cc="FR")
    change = ContactData({"loc": moved, "int": Postal("Camille D")}, voice=Phone("+33.5"))
    await registry.update_contact("ANN-1", data=change, disclose=hide())
    data = server.registry.contacts["ANN-1"].data

    assert data.postal["loc"] == Postal("Camille Durand", None, ("2 rue",), "Autreville", cc="FR")
    assert data.postal["int"] == Postal("Camille D")
    assert data.voice == Phone("+33.5")
    assert data.fax == CAMILLE.fax


async def test_tls() -> None:
    """With TLS the adapter checks whom it speaks to, and logs in."""
    made = self_signed()
    async with (
        RegistryServer(tls=made.server) as server,
        adapter(server, tls=made.client) as registry,
    ):
        greeting = await registry.greeting()

    assert greeting.server == "registry for tests"
    assert server.received == ["login", "logout"]


@pytest.mark.parametrize("options", [{}, {"server_name": "epp.registry.example"}])
async def test_wrong_certificate(options: dict[str, str]) -> None:
    """With a certificate that is not trusted, or of another name, no password is sent."""
    made = self_signed()
    client = made.client if options else ssl.create_default_context()
    retry = at_once(attempts=5)
    async with (
        RegistryServer(tls=made.server) as server,
        adapter(server, tls=client, retry=retry, **options) as registry,
    ):
        with pytest.raises(RegistryUnavailable, match="certificate"):
            await registry.greeting()

    assert server.received == []


def _kind(fault: Fault | None) -> Kind | None:
    return None if fault is None else fault.kind


def test_faults_as_text() -> None:
    """A fault is written as its kind, a value, a number and a command."""
    assert Fault.parse("drop-after") == Fault(Kind.DROP_AFTER)
    assert Fault.parse("slow:0.5@3") == Fault(Kind.SLOW, 0.5, 3)
    assert Fault.parse("refuse@2/contact:update") == Fault(Kind.REFUSE, 2400, 2, "contact:update")
    assert Fault.parse("close/login") == Fault(Kind.CLOSE, 2502, 1, "login")
    for text in ("", "explode", "slow:", "refuse:x", "@1", "slow@0"):
        with pytest.raises(ValueError):  # noqa: PT011  # any will do
            Fault.parse(text)


def test_faults_wait_for_their_turn() -> None:
    """Faults count the commands that they are meant for, and each comes once."""
    faults = Faults(
        Fault(Kind.TWICE, nth=2),
        Fault(Kind.GARBAGE, command="login"),
        Fault(Kind.NOISE, nth=2, command="contact:update"),
    )
    names = ["poll", "login", "contact:update", "login", "contact:update", "poll"]

    assert [_kind(faults.next(name)) for name in names] == [
        None,
        Kind.GARBAGE,
        Kind.TWICE,
        None,
        Kind.NOISE,
        None,
    ]


def test_faults_at_random_are_repeatable() -> None:
    """The same seed brings the same faults, and no login is hit."""

    def drawn(seed: int) -> list[Kind | None]:
        faults = Faults()
        faults.at_random(0.5, seed)
        return [_kind(faults.next("poll")) for _ in range(40)]

    faults = Faults()
    faults.at_random(1.0, 1, [Kind.CLOSE])

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(set(drawn(1))) > 4
    assert faults.next("login") is None
    assert faults.next("poll") == Fault(Kind.CLOSE, 2502)
    with pytest.raises(ValueError, match="chance"):
        faults.at_random(1.1, 1)


def test_slow_without_a_value() -> None:
    """A fault without a value has the usual one."""
    assert Fault(Kind.SLOW).value == 1.0
    assert Fault(Kind.REFUSE).value == 2400
    with pytest.raises(ValueError, match="number 1"):
        Fault(Kind.SLOW, nth=0)
