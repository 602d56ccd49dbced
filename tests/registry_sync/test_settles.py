"""The promise as a whole: choices at random, faults, and a job that is killed again and again.

What the public sees is held against what was consented to, at every frame and at the end.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lxml.etree import _Element as Element

from consentclient import Action, ContactField, ContactRole, PublicationQuestion
from consentsvc.service.ports import EventStore
from consentsvc.storage.opening import open_store
from registry_sync import JsonLines, Registries
from registry_sync.testing import Fault, RegistryServer
from tests.registry_sync.meeting import no_sleep
from tests.registry_sync.program import arguments, run, start, write_settings
from tests.registry_sync.scene import (
    OPENED,
    OPERATOR,
    PERSON,
    Scene,
    allowed,
    ask_about,
    contact,
    domain,
)
from tests.support.clock import FakeClock
from tests.support.stores import meddled
from tests.support.wire import serving

_CHANCE_OF_A_FAULT = 0.03
_WRITERS = 6


class _TickingClock(FakeClock):
    """No two moments are the same, so that every place in the log has one of its own."""

    def __call__(self) -> Any:
        self.advance(timedelta(milliseconds=1))
        return super().__call__()


class _Asked(NamedTuple):
    """When a question was answered last: at which place in the log, as which act, with how many."""

    position: int
    act: int
    together: int


class _Frame(NamedTuple):
    """What the public saw after a command, and what it followed from."""

    registry: str
    thing: str
    seen: frozenset[str]
    asked: _Asked
    before: int
    """The act before at this registry."""
    killed: int
    """The act at which a job was killed last."""
    position: int
    """The end of the log when it was carried out."""


class _Witness:
    """Sees every act of the job, in one order: its questions, its reports, its commands."""

    def __init__(self, store: EventStore) -> None:
        self.frames: list[_Frame] = []
        self.faults = 0
        self.asked: dict[str, _Asked] = {}
        self.store = meddled(store, choices=self._choices, write=self._write, events=self._events)
        self.reads = asyncio.Event()
        self.killed = 0
        self._real = store
        self._act = 0
        self._position = 0
        self._acted = asyncio.Condition()
        self._last: dict[str, int] = {}

    async def acts(self, number: int) -> None:
        """Waits until so many more things have happened."""
        until = self._act + number
        async with self._acted:
            await self._acted.wait_for(lambda: self._act >= until)

    async def act(self) -> int:
        """One more thing has happened."""
        self._act += 1
        number = self._act
        async with self._acted:
            self._acted.notify_all()
        return number

    def kill(self) -> None:
        """A job was killed."""
        self._act += 1
        self.killed = self._act

    def watch(self, name: str, scene: Scene) -> "_Watcher":
        """Sees what happens at a registry."""
        return _Watcher(name, scene, self)

    async def _choices(self, purpose: Any, inquiries: Any, as_of: Any = None) -> Any:
        records = await self._real.choices(purpose, inquiries, as_of)
        asked = _Asked(records.read_at, await self.act(), len(inquiries))
        for one in inquiries:
            for reach in one.reaches:
                self.asked[reach.contact or ""] = self.asked[reach.domain or ""] = asked
        return records

    async def _write(self, *given: Any, **options: Any) -> Any:
        written = await self._real.write(*given, **options)
        self._position = await self._real.head()
        await self.act()
        return written

    async def _events(self, *given: Any, **options: Any) -> Any:
        self.reads.set()
        return await self._real.events(*given, **options)

    def received(self, registry: str) -> tuple[int, int]:
        """A command has arrived; tells which act came before at this registry."""
        self._act += 1
        before, self._last[registry] = self._last.get(registry, 0), self._act
        return before, self._position


class _Watcher:
    """Tells the witness of everything that one registry carried out."""

    def __init__(self, name: str, scene: Scene, witness: _Witness) -> None:
        self._name = name
        self._scene = scene
        self._witness = witness
        self._known = 0
        self._before = (0, 0)

    def begin(self) -> None:
        """What was there until now was not the job's doing."""
        self._known = len(self._scene.registries[self._name].registry.history)

    def received(self, name: str, root: Element, fault: Fault | None) -> None:
        """See `Watcher`."""
        self._witness.faults += fault is not None
        self._before = self._witness.received(self._name)

    def answered(self, xml: bytes) -> None:
        """See `Watcher`. Nothing else happens between this and what was received."""
        registry = self._scene.registries[self._name].registry
        for one in registry.history[self._known :]:
            before, position = self._before
            frame = _Frame(
                self._name,
                one.about,
                frozenset(self._scene.seen_of(self._name, one.about)),
                self._witness.asked[one.about],
                before,
                self._witness.killed,
                position,
            )
            self._witness.frames.append(frame)
        self._known = len(registry.history)


