"""Whatever fails on the way, and wherever the job ends: what settles is what was decided."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from consentclient import Action, EventKind, InvalidRequest, ReportOutcome
from registry_sync import State
from registry_sync._summary import Summary
from registry_sync.testing import Fault, Kind, Registry, RegistryServer
from tests.registry_sync.scene import EMAIL, PERSON, VOICE, Scene, contact, domain, ended

_LINES = [
    *map(contact, ["A", "B", "C", "D", "E"]),
    domain("a.no", "A"),
    domain("b.no", "B"),
    domain("c.no", "C"),
    domain("d.fr", "D"),
    domain("e.ca", "E"),
]
_BOTH = EMAIL | VOICE


def _is_of(line: dict[str, Any], names: str) -> bool:
    name: str = line.get("contact") or line["domain"]
    return name[0].upper() in names


async def _flip(scene: Scene, number: int) -> None:
    """One shows and one hides, one does both with a new value, and so do the switches."""
    back = number % 2 == 1
    await (scene.withdraw if back else scene.give)("account:A", EMAIL)
    await (scene.give if back else scene.withdraw)("account:B", _BOTH)
    await (scene.give if back else scene.withdraw)("account:C", EMAIL)
    await (scene.withdraw if back else scene.give)("account:C", VOICE)
    scene.changes("C", values={**PERSON, "phone": f"+33.19900{number:04d}"})
    await (scene.withdraw if back else scene.give)("account:D")
    await (scene.give if back else scene.withdraw)("account:E")


async def _begin(scene: Scene) -> None:
    await scene.has(*_LINES)
    await _flip(scene, 1)
    await scene.settle()


def _voice(scene: Scene) -> str:
    voice = scene.registries["no"].registry.contacts["C"].data.voice
    assert voice is not None
    return voice.number


@pytest.mark.parametrize("kind", Kind)
async def test_a_fault_at_every_command(scene: Scene, kind: Kind) -> None:
    """One fault, of any kind, at any command: what settles is what was decided."""
    await _begin(scene)
    for nth in range(1, 8):
        await _flip(scene, nth + 1)
        for server in scene.registries.values():
            server.faults.add(Fault(kind, nth=nth))
        sync = await scene.settle()
        assert sync.summary.failed == 0
        assert scene.seen() == await scene.wanted()
        assert _voice(scene) == f"+33.19900{nth + 1:04d}"
        assert all(one.outcome is ReportOutcome.APPLIED for one in await scene.reports())


@pytest.mark.parametrize("kind", Kind)
async def test_a_fault_at_the_login(scene: Scene, kind: Kind) -> None:
    """One fault at a login costs nothing but another one."""
    await _begin(scene)
    await _flip(scene, 2)
    for server in scene.registries.values():
        server.faults.add(Fault(kind, command="login"))
    await scene.settle()

    assert scene.seen() == await scene.wanted()


@pytest.mark.parametrize("at", ["a.no", "a.uk", "a.fr", "a.ca"])
async def test_shown_unawares(scene: Scene, at: str) -> None:
    """What a lost answer may have shown is hidden, though it was never known to be shown."""
    await scene.has(contact("A"), domain(at, "A"))
    await scene.settle()
    await scene.give("account:A")
    for server in scene.registries.values():
        server.faults.add(Fault(Kind.DROP_AFTER))
    async with scene.job(pause=_ends) as sync:
        with pytest.raises(_CrashedError):
            await sync.follow(await scene.head())
    shown = scene.seen()
    await scene.withdraw("account:A")
    await scene.settle()

    assert all(shown.values())
    assert not any(scene.seen().values())
    assert (await scene.reports())[-1].published_fields == frozenset()


async def test_new_values_after_a_lost_answer(scene: Scene) -> None:
    """New values wait until it is known again what is shown of the old ones."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", VOICE)
    scene.registries["no"].faults.add(Fault(Kind.DROP_AFTER))
    async with scene.job(pause=_ends) as sync:
        with pytest.raises(_CrashedError):
            await sync.follow(await scene.head())
    scene.forget()
    scene.changes("A", values={**PERSON, "phone": "+33.199000009"})
    await scene.withdraw("account:A", VOICE)
    await scene.give("account:A", EMAIL)
    await scene.settle()

    assert [one.published for one in scene.history("no")] == [
        {},
        {},
        {"email": ("camille@durand.example",)},
    ]


