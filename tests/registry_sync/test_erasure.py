"""A person is forgotten: what the registries show of them is hidden, and first if that can be."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from consentclient import Action, AsyncConsentClient, ConsentUnavailable, EventKind
from consentsvc.service import following as following_module
from registry_sync import EppRegistry, FollowerUnknown, State, Sync
from registry_sync._summary import Summary
from registry_sync.testing import Fault, Kind
from tests.registry_sync.failing import failing_with, people
from tests.registry_sync.program import arguments, run, write_settings
from tests.registry_sync.scene import (
    EMAIL,
    FOLLOWER,
    OPERATOR,
    VOICE,
    Scene,
    complaints,
    contact,
    domain,
    ended,
)
from tests.support.clock import FakeClock

_SECONDS = 60.0


async def _waits_shortly(_seconds: float) -> None:
    """Takes the place of waiting, where a job goes on for as long as a test wants."""
    await asyncio.sleep(0.01)


async def _impatient(scene: Scene) -> None:
    """From here on the service waits for nobody before it forgets somebody."""
    await scene.stops()
    scene.patience = 0
    await scene.starts()


async def _kinds(scene: Scene) -> list[EventKind]:
    page = await scene.client.list_events(page_size=1_000)
    return [one.kind for one in page.events]


async def _acknowledged(scene: Scene) -> int:
    """How far the job has acknowledged; to acknowledge less than before changes nothing."""
    first = await scene.client.list_events(page_size=1)
    return await scene.client.acknowledge(FOLLOWER, first.cursor)


class _Watched:
    """An adapter that does something after each command."""

    def __init__(self, real: EppRegistry, after: Callable[[], Awaitable[None]]) -> None:
        self._real = real
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def update_contact(self, *given: Any, **options: Any) -> object:
        answer = await self._real.update_contact(*given, **options)
        await self._after()
        return answer


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows with each look at everything."""
    counted: list[None] = []
    take_everything = Sync.take_everything

    def counting(sync: Sync) -> None:
        counted.append(None)
        take_everything(sync)

    monkeypatch.setattr(Sync, "take_everything", counting)
    return counted