def _lines(pick: random.Random, contacts: int) -> Iterator[dict[str, Any]]:
    """Contacts of random accounts, alone in a domain or in several, in one role or in two."""
    names = list(OPENED)
    for number in range(contacts):
        at = pick.choice(names)
        suffix = "fr" if at == "afnic" else at
        name = f"C{number}"
        yield contact(
            name,
            f"account:{pick.randrange(max(1, contacts // 2))}",
            kind="legal" if pick.random() < 0.1 else "natural",
            values={**PERSON, "phone": f"+33.1{number:08d}"},
            verified=at == "cz" and pick.random() < 0.7,
        )
        roles = pick.sample(["registrant", "tech", "admin"], pick.choice([1, 1, 2]))
        for more in range(pick.choice([1, 1, 1, 2, 3])):
            yield domain(f"d{number}-{more}.{suffix}", name, bindings=dict.fromkeys(roles, name))


_FIELDS = [
    frozenset({ContactField.ALL}),
    frozenset({ContactField.EMAIL}),
    frozenset({ContactField.PHONE, ContactField.PHONE_EXT}),
    frozenset(
        map(ContactField, ["name", "street", "city", "state_province", "postal_code", "country"])
    ),
]


@dataclass
class _Choices:
    """People who choose at random."""

    pick: random.Random
    scene: Scene
    left: int

    def __post_init__(self) -> None:
        self._allowed = asyncio.Semaphore(0)
        self._contacts = {
            one["contact"]: one["account"] for one in self.scene.lines if "contact" in one
        }
        self._domains = [one for one in self.scene.lines if "domain" in one]

    def allow(self, number: int) -> None:
        """Lets so many more choices be made."""
        for _ in range(number):
            self._allowed.release()

    async def write(self) -> None:
        """Chooses until all choices are made."""
        while self.left > 0:
            self.left -= 1
            await self._allowed.acquire()
            await self._one()
            for _ in range(self.pick.randrange(50)):
                await asyncio.sleep(0)  # not a wait: the job has its turn

    async def _one(self) -> None:
        pick, scene = self.pick, self.scene
        where = pick.choice(self._domains)
        role, name = pick.choice(list(where["bindings"].items()))
        account = self._contacts[name]
        match pick.randrange(40):
            case 0:
                await scene.client.restrict(account, actor=OPERATOR, channel="letter")
            case 1 | 2:
                await scene.client.lift_restriction(account, actor=OPERATOR, channel="letter")
            case 3:
                await scene.say(Action.OBJECT, account)
            case 4 | 5:
                await scene.say(Action.WITHDRAW_OBJECTION, account)
            case _:
                scopes: list[dict[str, Any]] = [
                    {},
                    {"contact": name},
                    {"contact": name, "domain": where["domain"]},
                    {"contact": name, "domain": where["domain"], "role": ContactRole(role)},
                ]
                action = pick.choice([Action.GIVE, Action.GIVE, Action.WITHDRAW, Action.REFUSE])
                await scene.say(action, account, pick.choice(_FIELDS), **pick.choice(scopes))