@pytest.mark.parametrize("back", [False, True])
async def test_new_values_and_an_extension_after_a_lost_answer(scene: Scene, back: bool) -> None:
    """Likewise with an extension: hidden before there are new values, or shown after them."""
    await scene.has(contact("A"), domain("a.fr", "A"))
    await scene.settle()
    await scene.give("account:A")
    scene.registries["afnic"].faults.add(Fault(Kind.DROP_AFTER))
    async with scene.job(pause=_ends) as sync:
        with pytest.raises(_CrashedError):
            await sync.follow(await scene.head())
    scene.forget()
    scene.changes("A", values={**PERSON, "phone": "+33.199000009"})
    if back:
        await scene.withdraw("account:A")
    await scene.reconcile()
    adds = {"frnic:add/frnic:list": "restrictedPublication"}
    lifts = {"frnic:rem/frnic:list": "restrictedPublication"}

    assert [dict(one.extension) for one in scene.history("afnic")] == (
        [adds, {}] if back else [{}, lifts]
    )
    assert scene.seen() == await scene.wanted()


async def _ends_at_once(scene: Scene) -> None:
    """A job whose first fault is its end."""
    async with scene.job(pause=_ends) as sync:
        with pytest.raises(_CrashedError):
            await sync.follow(await scene.head())


async def _withdrawn_in_vain(scene: Scene, server: RegistryServer) -> None:
    """.lu shows two fields; one was withdrawn, and nobody knows whether that has arrived."""
    scene.registries["lu"] = server
    await scene.has(contact("A"), domain("a.lu", "A"))
    await scene.give("account:A", _BOTH)
    await scene.settle()
    await scene.withdraw("account:A", VOICE)
    server.faults.add(Fault(Kind.DROP_BEFORE, command="contact:update"))
    await _ends_at_once(scene)


async def test_new_values_beside_a_field_that_is_shown(scene: Scene) -> None:
    """What is shown field by field is told before new values, though one of the fields stays."""
    async with RegistryServer(Registry()) as server:
        await _withdrawn_in_vain(scene, server)
        scene.changes("A", values={**PERSON, "phone": "+33.199000099"})
        scene.forget()
        await scene.reconcile()
        first, *rest = scene.history("lu")

    assert first.extension
    assert rest


async def test_a_withdrawal_beside_values_that_cannot_be_said(scene: Scene) -> None:
    """Nor does a withdrawal wait behind values that no command can hold."""
    async with RegistryServer(Registry()) as server:
        await _withdrawn_in_vain(scene, server)
        scene.changes("A", values={**PERSON, "postal_code": "0" * 17})
        await scene.reconcile()
        stands = dict(server.registry.contacts["A"].extension)

    assert stands["dnslu:disclose/voice"] == "false"


async def test_a_new_address_after_an_objection(scene: Scene) -> None:
    """Where fields are shown whatever is said, the others are hidden before there are new ones."""
    async with RegistryServer(Registry()) as server:
        scene.registries["nz"] = server
        await scene.has(contact("A"), domain("a.nz", "A"))
        await scene.settle()
        await scene.say(Action.OBJECT, "account:A")
        server.faults.add(Fault(Kind.DROP_BEFORE, command="contact:update"))
        await _ends_at_once(scene)
        scene.changes("A", values={**PERSON, "street": "2 rue de l'Exemple"})
        scene.forget()
        await scene.reconcile()

        assert scene.history("nz")[0].extension