async def test_the_registry_hides_first(scene: Scene) -> None:
    """A registry that showed a person's data hides it before that person's key is destroyed."""
    await scene.has(*people("A", "B"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    await scene.settle()
    shown = scene.seen()["no", "A"]
    then: list[EventKind] = []

    async def remember() -> None:
        then.extend(await _kinds(scene))

    async with scene.adapter("no", scene.registries["no"]) as real:
        adapters = {"no": _Watched(real, remember)}
        async with (
            scene.job(adapters=adapters, follower=FOLLOWER, pause=_waits_shortly) as sync,
            asyncio.timeout(_SECONDS),
        ):
            following = asyncio.create_task(sync.follow())
            erasure = await scene.erase("account:A")
            hidden = scene.seen()
            await ended(following)

    assert shown == {"email"}
    assert then[-1] is EventKind.CONSENT_REVOKED
    assert EventKind.SUBJECT_ERASED not in then
    assert erasure.late_follower_ids == ()
    assert hidden == {("no", "A"): set(), ("no", "B"): {"email"}}
    assert (await _kinds(scene))[-3:] == [
        EventKind.CONSENT_REVOKED,
        EventKind.PUBLICATION_REPORTED,
        EventKind.SUBJECT_ERASED,
    ]


async def test_the_reports_come_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is acknowledged before it is reported: a later report would name who is erased."""
    await scene.has(*people("A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    report = AsyncConsentClient.report_publication
    # For longer than it takes the service to notice an acknowledgement.
    failures = [ConsentUnavailable("not there")] * 50

    async def fails_first(client: AsyncConsentClient, *given: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return await report(client, *given, **options)

    monkeypatch.setattr(AsyncConsentClient, "report_publication", fails_first)
    async with (
        scene.job(follower=FOLLOWER, pause=_waits_shortly) as sync,
        asyncio.timeout(_SECONDS),
    ):
        following = asyncio.create_task(sync.follow())
        await scene.erase("account:A")
        await ended(following)

    assert failures == []
    assert (await _kinds(scene))[-3:] == [
        EventKind.CONSENT_REVOKED,
        EventKind.PUBLICATION_REPORTED,
        EventKind.SUBJECT_ERASED,
    ]


async def test_a_registry_that_is_not_reached(scene: Scene, clock: FakeClock) -> None:
    """An erasure does not wait for ever; what is late is hidden once the registry is back."""
    await scene.has(*people("A", "B"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    await scene.settle()
    tried = asyncio.Event()

    async def waits(seconds: float) -> None:
        if failing.tried:
            tried.set()
        await _waits_shortly(seconds)

    async with (
        failing_with(scene, "A") as failing,
        scene.job(adapters={"no": failing}, follower=FOLLOWER, pause=waits) as sync,
        asyncio.timeout(_SECONDS),
    ):
        following = asyncio.create_task(sync.follow())
        erasing = asyncio.create_task(scene.erase("account:A"))
        await tried.wait()
        before = await _kinds(scene)
        clock.advance(timedelta(seconds=scene.patience))
        late = await erasing
        still = scene.seen()["no", "A"]
        failing.handles.clear()
        afterwards = await scene.erase("account:B")  # waits until all before it is done
        await ended(following)

    assert before[-1] is EventKind.CONSENT_REVOKED
    assert late.late_follower_ids == (FOLLOWER,)
    assert still == {"email"}
    assert afterwards.late_follower_ids == ()
    assert scene.seen() == {("no", "A"): set(), ("no", "B"): set()}


@pytest.mark.parametrize("at", ["a.no", "a.uk", "a.cz", "a.fr", "a.ca"])
async def test_a_job_that_was_down(scene: Scene, looks: list[None], at: str) -> None:
    """A job that was down until nobody can say whose consent it was looks at everything, once."""
    await _impatient(scene)
    await scene.has(contact("A"), domain(at, "A"), contact("B"), domain(f"b{at[1:]}", "B"))
    await scene.settle()
    hidden = scene.seen()
    await scene.give("account:A")
    await scene.give("account:B")
    await scene.settle()
    shown = scene.seen()
    erasure = await scene.erase("account:A")
    looks.clear()
    await scene.settle(follower=FOLLOWER)
    (first, second) = scene.seen()

    assert erasure.late_follower_ids == (FOLLOWER,)
    assert scene.seen()[first] == hidden[first] != shown[first]
    assert scene.seen()[second] == shown[second]
    assert scene.seen() == await scene.wanted()
    assert len(looks) == 1


async def test_an_erased_contact_that_the_registrar_has_forgotten(scene: Scene) -> None:
    """It is hidden, too, where the registrar's own systems do not know it any more."""
    await _impatient(scene)
    await scene.has(*people("A", "B"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    await scene.erase("account:A")
    await scene.has(*people("B"))
    await scene.settle()

    assert scene.seen_of("no", "A") == set()


async def test_many_who_are_erased(
    scene: Scene, looks: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look is enough for all whom it has seen, however often the log tells of them."""
    monkeypatch.setattr(following_module, "STRETCH", 1)
    await _impatient(scene)
    await scene.has(*people("A", "B", "C"))
    await scene.settle()
    for account in ("account:A", "account:B"):
        await scene.give(account, EMAIL)
    await scene.settle()
    looks.clear()
    for account in ("account:A", "account:B"):
        await scene.withdraw(account, VOICE)
        await scene.erase(account)
    sync = await scene.settle()

    assert len(looks) == 1
    assert sync.summary == Summary(hidden=2, unchanged=1)
    assert not any(scene.seen().values())


async def test_an_erasure_after_a_look(scene: Scene, looks: list[None]) -> None:
    """Whoever is erased after a look at everything needs another one."""
    await _impatient(scene)
    await scene.has(*people("A", "B"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    await scene.settle()
    looks.clear()
    async with scene.job() as sync:
        await scene.erase("account:A")
        await sync.follow(await scene.head())
        await scene.erase("account:B")
        await sync.follow(await scene.head())

    assert len(looks) == 2
    assert not any(scene.seen().values())


async def test_what_hides_nobody(scene: Scene, looks: list[None]) -> None:
    """That somebody was forgotten who had no yes, or none of this purpose, costs no look."""
    await _impatient(scene)
    await scene.has(*people("A", "B"))
    await scene.say(Action.REFUSE, "account:A")
    await scene.say(Action.OBJECT, "account:A")
    await scene.settle()
    looks.clear()
    await scene.say(Action.WITHDRAW_OBJECTION, "account:A")
    async for _ in scene.client.export("account:A", actor=OPERATOR, channel="letter"):
        pass
    await scene.erase("account:A")
    sync = await scene.settle()

    assert looks == []
    assert sync.summary == Summary()


@pytest.mark.parametrize("act", ["objects", "dies", "is restricted"])
async def test_what_stands_above_a_choice(scene: Scene, looks: list[None], act: str) -> None:
    """An objection, a death and a restriction that nobody can place any more cost a look, too."""
    await _impatient(scene)
    await scene.has(*people("A"))
    await scene.settle()
    match act:
        case "objects":
            await scene.say(Action.OBJECT, "account:A")
        case "dies":
            await scene.client.report_death("account:A", actor=OPERATOR, channel="letter")
        case _:
            await scene.client.restrict("account:A", actor=OPERATOR, channel="letter")
    await scene.erase("account:A")
    looks.clear()
    await scene.settle()

    assert len(looks) == 1


async def test_a_quiet_log(scene: Scene) -> None:
    """What there is nothing to do about is acknowledged, be the log as quiet as it will."""
    await scene.has(*people("A"))
    await scene.say(Action.REFUSE, "account:A")
    await scene.settle(follower=FOLLOWER, reports=False)

    assert await _acknowledged(scene) == await scene.head()


async def test_a_refusal_is_an_end(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What a registry refuses for good, and somebody was alarmed of, holds up no erasure."""
    await scene.has(*people("A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.registries["no"].faults.add(Fault(Kind.REFUSE, 2308, command="contact:update"))
    async with (
        scene.job(follower=FOLLOWER, pause=_waits_shortly) as sync,
        asyncio.timeout(_SECONDS),
    ):
        following = asyncio.create_task(sync.follow())
        erasure = await scene.erase("account:A")
        await ended(following)

    assert erasure.late_follower_ids == ()
    assert any(one.startswith("not applied: hiding was refused") for _, one in complaints(caplog))


async def test_an_acknowledgement_that_fails(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement that does not arrive is tried again."""
    await scene.has(*people("A"))
    await scene.settle()
    acknowledge = AsyncConsentClient.acknowledge
    failures = [ConsentUnavailable("not there")] * 3

    async def fails_first(client: AsyncConsentClient, follower: str, cursor: str) -> int:
        if failures:
            raise failures.pop()
        return await acknowledge(client, follower, cursor)

    monkeypatch.setattr(AsyncConsentClient, "acknowledge", fails_first)
    await scene.settle(follower=FOLLOWER)

    assert failures == []
    assert await _acknowledged(scene) == await scene.head()


async def test_a_service_that_changes_its_mind(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is not waited for any more says so, and goes on hiding."""
    await scene.has(*people("A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    introduced = asyncio.Event()
    acknowledge = AsyncConsentClient.acknowledge

    async def only_at_first(client: AsyncConsentClient, follower: str, cursor: str) -> int:
        known = follower if not introduced.is_set() else "somebody_else"
        introduced.set()
        return await acknowledge(client, known, cursor)

    monkeypatch.setattr(AsyncConsentClient, "acknowledge", only_at_first)
    async with (
        scene.job(follower=FOLLOWER, pause=_waits_shortly) as sync,
        asyncio.timeout(_SECONDS),
    ):
        following = asyncio.create_task(sync.follow())
        await introduced.wait()
        head = await scene.head()
        await scene.withdraw("account:A")
        await scene.next_report(head)
        await ended(following)

    assert scene.seen()["no", "A"] == set()
    assert "nothing is acknowledged: the consent service does not wait for 'registry_sync'" in {
        one for _, one in complaints(caplog)
    }


async def test_a_name_that_nobody_waits_for(scene: Scene) -> None:
    """A job by a name that the service does not know ends before it has done anything."""
    await scene.has(*people("A"))
    async with scene.job(follower="somebody_else") as sync:
        with pytest.raises(FollowerUnknown):
            await sync.follow()
    with State(scene.state_file) as state:
        known = state.cursor(), state.start_position()

    assert known == (None, None)
    assert scene.history("no") == []


async def test_the_option(scene: Scene) -> None:
    """The program acknowledges by the name that it is given, and refuses one that is wrong."""
    await scene.has(*people("A"))
    await scene.say(Action.REFUSE, "account:A")
    write_settings(scene)
    until = ("--until", str(await scene.head()))
    wrong = await run("run", *until, *arguments(scene, follower="somebody_else"))
    dry = await run("run", "--dry-run", *until, *arguments(scene, follower=FOLLOWER))
    untold = await _acknowledged(scene)
    right = await run("run", *until, *arguments(scene, follower=FOLLOWER))
    told = await _acknowledged(scene)

    assert wrong.code == 64
    assert wrong.err.splitlines()[-1] == (
        f"registry-sync: --follower: {scene.target}:"
        " the consent service does not wait for 'somebody_else'"
    )
    assert (dry.code, untold) == (0, 1)
    assert (right.code, told) == (0, int(until[1]))