@asynccontextmanager
async def _scene(folder: Path, seed: int) -> AsyncIterator[tuple[Scene, _Witness]]:
    clock = _TickingClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(f"sqlite:///{folder}/log.db", clock=clock)
        )
        witness = _Witness(store)
        scene = Scene(folder)
        scene.serve = lambda address: serving(witness.store, scene.catalogue, clock, listen=address)
        await stack.enter_async_context(scene)
        for number, (name, registry) in enumerate(OPENED.items()):
            server = RegistryServer(registry(), sleep=no_sleep, watch=witness.watch(name, scene))
            server.faults.at_random(_CHANCE_OF_A_FAULT, seed + number)
            scene.registries[name] = await stack.enter_async_context(server)
        yield scene, witness


async def _killed_again_and_again(
    pick: random.Random, scene: Scene, witness: _Witness, choices: _Choices, kills: int
) -> None:
    """Jobs, in the life of each some choices are made, and it is killed somewhere among them."""
    share = -(-choices.left // kills)
    for _ in range(kills):
        witness.reads.clear()
        job = await start("run", *arguments(scene))
        speaks = asyncio.create_task(job.communicate())
        await witness.reads.wait()
        choices.allow(share)
        # Each choice is an act, so that as many as there are choices are sure to come.
        await witness.acts(pick.randrange(1, share))
        assert job.returncode is None
        job.kill()
        witness.kill()
        await speaks
    choices.allow(_WRITERS)


async def _what_was_not_consented_to(scene: Scene, frames: list[_Frame]) -> list[_Frame]:
    """The frames that showed what the answer before them did not allow."""
    log = await scene.log()
    moments = {one.position: one.recorded_time for one in log}
    questions = _questions(scene)
    answers: dict[tuple[str, str, int], set[str]] = {}
    wrong = []
    for one in frames:
        key = (one.registry, one.thing, one.asked.position)
        if key not in answers:
            answer = await scene.client.resolve(
                questions[one.registry, one.thing], as_of=moments[one.asked.position]
            )
            answers[key] = allowed(one.registry, answer)
        if not one.seen <= answers[key]:
            wrong.append(one)
    return wrong


def _questions(scene: Scene) -> Mapping[tuple[str, str], PublicationQuestion]:
    registries = Registries(scene.profiles)
    found = {}
    with JsonLines(scene.directory_file) as directory:
        for use in directory.all_uses():
            thing = registries.thing(use)
            assert thing is not None
            key = (thing.registry, thing.name)
            if key not in found:
                found[key] = ask_about(directory, registries, use)
    return found


@pytest.mark.parametrize(
    ("contacts", "kills"),
    [(300, 8), pytest.param(10_000, 100, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
async def test_settles(tmp_path: Path, contacts: int, kills: int) -> None:
    """What settles is what was decided, and no frame ever showed what was not consented to.

    Each command followed from an answer that was asked for about this alone, and after which
    nothing else was sent to this registry. What was said while the command was under way, after
    the answer, may count either way.
    """
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    pick = random.Random(seed)
    async with _scene(tmp_path, seed) as (scene, witness):
        await scene.has(*_lines(pick, contacts))
        for server in scene.registries.values():
            server._watch.begin()  # type: ignore[union-attr]  # it is one of ours
        write_settings(scene)
        choices = _Choices(random.Random(seed + 100), scene, 4 * contacts)
        writing = asyncio.gather(*(choices.write() for _ in range(_WRITERS)))
        killing = _killed_again_and_again(pick, scene, witness, choices, kills)
        await asyncio.gather(writing, killing)
        last = await run("run", "--until", str(await scene.head()), *arguments(scene))
        frames = witness.frames
        assert last.code == 0, last.err
        assert scene.seen() == await scene.wanted()
        told = await scene.told()
        assert {one: seen for one, seen in scene.seen().items() if one in told} == told
        wrong = await _what_was_not_consented_to(scene, frames)
        waited = [
            one for one in frames if one.before > one.asked.act and one.killed < one.asked.act
        ]
        overtaken = [one for one in frames if one.position > one.asked.position]
        print(  # noqa: T201 - figures
            f"{contacts} contacts, {len(await scene.log())} events, {len(frames)} frames, "
            f"{witness.faults} faults, {kills} kills, {len(overtaken)} with something said on "
            f"their way; the last run took {last.seconds:.1f} s"
        )

    assert wrong == []
    assert waited == []
    assert [one for one in frames if one.asked.together != 1] == []
