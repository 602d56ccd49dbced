"""The adapter: what comes back, what is tried again, what is not."""

import asyncio
import itertools
import logging
import random
import ssl
from contextlib import suppress
from typing import Any

import pytest
from lxml.etree import _Element as Element

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync import _responses as responses
from registry_sync._epp import EppRegistry
from registry_sync._errors import LoginRefused, Refused, RegistryUnavailable
from registry_sync._extensions import FRED, RFC
from registry_sync._retry import Retry
from registry_sync._wire import Extension
from registry_sync.testing import Fault, Kind, Registry, RegistryServer
from tests.registry_sync.making import CAMILLE, show
from tests.registry_sync.meeting import Sleeps, adapter, at_once

_WISH = show("email", "voice")

_FAULTS = [
    Fault(Kind.DROP_BEFORE),
    Fault(Kind.DROP_AFTER),
    Fault(Kind.STRAY),
    Fault(Kind.GARBAGE),
    Fault(Kind.NOISE),
    Fault(Kind.REFUSE, 2400),
    Fault(Kind.CLOSE, 2500),
    Fault(Kind.CLOSE, 2501),
    Fault(Kind.CLOSE, 2502),
    # Announces the end of the session, and forgets to end it.
    Fault(Kind.REFUSE, 2502),
]

# After these the server may have carried the command out.
_LOST_ANSWERS = [Fault(kind) for kind in (Kind.DROP_AFTER, Kind.STRAY, Kind.GARBAGE, Kind.NOISE)]


def _names(faults: list[Fault]) -> list[str]:
    return [f"{fault.kind.value}-{fault.value:g}" for fault in faults]


@pytest.fixture
def server(server: RegistryServer) -> RegistryServer:
    server.registry.create_contact("ANN-1", CAMILLE)
    return server


async def test_session(server: RegistryServer) -> None:
    """The first command connects and logs in; the last thing that is said is goodbye."""
    async with adapter(server) as registry:
        before = list(server.received)
        await registry.update_contact("ANN-1", disclose=_WISH)
        await registry.update_contact("ANN-1", disclose=show())

    assert before == []
    assert server.received == ["login", "contact:update", "contact:update", "logout"]


async def test_nobody_is_met_without_need(server: RegistryServer) -> None:
    """An adapter that is not used does not connect."""
    async with adapter(server):
        pass

    assert server.received == []


@pytest.mark.parametrize("fault", _FAULTS, ids=_names(_FAULTS))
async def test_passing_failures(server: RegistryServer, fault: Fault) -> None:
    """Whatever happens on the way, once, the command is carried out in the end."""
    sleeps = Sleeps()
    server.faults.add(fault)
    async with adapter(server, retry=at_once(sleeps)) as registry:
        response = await registry.update_contact("ANN-1", disclose=_WISH)
        contact = await registry.contact("ANN-1")

    assert response.code == 1000
    assert server.registry.visible("ANN-1") == {"email", "voice"}
    assert contact.disclose == _WISH
    assert sleeps.delays == [0.5]


@pytest.mark.parametrize("fault", _FAULTS, ids=_names(_FAULTS))
async def test_lasting_failures(server: RegistryServer, fault: Fault) -> None:
    """After the last attempt it is said that the outcome is not known, which is no refusal."""
    sleeps = Sleeps()
    server.faults.add(*[fault] * 3)
    async with adapter(server, retry=at_once(sleeps, attempts=3)) as registry:
        with pytest.raises(RegistryUnavailable, match="3 attempts"):
            await registry.update_contact("ANN-1", disclose=_WISH)

    assert server.received.count("contact:update") == 3
    assert sleeps.delays == [0.5, 1.0]


async def test_slow_answer(server: RegistryServer) -> None:
    """An answer that does not come in time is not waited for; the command goes out again."""
    server.faults.add(Fault(Kind.SLOW, 3600))
    async with adapter(server, timeout=0.2) as registry:
        response = await registry.update_contact("ANN-1", disclose=_WISH)

    assert response.code == 1000
    assert server.received == ["login", "contact:update", "login", "contact:update", "logout"]


async def test_answer_twice(server: RegistryServer) -> None:
    """A second answer to one command is not taken for the answer to the next."""
    server.faults.add(Fault(Kind.TWICE), Fault(Kind.TWICE, nth=2))
    async with adapter(server) as registry:
        await registry.update_contact("ANN-1", disclose=_WISH)
        contact = await registry.contact("ANN-1")
        with pytest.raises(Refused) as refused:
            await registry.contact("ANN-2")
        after = await registry.contact("ANN-1")

    assert contact.disclose == _WISH
    assert refused.value.code == 2303
    assert after.disclose == _WISH
    assert server.received.count("login") == 1