async def test_a_report_that_is_never_taken(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A report that the consent service refuses is told as such, and holds up no other."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))

    class Refusing:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        async def report_publication(self, subject: str, *given: Any, **options: Any) -> Any:
            if subject == "account:A":
                raise InvalidRequest("no", "INVALID_REQUEST")
            return await self._real.report_publication(subject, *given, **options)

    sync = await scene.settle(client=Refusing(scene.client))

    assert sync.summary == Summary(hidden=2, unresolved=1)
    assert "a report was refused: INVALID_REQUEST" in caplog.text
    assert [one.subject_id for one in await scene.log(EventKind.PUBLICATION_REPORTED)] == [
        "account:B"
    ]


@pytest.mark.parametrize("fault", [Kind.DROP_BEFORE, Kind.REFUSE, Kind.CLOSE])
async def test_a_command_that_waited(scene: Scene, fault: Kind) -> None:
    """A command that failed is not sent again as it was: it may have been taken back meanwhile."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    scene.forget()
    await scene.give("account:A", EMAIL)
    scene.registries["no"].faults.add(Fault(fault))

    async def meanwhile(_seconds: float) -> None:
        await scene.withdraw("account:A", EMAIL)

    await scene.settle(pause=meanwhile)

    assert [set(one.published) for one in scene.history("no")] == [set()]


async def test_a_lost_state_file(scene: Scene) -> None:
    """A job that remembers nothing hides what another has shown: it was taken for hidden."""
    await scene.has(contact("A"), domain("a.uk", "A"))
    await scene.give("account:A")
    await scene.settle()
    shown = scene.seen()["uk", "A"]
    await scene.withdraw("account:A")
    scene.state_file.unlink()
    first = await scene.reconcile()
    second = await scene.reconcile()

    assert shown
    assert scene.seen()["uk", "A"] == set()
    assert first.summary == Summary(hidden=1)
    assert second.summary == Summary(unchanged=1)


async def test_told_to_stop(scene: Scene) -> None:
    """A job that is told to stop counts what it has not done."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A")
    await scene.settle()
    await scene.withdraw("account:A")
    scene.unreachable = {"no"}
    waits = asyncio.Event()

    async def wait(_seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    async with scene.job(pause=wait) as sync:
        following = asyncio.create_task(sync.follow())
        await waits.wait()
        await ended(following)

    assert sync.summary == Summary(not_reached=1)


class _CrashedError(BaseException):
    """The end of a process, as far as a test can have it without one."""


async def _ends(_seconds: float) -> None:
    raise _CrashedError


class _Moment:
    """Ends the job when it comes to a moment, such as `before take`, for the n-th time."""

    def __init__(self, name: str, nth: int) -> None:
        self._name = name
        self._left = nth

    def reached(self, name: str) -> None:
        self._left -= name == self._name
        if name == self._name and self._left == 0:
            raise _CrashedError(name)


class _Watched:
    """Something of the job's, with a moment before and after each call of its methods."""

    def __init__(self, real: object, moment: _Moment, *names: str) -> None:
        self._real = real
        self._moment = moment
        self._names = names

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name not in self._names:
            return method

        def called(*args: Any, **options: Any) -> Any:
            self._moment.reached(f"before {name}")
            result = method(*args, **options)
            if isinstance(result, Awaitable):
                return self._awaited(name, result)
            self._moment.reached(f"after {name}")
            return result

        return called

    async def _awaited(self, name: str, result: Awaitable[Any]) -> Any:
        found = await result
        self._moment.reached(f"after {name}")
        return found


_OF_STATE = ("take", "about_to_send", "answered", "settled", "defer", "reported")
_OF_CLIENT = ("resolve_many", "report_publication")
_OF_ADAPTER = ("ready", "update_contact", "update_domain")
_MOMENTS = [
    f"{when} {name}"
    for name in (*_OF_STATE, *_OF_CLIENT, *_OF_ADAPTER)
    for when in ("before", "after")
]


async def _crashes(scene: Scene, moment: _Moment) -> bool:
    """A job that ends at a moment, unless it is done before."""
    async with scene.job() as probe:
        world = probe._world
        state = _Watched(
            world.state,
            moment,
            *_OF_STATE,
        )
        client = _Watched(world.client, moment, *_OF_CLIENT)
        adapters = {
            name: _Watched(one, moment, *_OF_ADAPTER) for name, one in world.adapters.items()
        }
        until = await scene.head()
        sync = type(probe)(
            type(world)(
                client,  # type: ignore[arg-type]  # as far as the job knows, it is one
                world.directory,
                state,  # type: ignore[arg-type]  # likewise
                world.registries,
                adapters,
                world.purpose_id,
                world.relay,
                pause=scene.pause,
            )
        )
        try:
            await sync.follow(until)
        except _CrashedError:
            return True
    return False


@pytest.mark.parametrize("moment", _MOMENTS)
async def test_a_crash_at_every_step(scene: Scene, moment: str) -> None:
    """Wherever the job ends, the next one settles to what was decided, and loses no report."""
    # One that is shown and hidden again, one that takes every kind of step, and a domain's switch.
    await scene.has(*(one for one in _LINES if _is_of(one, "ACE")))
    await _flip(scene, 1)
    await scene.settle()
    nth = 0
    crashed = True
    while crashed:
        nth += 1
        await _flip(scene, nth + 1)
        since = await scene.head()
        crashed = await _crashes(scene, _Moment(moment, nth))
        await scene.settle()

        assert scene.seen() == await scene.wanted()
        assert _voice(scene) == f"+33.19900{nth + 1:04d}"
        assert await scene.told(since) == scene.seen()
        with State(scene.state_file) as state:
            assert state.waiting() == {}
            assert state.reports(1) == []
    assert nth > 1, "the moment never came"
