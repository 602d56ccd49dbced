"""What is not in force yet is not taken for done; and what contradicts itself is told nothing."""

import asyncio
from typing import Any

import pytest

from consentclient import ReportOutcome
from registry_sync import EppRegistry, RegistryUnavailable
from registry_sync._summary import Summary
from registry_sync.testing import Fault, Kind
from tests.registry_sync.failing import Failing, people
from tests.registry_sync.scene import EMAIL, PERSON, Scene, complaints, contact, domain, ended


async def _rests_of(scene: Scene, name: str) -> list[float]:
    """The first rests of a job at a registry at which every change is reviewed, and approved."""
    registry = scene.registries[name].registry
    registry.reviews = True
    rested: list[float] = []
    enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        rested.append(seconds)
        registry.decide(approve=True)
        if len(rested) == 5:
            enough.set()
            await asyncio.Event().wait()

    async with scene.job(pause=pause) as sync:
        sync.take_everything()
        following = asyncio.create_task(sync.follow())
        async with asyncio.timeout(30):
            await enough.wait()
        await ended(following)
    return rested


async def test_a_registry_that_answers_everything_with_1001(scene: Scene) -> None:
    """It is told again less and less often, where nobody can see what became of it."""
    await scene.has(contact("A"), domain("a.fr", "A"))
    await scene.settle()
    await scene.give("account:A")

    assert await _rests_of(scene, "afnic") == pytest.approx([30, 60, 120, 240, 300])