@pytest.mark.parametrize("code", [2001, 2003, 2004, 2201, 2303, 2304, 2306, 2307, 2308, 9999])
async def test_refusals(server: RegistryServer, code: int) -> None:
    """What the registry does not want is not tried again, and says its code."""
    server.faults.add(Fault(Kind.REFUSE, code))
    async with adapter(server, retry=at_once(Sleeps())) as registry:
        with pytest.raises(Refused) as refused:
            await registry.update_contact("ANN-1", disclose=_WISH)

    assert refused.value.code == code
    assert not refused.value.resent
    assert server.received.count("contact:update") == 1


async def test_refusal_after_a_lost_answer(server: RegistryServer) -> None:
    """A refusal says whether an earlier attempt may have been carried out."""
    server.faults.add(Fault(Kind.DROP_AFTER))
    async with adapter(server) as registry:
        with pytest.raises(Refused) as refused:
            await registry.create_contact("ANN-2", CAMILLE, password="x", disclose=_WISH)

    assert refused.value.code == 2302
    assert refused.value.resent
    assert server.registry.visible("ANN-2") == {"email", "voice"}


@pytest.mark.parametrize("fault", _LOST_ANSWERS, ids=_names(_LOST_ANSWERS))
async def test_repeated_update_leaves_the_same(server: RegistryServer, fault: Fault) -> None:
    """An update whose answer was lost is carried out twice, and comes to the same."""
    server.faults.add(fault)
    async with adapter(server) as registry:
        await registry.update_contact("ANN-1", disclose=_WISH)

    first, second = server.registry.history[1:]
    assert first.published == second.published


async def test_errors_quote_nothing(server: RegistryServer) -> None:
    """The registry's text, which may quote what was sent, is in no error that is printed."""
    error = Refused(2004, "Camille Durand is no e-mail address")

    assert str(error) == "the registry refused with 2004"
    assert error.message == "Camille Durand is no e-mail address"


