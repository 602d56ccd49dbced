"""What fails by itself rests, and all else goes on."""

import asyncio
from typing import Any

import pytest

from registry_sync import EppRegistry, State
from registry_sync._due import CONTACT, Due, Thing
from registry_sync._resting import Resting
from registry_sync._summary import Summary
from tests.registry_sync.failing import Failing, failing_with, people
from tests.registry_sync.scene import EMAIL, VOICE, Scene, ended


async def test_one_that_always_fails(scene: Scene) -> None:
    """One contact that always fails is not reached, after a few attempts; all others are."""
    await scene.has(*people("A", "B", "C"))
    for one in "ABC":
        await scene.give(f"account:{one}", EMAIL)
    async with failing_with(scene, "B") as adapter:
        sync = await scene.reconcile(adapters={"no": adapter})
    with State(scene.state_file) as state:
        waiting = state.waiting()
    await scene.settle()

    assert sync.summary == Summary(hidden=2, not_reached=1)
    assert adapter.tried == ["A", "B", "C", *"BBBBBB"]
    assert scene.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    assert waiting == {"no": 1}
    assert scene.seen() == await scene.wanted()


async def test_a_withdrawal_behind_one_that_fails(scene: Scene) -> None:
    """A withdrawal does not wait for one that always fails, nor for the end of its rest."""
    await scene.has(*people("A", "B"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    rests = asyncio.Event()

    async def for_ever(_seconds: float) -> None:
        rests.set()
        await asyncio.Event().wait()

    async with (
        failing_with(scene, "A") as adapter,
        scene.job(adapters={"no": adapter}, pause=for_ever) as sync,
    ):
        following = asyncio.create_task(sync.follow())
        async with asyncio.timeout(30):
            await rests.wait()
            before = await scene.head()
            await scene.withdraw("account:B", EMAIL)
            report = await scene.next_report(before)
        await ended(following)

    assert report.subject_id == "account:B"
    assert scene.seen() == {("no", "A"): {"email"}, ("no", "B"): set()}
    assert sync.summary.not_reached == 1


def test_what_is_left() -> None:
    """It counts as not in force yet if that is all there is to wait for."""
    failed, waits = (Due(Thing(CONTACT, "no", one), 1, urgent=False) for one in "AB")
    resting = Resting(lambda: 0.0)
    resting.put_off(failed)
    resting.put_off(waits, accepted=True)
    both = resting.left()
    resting.wake(failed.thing)
    one = resting.left()

    assert (both.accepted, both.seconds) == (False, 0.1)
    assert (one.accepted, one.seconds) == (True, 30)


async def test_what_is_said_again_ends_the_rest(scene: Scene) -> None:
    """A change of what rests is tried at once: it may be the one that goes through."""
    await scene.has(*people("A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    rests = asyncio.Event()

    async def for_ever(_seconds: float) -> None:
        rests.set()
        await asyncio.Event().wait()

    async with (
        failing_with(scene, "A") as adapter,
        scene.job(adapters={"no": adapter}, pause=for_ever) as sync,
    ):
        following = asyncio.create_task(sync.follow())
        async with asyncio.timeout(30):
            await rests.wait()
            adapter.handles.clear()
            before = await scene.head()
            await scene.give("account:A", VOICE)
            await scene.next_report(before)
        await ended(following)

    assert scene.seen()["no", "A"] == {"email", "voice"}


async def test_everything_fails(scene: Scene) -> None:
    """Where three different commands fail in a row, it is the registry that is down."""
    await scene.has(*people(*"ABCDE"))
    tries: list[int] = []
    async with failing_with(scene, *"ABCDE") as adapter:

        async def comes_back(_seconds: float) -> None:
            tries.append(len(adapter.tried))
            if len(tries) == 2:
                adapter.handles.clear()

        sync = await scene.settle(adapters={"no": adapter}, pause=comes_back)

    assert tries == [3, 6]
    assert sync.summary == Summary(hidden=5)
    assert scene.seen() == await scene.wanted()


async def test_three_that_always_fail(scene: Scene) -> None:
    """Nor does a withdrawal wait behind several that fail, each by itself."""
    await scene.has(*people(*"ABCD"))
    for one in "ABCD":
        await scene.give(f"account:{one}", EMAIL)
    await scene.settle()
    for one in "ABCD":
        await scene.withdraw(f"account:{one}", EMAIL)
    async with failing_with(scene, *"ABC") as adapter:
        sync = await scene.reconcile(adapters={"no": adapter})

    assert sync.summary.not_reached == 3
    assert scene.seen()["no", "D"] == set()


class _Slow(Failing):
    """Takes longer to fail than anything rests, the first few times."""

    def __init__(self, real: EppRegistry, scene: Scene, *handles: str) -> None:
        super().__init__(real, *handles)
        self._scene = scene

    async def update_contact(self, handle: str, **options: Any) -> Any:
        if handle in self.handles and len(self.tried) < 20:
            self._scene.time += 400
        return await super().update_contact(handle, **options)


async def test_withdrawals_that_fail_slowly(scene: Scene) -> None:
    """What is to be shown has its turn beside withdrawals that fail again and again."""
    await scene.has(*people(*"ABCD"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    await scene.withdraw("account:B", EMAIL)
    await scene.give("account:C", EMAIL)
    await scene.give("account:D", EMAIL)
    async with scene.adapter("no", scene.registries["no"]) as real:
        adapter = _Slow(real, scene, "A", "B")
        await scene.settle(adapters={"no": adapter})

    assert adapter.tried[:6] == ["A", "B", "C", "D", "A", "B"]


async def test_a_new_withdrawal_among_those_that_fail(scene: Scene) -> None:
    """A withdrawal that is new goes before those that have failed, also in the midst of them."""
    await scene.has(*people(*"ABC"))
    for one in "ABC":
        await scene.give(f"account:{one}", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    await scene.withdraw("account:B", EMAIL)

    class Meanwhile(Failing):
        async def update_contact(self, handle: str, **options: Any) -> Any:
            if self.tried == ["A", "B"]:
                await scene.withdraw("account:C", EMAIL)
                await sync._more["no"].wait()
            if handle == "C":
                self.handles.clear()
            return await super().update_contact(handle, **options)

    async with scene.adapter("no", scene.registries["no"]) as real:
        adapter = Meanwhile(real, "A", "B")
        async with scene.job(adapters={"no": adapter}) as sync:
            before = await scene.head()
            following = asyncio.create_task(sync.follow())
            async with asyncio.timeout(30):
                await scene.next_report(before)
            await ended(following)

    assert adapter.tried[:4] == ["A", "B", "A", "C"]


async def test_many_that_always_fail(scene: Scene) -> None:
    """A registry that takes other commands is not down, however many fail before them."""
    failing = [f"A{number:02}" for number in range(20)]
    others = [f"B{number:02}" for number in range(40)]
    await scene.has(*people(*failing, *others))
    async with failing_with(scene, *failing) as adapter:
        sync = await scene.reconcile(adapters={"no": adapter})

    assert sync.summary == Summary(hidden=40, not_reached=20)


async def test_a_run_to_a_position_ends(scene: Scene) -> None:
    """A job that is to end does so, with one that always fails left over."""
    await scene.has(*people("A", "B"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", EMAIL)
    async with failing_with(scene, "A") as adapter:
        sync = await scene.settle(adapters={"no": adapter})

    assert sync.summary == Summary(shown=1, not_reached=1)