async def test_new_values_that_are_reviewed_each_time(scene: Scene) -> None:
    """So are new values, though the list before them is in force each time."""
    await scene.has(*people("A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.changes("A", values={**PERSON, "email": "new@durand.example"})

    assert await _rests_of(scene, "no") == pytest.approx([30, 60, 120, 240, 300])


async def _reviewed(scene: Scene) -> None:
    """From here on a change is in force once somebody has approved of it."""
    await scene.has(*people("A", "B"))
    await scene.give("account:B", EMAIL)
    await scene.settle()
    scene.registries["no"].registry.reviews = True
    scene.forget()


def _sent(scene: Scene) -> int:
    return scene.registries["no"].received.count("contact:update")


async def test_not_in_force_yet(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What is accepted with 1001 is neither done nor reported; it is once the registry holds it."""
    await _reviewed(scene)
    await scene.give("account:A", EMAIL)
    told, sent = len(await scene.reports()), _sent(scene)
    first = await scene.settle()
    waits = await scene.reconcile()
    reported = len(await scene.reports()) - told
    scene.registries["no"].registry.decide(approve=True)
    then = await scene.settle()

    assert first.summary == Summary(not_reached=1)
    assert waits.summary == Summary(unchanged=1, not_reached=1)
    assert "accepted and not in force yet" in caplog.text
    assert reported == 0
    assert then.summary.failed == 0
    assert _sent(scene) == sent + 1
    assert (await scene.reports())[-1].outcome is ReportOutcome.APPLIED
    assert scene.seen()["no", "A"] == {"email"}


async def test_a_review_that_says_no_and_a_refusal(scene: Scene) -> None:
    """What was refused does not wait for anything any more, and is told without a look."""
    await _reviewed(scene)
    await scene.give("account:A", EMAIL)
    await scene.settle()
    server = scene.registries["no"]
    server.registry.decide(approve=False)
    server.registry.reviews = False
    server.faults.add(Fault(Kind.REFUSE, 2308, command="contact:update"))
    refused = await scene.settle()
    looked = server.received.count("contact:info")
    await scene.reconcile()

    assert refused.summary == Summary(refused=1)
    assert server.received.count("contact:info") == looked
    assert scene.seen()["no", "A"] == {"email"}


async def test_a_review_that_says_no(scene: Scene) -> None:
    """What the registry has dropped is told again: a withdrawal is not forgotten."""
    await _reviewed(scene)
    await scene.withdraw("account:B", EMAIL)
    await scene.settle()
    scene.registries["no"].registry.decide(approve=False)
    scene.registries["no"].registry.reviews = False
    then = await scene.settle()

    assert then.summary == Summary(hidden=1)
    assert scene.seen()["no", "B"] == set()


async def test_a_withdrawal_of_what_is_pending(scene: Scene) -> None:
    """What is taken back while it waits is hidden as soon as the registry takes a command."""
    await _reviewed(scene)
    registry = scene.registries["no"].registry
    await scene.give("account:A", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    waits = await scene.settle()
    registry.decide(approve=True)
    shown = scene.seen()["no", "A"]
    registry.reviews = False
    await scene.settle()

    assert waits.summary == Summary(not_reached=1)
    assert all(one.outcome is ReportOutcome.APPLIED for one in await scene.reports())
    assert shown == {"email"}
    assert scene.seen()["no", "A"] == set()


@pytest.mark.parametrize(("name", "at"), [("afnic", "a.fr"), ("ca", "a.ca")])
async def test_an_extension_that_is_not_in_force_yet(scene: Scene, name: str, at: str) -> None:
    """Of an extension it is not seen what became of it: it waits, and is told once more."""
    await scene.has(contact("A"), domain(at, "A"))
    await scene.settle()
    registry = scene.registries[name].registry
    registry.reviews = True
    told = len(await scene.reports())
    await scene.give("account:A")
    first = await scene.settle()
    second = await scene.settle()
    registry.decide(approve=True)
    registry.reviews = False
    then = await scene.settle()

    assert first.summary == second.summary == Summary(not_reached=1)
    assert then.summary.failed == 0
    assert [one.outcome for one in (await scene.reports())[told:]] == [ReportOutcome.APPLIED]
    assert scene.seen() == await scene.wanted()


async def test_a_greeting_that_contradicts(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A registry that hides where it is taken for one that shows is told nothing."""
    await scene.has(*people("A"), contact("B"), domain("b.uk", "B"))
    registry = scene.registries["no"].registry
    registry.policy = type(registry.policy)(registry.dialect, True, frozenset())
    await scene.give("account:A", EMAIL)
    sync = await scene.reconcile()
    nothing = _sent(scene)
    server = scene.registries["no"]
    async with EppRegistry(
        server.host,
        server.port,
        client=registry.client,
        password=registry.password,
        plain=True,
        prompt=True,
        hides=False,
    ) as told:
        trusted = await scene.reconcile(adapters={"no": told})

    assert sync.summary == Summary(hidden=1, not_reached=1)
    assert complaints(caplog)[-1][1] == (
        "no was not reached: its greeting says that it hides by default, "
        "and its profile that it shows"
    )
    assert nothing == 0
    assert trusted.summary.hidden == 1
    assert _sent(scene) == 1


async def test_a_greeting_that_contradicts_for_long(scene: Scene) -> None:
    """Such a registry is asked again as seldom as one that will not let us in."""
    await scene.has(*people("A"))
    registry = scene.registries["no"].registry
    registry.policy = type(registry.policy)(registry.dialect, True, frozenset())
    waited: list[float] = []
    waits = asyncio.Event()

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        waits.set()
        await asyncio.Event().wait()

    async with scene.job(pause=pause) as sync:
        following = asyncio.create_task(sync.follow())
        async with asyncio.timeout(30):
            await waits.wait()
        await ended(following)

    assert waited == [30]


async def test_an_answer_that_was_lost_before_a_review(scene: Scene) -> None:
    """A change that waits without our knowing keeps off the next one, which is not refused."""
    await _reviewed(scene)
    server = scene.registries["no"]
    await scene.give("account:A", EMAIL)
    server.faults.add(Fault(Kind.DROP_AFTER, command="contact:update"))
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    waits = await scene.settle()
    server.registry.decide(approve=True)
    shown = scene.seen()["no", "A"]
    server.registry.reviews = False
    await scene.settle()

    assert waits.summary == Summary(not_reached=1)
    assert shown == {"email"}
    assert scene.seen()["no", "A"] == set()
    assert all(one.outcome is ReportOutcome.APPLIED for one in await scene.reports())


@pytest.mark.parametrize("code", [2201, 2101])
async def test_a_registry_that_does_not_say_what_it_holds(scene: Scene, code: int) -> None:
    """Whoever cannot look tells it again; nothing is taken for refused that was never sent."""
    await _reviewed(scene)
    server = scene.registries["no"]
    await scene.give("account:A", EMAIL)
    await scene.settle()
    server.registry.decide(approve=True)
    server.registry.reviews = False
    await scene.withdraw("account:A", EMAIL)
    server.faults.add(Fault(Kind.REFUSE, code, command="contact:info"))
    sync = await scene.settle()

    assert sync.summary.failed == 0
    assert scene.seen()["no", "A"] == set()


async def test_a_2304_of_which_nothing_can_be_found_out(scene: Scene) -> None:
    """Whoever could not find out whether something is pending has not been refused."""
    await _reviewed(scene)
    server = scene.registries["no"]
    await scene.withdraw("account:B", EMAIL)
    server.faults.add(
        Fault(Kind.DROP_AFTER, command="contact:update"),
        Fault(Kind.DROP_BEFORE, command="contact:info"),
    )
    first = await scene.settle()
    server.registry.decide(approve=False)
    server.registry.reviews = False
    await scene.settle()

    assert first.summary.refused == 0
    assert scene.seen()["no", "B"] == set()


async def test_a_withdrawal_waits_for_no_information(scene: Scene) -> None:
    """A registry that never says what it holds is told what to hide all the same."""
    await _reviewed(scene)
    await scene.give("account:A", EMAIL)
    await scene.settle()
    registry = scene.registries["no"].registry
    registry.decide(approve=True)
    registry.reviews = False
    await scene.withdraw("account:A", EMAIL)

    class Silent(Failing):
        async def held(self, _name: str, *, of_domain: bool) -> Any:
            raise RegistryUnavailable(f"the answer cannot be understood: {of_domain}")

    async with scene.adapter("no", scene.registries["no"]) as real:
        await scene.settle(adapters={"no": Silent(real)})

    assert scene.seen()["no", "A"] == set()


@pytest.mark.parametrize("act", ["settle", "reconcile"])
async def test_one_that_fails_and_one_that_is_never_in_force(scene: Scene, act: str) -> None:
    """A job that is to end does so: to be told once more that it waits is no progress."""
    await scene.has(contact("A"), domain("a.fr", "A"), contact("B"), domain("b.fr", "B"))
    await scene.settle()
    registry = scene.registries["afnic"].registry
    registry.reviews = True
    await scene.give("account:A")
    await scene.give("account:B")

    async def pause(seconds: float) -> None:
        registry.decide(approve=True)
        await scene.pause(seconds)

    class Slow(Failing):
        async def update_contact(self, handle: str, **options: Any) -> Any:
            scene.time += 30 if handle in self.handles else 0
            return await super().update_contact(handle, **options)

    async with scene.adapter("afnic", scene.registries["afnic"]) as real:
        adapters = {"afnic": Slow(real, "B")}
        sync = await getattr(scene, act)(adapters=adapters, pause=pause)

    assert sync.summary.not_reached == 2