async def test_nothing_personal_is_logged(
    server: RegistryServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has names of commands, codes and kinds of errors, and nothing that was sent."""
    server.faults.add(*_FAULTS)
    with caplog.at_level(logging.DEBUG, "registry_sync"):
        async with adapter(server, retry=at_once(attempts=20)) as registry:
            await registry.update_contact("ANN-1", disclose=_WISH, data=CAMILLE)

    ours = [one.getMessage() for one in caplog.records if one.name.startswith("registry_sync")]
    assert len(ours) == len(_FAULTS)
    assert "contact:update: attempt 6 failed: answered with 2400" in ours
    assert not any(word in " ".join(ours) for word in ("ANN-1", "Camille", "durand", "horse"))


async def test_wrong_password(server: RegistryServer) -> None:
    """A password is not tried twice: registries lock whoever does."""
    async with adapter(server, password="wrong") as registry:
        with pytest.raises(Refused) as refused:
            await registry.update_contact("ANN-1", disclose=_WISH)

    assert refused.value.code == 2200
    assert server.received == ["login"]


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Fault(Kind.CLOSE, 2502, command="login"), 2),
        (Fault(Kind.REFUSE, 2400, command="login"), 2),
        (Fault(Kind.DROP_BEFORE, command="login"), 2),
        (Fault(Kind.GARBAGE, command="login"), 2),
        (Fault(Kind.CLOSE, 2501, command="login"), 1),
    ],
)
async def test_failed_login(server: RegistryServer, fault: Fault, tries: int) -> None:
    """A login is tried again where the server is at fault, and not where the password is."""
    server.faults.add(fault)
    async with adapter(server) as registry:
        if tries == 1:
            with pytest.raises(Refused):
                await registry.greeting()
        else:
            await registry.greeting()

    assert server.received.count("login") == tries


async def test_nobody_listens(server: RegistryServer) -> None:
    """A registry that is not there is unavailable, after all attempts."""
    sleeps = Sleeps()
    async with RegistryServer() as gone:
        pass
    async with adapter(gone, retry=at_once(sleeps)) as registry:
        with pytest.raises(RegistryUnavailable):
            await registry.contact("ANN-1")

    assert sleeps.delays == [0.5, 1.0, 2.0, 4.0]


async def test_registry_comes_back() -> None:
    """An adapter outlives a restart of the registry."""
    registry = Registry()
    registry.create_contact("ANN-1", CAMILLE)
    first = RegistryServer(registry)
    await first.__aenter__()
    second = RegistryServer(registry, port=first.port)
    sleeps = Sleeps(lambda: _started(second))
    async with adapter(first, retry=at_once(sleeps)) as epp:
        await epp.contact("ANN-1")
        await first.__aexit__()
        await epp.update_contact("ANN-1", disclose=_WISH)
    await second.__aexit__()

    assert registry.visible("ANN-1") == {"email", "voice"}
    assert len(sleeps.delays) == 1


async def _started(server: RegistryServer) -> None:
    await server.__aenter__()


async def test_idle_session(server: RegistryServer) -> None:
    """A session that the server has ended meanwhile costs neither an attempt nor a wait."""
    sleeps = Sleeps()
    async with adapter(server, retry=at_once(sleeps, attempts=1)) as registry:
        await registry.contact("ANN-1")
        session = registry._session
        assert session is not None
        await server.disconnect()
        with suppress(OSError):
            assert await session._reader.read() == b""
        await registry.contact("ANN-1")

    assert sleeps.delays == []
    assert server.received.count("login") == 2


async def test_one_at_a_time(server: RegistryServer) -> None:
    """Commands that are sent at once are answered one after the other, on one connection."""
    lists = [show("email"), show("voice"), show("fax"), show()]
    async with adapter(server) as registry:
        answers = await asyncio.gather(
            *(registry.update_contact("ANN-1", disclose=one) for one in lists)
        )

    assert [answer.server_id for answer in answers] == sorted(a.server_id for a in answers)
    assert [one.visible for one in server.registry.history[1:]] == [one.elements for one in lists]
    assert server.received.count("login") == 1


async def test_given_up(server: RegistryServer) -> None:
    """Whoever stops waiting for an answer does not leave it to the next command."""
    server.faults.add(Fault(Kind.SLOW, 3600))
    async with adapter(server) as registry:
        update = asyncio.create_task(registry.update_contact("ANN-1", disclose=_WISH))
        await server.until_received(2)
        update.cancel()
        with pytest.raises(asyncio.CancelledError):
            await update
        contact = await registry.contact("ANN-1")

    assert contact.disclose == _WISH
    assert server.received.count("login") == 2


async def test_closed_while_waiting(server: RegistryServer) -> None:
    """A command that is under way when the block ends is told that its outcome is not known."""
    server.faults.add(Fault(Kind.SLOW, 3600))
    async with adapter(server) as registry:
        update = asyncio.create_task(registry.update_contact("ANN-1", disclose=_WISH))
        await server.until_received(2)

    with pytest.raises(RegistryUnavailable, match="closed"):
        await update


async def test_closed_while_connecting() -> None:
    """A login that succeeds after the block has ended is ended, too."""
    let_in = asyncio.Event()

    async def hold(seconds: float) -> None:
        await let_in.wait()

    async with RegistryServer(sleep=hold) as server:
        server.faults.add(Fault(Kind.SLOW, command="login"))
        async with adapter(server) as registry:
            update = asyncio.create_task(registry.update_contact("ANN-1", disclose=_WISH))
            await server.until_received(1)
        let_in.set()
        with pytest.raises(RegistryUnavailable, match="closed"):
            await update

    assert server.received == ["login"]


async def test_outside_of_the_block(server: RegistryServer) -> None:
    """An adapter is used in its block."""
    registry = adapter(server)
    with pytest.raises(RuntimeError, match="async with"):
        await registry.contact("ANN-1")
    async with registry:
        await registry.contact("ANN-1")
    with pytest.raises(RuntimeError, match="async with"):
        await registry.contact("ANN-1")


async def test_lost_goodbye(server: RegistryServer) -> None:
    """A goodbye that is not answered ends the session all the same, and raises nothing."""
    for kind in (Kind.DROP_BEFORE, Kind.GARBAGE):
        server.faults.add(Fault(kind, command="logout"))
        async with adapter(server) as registry:
            await registry.contact("ANN-1")

    assert server.received.count("logout") == 2


async def test_namespaces_of_the_login(server: RegistryServer) -> None:
    """By default one logs in for what the greeting offers and what can be written."""
    seen: list[bytes] = []

    class Eavesdropper:
        def received(self, name: str, root: Element, fault: Fault | None) -> None:
            if name == "login":
                seen.append(frames.serialised(root))

        def answered(self, xml: bytes) -> None:
            pass

    async with RegistryServer(Registry(dialect=FRED), watch=Eavesdropper()) as fred:
        for options in ({}, {"objects": ["urn:o"], "extensions": ["urn:e"]}):
            async with adapter(fred, **options) as registry:
                await registry.greeting()
    first, second = (frames.parsed(one) for one in seen)

    assert [one.text for one in first.iterfind(".//{*}objURI")] == [FRED.contact, FRED.domain]
    assert "urn:ietf:params:xml:ns:fury-2.1" in {one.text for one in first.iterfind(".//{*}extURI")}
    assert [one.text for one in second.iterfind(".//{*}objURI")] == ["urn:o"]
    assert [one.text for one in second.iterfind(".//{*}extURI")] == ["urn:e"]


async def test_each_attempt_has_an_id_of_its_own(server: RegistryServer) -> None:
    """An attempt can be told from the one before."""
    ids = [f"id-{number}" for number in range(9)]
    left = iter(ids)
    server.faults.add(Fault(Kind.REFUSE, 2400))
    async with adapter(server, new_id=lambda: next(left)) as registry:
        response = await registry.update_contact("ANN-1", disclose=_WISH)

    assert response.client_id == "id-2"


def test_delays() -> None:
    """Delays double up to the largest, and jitter makes them anything from nothing."""
    jitter = itertools.cycle([1.0, 0.5, 0.0])
    retry = Retry(first_delay=1.0, largest_delay=5.0, jitter=lambda: next(jitter))

    assert [retry.delay(failed) for failed in (1, 2, 3, 4, 5, 6, 999_999)] == [
        1.0,
        1.0,
        0.0,
        5.0,
        2.5,
        0.0,
        5.0,
    ]


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("127.0.0.1", {}),
        ("192.0.2.1", {"plain": True}),
        ("registry.example", {"plain": True}),
        ("127.0.0.1", {"plain": True, "tls": ssl.create_default_context()}),
        ("127.0.0.1", {"plain": True, "timeout": 0}),
    ],
    ids=["neither", "address", "name", "both", "timeout"],
)
def test_settings_are_checked(host: str, options: dict[str, Any]) -> None:
    """What could not work, or would send a password in the clear, is refused at once."""
    with pytest.raises(ValueError, match=r"TLS|timeout"):
        EppRegistry(host, client="a", password="b", **options)


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"first_delay": -1}, {"first_delay": 2, "largest_delay": 1}]
)
def test_retries_are_checked(options: dict[str, Any]) -> None:
    """At least one attempt, and delays that can be waited for."""
    with pytest.raises(ValueError, match=r"attempts|delays"):
        Retry(**options)


async def test_localhost_that_is_elsewhere(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads to another machine is noticed before anything is sent to it."""

    class Elsewhere:
        def get_extra_info(self, name: str) -> tuple[str, int]:
            return ("192.0.2.1", 700)

        class transport:  # noqa: N801  # so is the attribute named
            abort = staticmethod(lambda: None)

    async def connect(*_: object, **__: object) -> tuple[object, Elsewhere]:
        return object(), Elsewhere()

    monkeypatch.setattr(asyncio, "open_connection", connect)
    async with EppRegistry("localhost", client="a", password="b", plain=True) as registry:
        with pytest.raises(RegistryUnavailable, match="this machine"):
            await registry.greeting()


async def test_pending_is_told() -> None:
    """An answer that says "later" is a success that does not hold yet."""
    async with RegistryServer() as server, adapter(server) as registry:
        server.registry.create_contact("ANN-1", CAMILLE)
        server.faults.add(Fault(Kind.REFUSE, 1001))
        response = await registry.update_contact("ANN-1", disclose=_WISH)

    assert response.ok
    assert response.pending


async def test_answer_without_the_data() -> None:
    """An info without a contact in it is not understood, and no contact is made up."""
    async with RegistryServer() as server, adapter(server) as registry:
        server.faults.add(Fault(Kind.REFUSE, 1000))
        with pytest.raises(RegistryUnavailable, match="understood"):
            await registry.contact("ANN-1")


@pytest.mark.parametrize("seed", range(5))
async def test_withdrawal_survives_anything(seed: int) -> None:
    """Through faults at random the public never sees what was not wished, and then what was."""
    pick = random.Random(seed)
    async with RegistryServer() as server:
        server.registry.create_contact("ANN-1", CAMILLE)
        server.faults.at_random(0.4, seed, [kind for kind in Kind if kind is not Kind.SLOW])
        async with adapter(server, retry=at_once(attempts=60)) as registry:
            for _ in range(40):
                wish = frozenset(pick.sample(["email", "voice", "fax", "name"], pick.randrange(5)))
                before = len(server.registry.history)
                await registry.update_contact("ANN-1", disclose=show(*wish))

                assert server.registry.visible("ANN-1") == wish
                assert {one.visible for one in server.registry.history[before:]} == {wish}


async def test_domain_extension(server: RegistryServer) -> None:
    """A switch that belongs to a domain is sent with the domain's update."""
    server.registry.create_domain("example.pt", {"registrant": "ANN-1"})
    async with adapter(server) as registry:
        await registry.update_domain("example.pt", Extension({"ptdomain:ownerVisible": "true"}))
        info = await registry.send(commands.domain_info(RFC, "example.pt"))

    assert server.registry.domains["example.pt"].extension == {"ptdomain:ownerVisible": "true"}
    assert info.data is not None


async def test_email_in_an_extension(server: RegistryServer) -> None:
    """The addresses for "real" and "relay" are the caller's to know."""
    wish = Extension({"contact-ext:naturalPerson": "true", "contact-ext:whoisEmail": "relay"})
    async with adapter(server) as registry:
        await registry.update_contact(
            "ANN-1", extension=wish, emails={"real": "r@r.example", "relay": "x@mail.example"}
        )

    assert server.registry.contacts["ANN-1"].extension == {
        "contact-ext:naturalPerson": "true",
        "contact-ext:whoisEmail": "x@mail.example",
    }


async def test_prompt(server: RegistryServer) -> None:
    """A prompt adapter sends a command once, whatever comes of it."""
    server.faults.add(Fault(Kind.REFUSE, 2400))
    async with adapter(server, prompt=True) as registry:
        await registry.ready()
        with pytest.raises(RegistryUnavailable):
            await registry.update_contact("ANN-1", disclose=_WISH)

    assert server.received == ["login", "contact:update", "logout"]


async def test_prompt_does_not_connect(server: RegistryServer) -> None:
    """A prompt adapter sends on a connection that was made ready, or nothing at all."""
    async with adapter(server, prompt=True) as registry:
        with pytest.raises(RegistryUnavailable):
            await registry.update_contact("ANN-1", disclose=_WISH)
        before = list(server.received)
        await registry.ready()
        await registry.ready()
        await registry.update_contact("ANN-1", disclose=_WISH)

    assert before == []
    assert server.received == ["login", "contact:update", "logout"]


async def test_a_login_that_is_refused(server: RegistryServer) -> None:
    """A refused login is told from a refused command: none was sent."""
    async with adapter(server, password="wrong") as registry:
        with pytest.raises(LoginRefused) as refused:
            await registry.update_contact("ANN-1", disclose=_WISH)

    assert refused.value.code == 2200
    assert str(refused.value) == "the registry refused the login with 2200"


def _answer(*codes: str) -> bytes:
    results = "".join(f'<result code="{one}"><msg>x</msg></result>' for one in codes)
    ids = "<trID><clTRID>abc</clTRID><svTRID>s</svTRID></trID>"
    return f'<epp xmlns="{RFC.epp}"><response>{results}{ids}</response></epp>'.encode()


@pytest.mark.parametrize("code", ["1_000", "+1000", "01000", "100", "", " 1000"])
def test_a_code_is_four_digits(code: str) -> None:
    """What is no code is no success."""
    with pytest.raises(frames.FrameError):
        responses.response(RFC, _answer(code))


def test_the_worst_of_several_results() -> None:
    """One failure among the results is the failure of the command."""
    assert responses.response(RFC, _answer("1000", "2308")).code == 2308


async def test_a_session_that_the_server_lost(server: RegistryServer) -> None:
    """2002 is worth a new session once, and then a refusal."""
    async with adapter(server) as registry:
        await registry.ready()
        server.faults.add(Fault(Kind.REFUSE, 2002))
        await registry.update_contact("ANN-1", disclose=_WISH)
        server.faults.add(*[Fault(Kind.REFUSE, 2002)] * 2)

        with pytest.raises(Refused, match="2002"):
            await registry.update_contact("ANN-1", disclose=_WISH)
