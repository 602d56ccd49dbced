"""The job follows the feed: what people choose is what registries show."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from consentclient import Action, AsyncConsentClient, ContactRole, PositionUnknown
from consentsvc.storage.opening import open_store
from registry_sync import EppRegistry, State, Sync
from registry_sync._summary import Summary
from tests.registry_sync.scene import (
    EMAIL,
    OPERATOR,
    PERSON,
    VOICE,
    Scene,
    contact,
    domain,
    ended,
)
from tests.support import catalogues
from tests.support.clock import FakeClock
from tests.support.wire import serving

_SCOPES: list[dict[str, Any]] = [
    {},
    {"contact": "A"},
    {"contact": "A", "domain": "a.no"},
    {"contact": "A", "domain": "a.no", "role": ContactRole.REGISTRANT},
]
_NAMES = ["account", "contact", "domain", "role"]


async def test_a_switch_arrives_as_a_frame(scene: Scene) -> None:
    """A switch that is flipped while the job runs is shown; flipped back, it is hidden again."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    async with scene.job() as sync:
        following = asyncio.create_task(sync.follow())
        before = await scene.head()
        await scene.give("account:A", EMAIL)
        first = await scene.next_report(before)
        shown = scene.seen()["no", "A"]
        await scene.withdraw("account:A", EMAIL)
        second = await scene.next_report(first.position)
        await ended(following)

    assert shown == {"email"}
    assert scene.seen()["no", "A"] == set()
    assert [one.command for one in scene.history("no")] == ["contact:update"] * 3
    assert first.report is not None
    assert first.report.published_fields == EMAIL
    assert second.report is not None
    assert second.report.published_fields == frozenset()


@pytest.mark.parametrize("scope", _SCOPES, ids=_NAMES)
async def test_at_every_scope(scene: Scene, scope: dict[str, Any]) -> None:
    """A consent at any scope shows, and its withdrawal at the same scope hides."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))
    await scene.settle()
    await scene.give("account:A", EMAIL | VOICE, **scope)
    await scene.settle()
    given = scene.seen()
    await scene.withdraw("account:A", VOICE, **scope)
    await scene.settle()

    assert given == {("no", "A"): {"email", "voice"}, ("no", "B"): set()}
    assert scene.seen() == {("no", "A"): {"email"}, ("no", "B"): set()}
    assert scene.seen() == await scene.wanted()


async def test_what_stands_above_a_choice(scene: Scene) -> None:
    """Restriction, objection and death hide what was consented to; what can be lifted, shows it."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.ca", "B"))
    accounts, client = ("account:A", "account:B"), scene.client
    seen = []
    for act in ("give", "restrict", "lift", "object", "withdraw_objection", "die"):
        for account in accounts:
            match act:
                case "give":
                    await scene.give(account)
                case "restrict":
                    await client.restrict(account, actor=OPERATOR, channel="letter")
                case "lift":
                    await client.lift_restriction(account, actor=OPERATOR, channel="letter")
                case "object":
                    await scene.say(Action.OBJECT, account)
                case "withdraw_objection":
                    await scene.say(Action.WITHDRAW_OBJECTION, account)
                case "die":
                    await client.report_death(account, actor=OPERATOR, channel="letter")
        await scene.settle()
        assert scene.seen() == await scene.wanted()
        seen.append(all(scene.seen().values()))

    assert seen == [True, False, True, False, True, False]
    assert not any(scene.seen().values())


async def test_each_kind_of_registry(scene: Scene) -> None:
    """Lists and extensions alike follow the choice; .ca and .fr are told in their own words."""
    await scene.has(
        *(contact(one) for one in "ABCDE"),
        domain("a.no", "A"),
        domain("b.uk", "B"),
        domain("c.cz", "C"),
        domain("d.fr", "D"),
        domain("e.ca", "E"),
    )
    first = await scene.settle()
    hidden = scene.seen()
    for one in "ABCDE":
        await scene.give(f"account:{one}")
    second = await scene.settle()
    shown = scene.seen()
    assert shown == await scene.wanted()
    for one in "ABCDE":
        await scene.withdraw(f"account:{one}")
    third = await scene.settle()

    # .uk and .cz hide by themselves, but who knows what they were told before.
    assert first.summary == Summary(hidden=5, shown=1)
    assert second.summary == Summary(shown=5)
    assert third.summary == Summary(hidden=5)
    assert hidden == scene.seen() == await scene.wanted()
    assert shown["uk", "B"] == {"name", "addr"}
    assert shown["cz", "C"] == {"name", "addr", "email", "voice"}
    assert [dict(one.extension) for one in scene.history("afnic")] == [
        {"frnic:add/frnic:list": "restrictedPublication"},
        {"frnic:rem/frnic:list": "restrictedPublication"},
        {"frnic:add/frnic:list": "restrictedPublication"},
    ]
    assert [dict(one.extension) for one in scene.history("ca")] == [
        {"fury:add/PRIVACY": "PRIVATE", "fury:rem/PRIVACY": "PUBLIC"},
        {"fury:add/PRIVACY": "PUBLIC", "fury:rem/PRIVACY": "PRIVATE"},
        {"fury:add/PRIVACY": "PRIVATE", "fury:rem/PRIVACY": "PUBLIC"},
    ]
    assert [one.about for one in scene.history("ca")] == ["e.ca"] * 3


async def test_every_contact_of_a_domain_has_its_say(scene: Scene) -> None:
    """Where the switch is the domain's, it shows only what all of its contacts consented to."""
    both = {"registrant": "A", "tech": "B"}
    await scene.has(contact("A"), contact("B"), domain("a.ca", "A", bindings=both))
    await scene.give("account:A")
    await scene.settle()
    one_of_two = scene.seen()
    await scene.give("account:B", contact="B", domain="a.ca", role=ContactRole.TECH)
    await scene.settle()
    two_of_two = scene.seen()
    await scene.withdraw("account:A", EMAIL)
    await scene.settle()

    assert not one_of_two["ca", "a.ca"]
    assert two_of_two["ca", "a.ca"]
    assert not scene.seen()["ca", "a.ca"]


async def test_a_shared_contact(scene: Scene) -> None:
    """A contact shows only what was consented to for every domain that it is bound to."""
    await scene.has(contact("A"), domain("a.no", "A"), domain("b.no", "A"))
    await scene.give("account:A", EMAIL | VOICE, contact="A", domain="a.no")
    await scene.settle()
    one_of_two = scene.seen()
    await scene.give("account:A", EMAIL, contact="A", domain="b.no")
    await scene.settle()

    assert one_of_two["no", "A"] == set()
    assert scene.seen()["no", "A"] == {"email"}
    assert scene.seen() == await scene.wanted()


async def test_nothing_to_tell(scene: Scene) -> None:
    """A top-level domain that only the registrar publishes is none of the job's business."""
    await scene.has(contact("A"), domain("a.com", "A"), domain("a.nl", "A"))
    await scene.give("account:A")
    sync = await scene.settle()

    assert sync.summary == Summary()
    assert not any(server.received for server in scene.registries.values())


async def test_a_registry_that_nobody_set_up(scene: Scene) -> None:
    """What is to be told to a registry without settings waits for it, and is counted."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.it", "B"))
    await scene.give("account:A")
    followed = await scene.settle()
    reconciled = await scene.reconcile()
    with State(scene.state_file) as state:
        waiting = state.waiting()

    assert scene.seen()["no", "A"] == {"name", "addr", "email", "voice"}
    assert followed.summary == Summary(hidden=1, shown=0, not_reached=1)
    assert reconciled.summary == Summary(unchanged=1, not_reached=1)
    assert waiting == {"it": 1}


async def test_a_first_run(scene: Scene) -> None:
    """A first run begins with everything there is, whatever the log says of it."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))
    await scene.give("account:A", EMAIL)
    await scene.settle()

    assert scene.seen() == {("no", "A"): {"email"}, ("no", "B"): set()}


async def test_a_second_run(scene: Scene) -> None:
    """A second run goes on from the saved place, and sends nothing anew."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.forget()
    idle = await scene.settle()
    at_rest = scene.history("no")
    await scene.give("account:B", EMAIL)
    busy = await scene.settle()

    assert at_rest == []
    assert idle.summary == Summary()
    assert busy.summary == Summary(shown=1)
    assert [one.about for one in scene.history("no")] == ["B"]


async def test_a_first_run_that_was_cut_short(scene: Scene) -> None:
    """A first run that ends before it has written everything down begins anew."""
    await scene.has(contact("A"), domain("a.no", "A"))

    class CutShortError(Exception):
        pass

    def cut_short() -> None:
        raise CutShortError

    async with scene.job() as sync:
        sync.take_everything = cut_short  # type: ignore[method-assign]
        with pytest.raises(CutShortError):
            await sync.follow(0)
    await scene.settle()

    assert scene.seen()["no", "A"] == set()


async def test_another_log(scene: Scene, tmp_path: Path) -> None:
    """A cursor of another log ends the job with a clear error, and changes nothing."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    async with (
        open_store(f"sqlite:///{tmp_path}/other.db", clock=FakeClock()) as store,
        serving(store, catalogues.catalogue(), FakeClock()) as other,
        AsyncConsentClient(f"127.0.0.1:{other.server.port}") as client,
    ):
        page = await client.list_events()
    with State(scene.state_file) as state:
        state.take([], cursor=page.cursor)
    scene.forget()
    async with scene.job() as sync:
        with pytest.raises(PositionUnknown):
            await sync.follow()

    assert scene.pauses == []
    assert scene.history("no") == []


async def test_a_place_past_the_end(scene: Scene) -> None:
    """A place past the end of the log is that of another one, and ends the job."""
    await scene.has(contact("A"), domain("a.no", "A"))
    with State(scene.state_file) as state:
        state.begin_at(await scene.head() + 2)
    async with scene.job() as sync:
        with pytest.raises(PositionUnknown):
            await sync.follow()

    assert scene.pauses == []


async def test_hides_go_first(scene: Scene) -> None:
    """What hides is done before what shows, in whatever order it came."""
    people = [f"P{number}" for number in range(20)]
    await scene.has(
        *(contact(one) for one in people), *(domain(f"{one}.no", one) for one in people)
    )
    for one in people[::2]:
        await scene.give(f"account:{one}", EMAIL)
    await scene.settle()
    scene.forget()
    for shows, hides in zip(people[1::2], people[::2], strict=True):
        await scene.give(f"account:{shows}", EMAIL)
        await scene.withdraw(f"account:{hides}", EMAIL)
    await scene.settle()
    order = [one.about for one in scene.history("no")]

    assert set(order[:10]) == set(people[::2])
    assert set(order[10:]) == set(people[1::2])
    assert scene.seen() == await scene.wanted()


async def test_a_withdrawal_overtakes(scene: Scene) -> None:
    """A withdrawal is done before everything that waits, however much that is."""
    people = [f"P{number}" for number in range(250)]
    await scene.has(*map(contact, people), *(domain(f"{one}.no", one) for one in people))
    await scene.give("account:P0", EMAIL)
    await scene.settle()
    scene.forget()
    for one in people[1:]:
        await scene.give(f"account:{one}", EMAIL)
    await scene.withdraw("account:P0", EMAIL)
    await scene.settle()

    assert scene.history("no")[0].about == "P0"
    assert scene.seen() == await scene.wanted()


async def test_more_than_a_round(scene: Scene) -> None:
    """More is done than fits in one round: none of it holds up the rest."""
    people = [f"P{number}" for number in range(450)]
    await scene.has(
        *(contact(one) for one in people), *(domain(f"{one}.uk", one) for one in people)
    )
    await scene.settle()
    for one in people:
        await scene.give(f"account:{one}")
    for one in people[:20]:
        await scene.withdraw(f"account:{one}")
    sync = await scene.settle()

    assert sync.summary.shown == 430
    assert scene.seen() == await scene.wanted()


class _Adapter:
    """An adapter at which something else happens, once: before it is ready, or after a command."""

    def __init__(
        self,
        real: EppRegistry,
        before: Callable[[], Awaitable[None]] | None = None,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._real = real
        self._before = before
        self._after = after

    async def ready(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            await before()
        await self._real.ready()

    async def update_contact(self, *given: Any, **options: Any) -> object:
        answer = await self._real.update_contact(*given, **options)
        after, self._after = self._after, None
        if after is not None:
            await after()
        return answer

    async def update_domain(self, *given: Any) -> object:
        return await self._real.update_domain(*given)


async def _reads_on(sync: Sync, act: Awaitable[None]) -> None:
    """Something is said, and the job has read it."""
    state, taken = sync._world.state, asyncio.Event()
    take = state.take

    def watched_take(*given: Any, **options: Any) -> None:
        take(*given, **options)
        taken.set()

    state.take = watched_take  # type: ignore[method-assign]
    await act
    await taken.wait()
    state.take = take  # type: ignore[method-assign]


async def test_a_choice_while_a_command_is_under_way(scene: Scene) -> None:
    """What is said while a command is under way is not taken for done with it."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    async with scene.adapter("no", scene.registries["no"]) as real:

        async def meanwhile() -> None:
            await _reads_on(sync, scene.withdraw("account:A", EMAIL))

        async with scene.job(adapters={"no": _Adapter(real, after=meanwhile)}) as sync:
            following = asyncio.create_task(sync.follow())
            before = await scene.head()
            await scene.give("account:A", EMAIL)
            async with asyncio.timeout(30):
                first = await scene.next_report(before)
                await scene.next_report(first.position)
            await ended(following)

    assert [set(one.published) for one in scene.history("no")[1:]] == [{"email"}, set()]


async def test_a_withdrawal_while_others_are_shown(scene: Scene) -> None:
    """A withdrawal that comes while much is to be shown is the next thing that is done."""
    people = [f"P{number}" for number in range(5)]
    await scene.has(*map(contact, people), *(domain(f"{one}.no", one) for one in people))
    await scene.give("account:P4", EMAIL)
    await scene.settle()
    scene.forget()
    for one in people[:4]:
        await scene.give(f"account:{one}", EMAIL)
    async with scene.adapter("no", scene.registries["no"]) as real:

        async def meanwhile() -> None:
            await _reads_on(sync, scene.withdraw("account:P4", EMAIL))

        async with scene.job(adapters={"no": _Adapter(real, after=meanwhile)}) as sync:
            following = asyncio.create_task(sync.follow())
            async with asyncio.timeout(30):
                position = 0
                for _ in range(5 + 5):
                    position = (await scene.next_report(position)).position
            await ended(following)

    assert [one.about for one in scene.history("no")] == ["P0", "P4", "P1", "P2", "P3"]


async def test_taken_back_before_it_was_sent(scene: Scene) -> None:
    """What was taken back while the job connects is not sent, though nobody has told the job."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    scene.forget()
    await scene.give("account:A", EMAIL)
    async with scene.adapter("no", scene.registries["no"]) as real:

        async def meanwhile() -> None:
            await scene.withdraw("account:A", EMAIL)

        sync = await scene.settle(adapters={"no": _Adapter(real, before=meanwhile)})

    assert scene.history("no") == []
    assert sync.summary == Summary(unchanged=1)


async def test_values_between_hiding_and_showing(scene: Scene) -> None:
    """New values come after what must be hidden and before what may be shown."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.forget()
    scene.changes("A", values={**PERSON, "phone": "+33.199000009"})
    await scene.withdraw("account:A", EMAIL)
    await scene.give("account:A", VOICE)
    sync = await scene.settle()
    server = scene.registries["no"]

    assert [one.published for one in scene.history("no")] == [
        {},
        {},
        {"voice": ("+33.199000009",)},
    ]
    assert sync.summary == Summary(hidden=1, values=1, shown=1)
    voice = server.registry.contacts["A"].data.voice
    assert voice is not None
    assert voice.number == "+33.199000009"


async def test_values_alone(scene: Scene) -> None:
    """Where the decision is the same, new values go alone, and show as the old ones did."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.forget()
    told = len(await scene.reports())
    scene.changes("A", values={**PERSON, "email": "new@durand.example", "city": "Autreville"})
    sync = await scene.reconcile()
    again = await scene.reconcile()

    assert [one.published for one in scene.history("no")] == [{"email": ("new@durand.example",)}]
    assert sync.summary == Summary(values=1)
    assert again.summary == Summary(unchanged=1)
    assert len(await scene.reports()) == told


async def test_a_value_that_waits(scene: Scene) -> None:
    """A value that is not stored yet is hidden, not sent, and shown with the new one once it is."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL | VOICE)
    await scene.settle()
    scene.forget()
    scene.changes("A", pending=["email"])
    await scene.reconcile()
    waiting = scene.seen()
    scene.changes("A", pending=[], values={**PERSON, "email": "new@durand.example"})
    await scene.reconcile()

    assert waiting["no", "A"] == {"voice"}
    assert [one.published.get("email") for one in scene.history("no")] == [
        None,
        None,
        ("new@durand.example",),
    ]


async def test_values_and_an_extension(scene: Scene) -> None:
    """With an extension, too, new values never show under a permission that has ended."""
    await scene.has(contact("A"), domain("a.fr", "A"))
    await scene.give("account:A")
    await scene.settle()
    scene.forget()
    scene.changes("A", values={**PERSON, "email": "second@durand.example"})
    await scene.withdraw("account:A")
    await scene.settle()
    scene.changes("A", values={**PERSON, "email": "third@durand.example"})
    await scene.give("account:A")
    await scene.settle()

    assert [dict(one.extension) for one in scene.history("afnic")] == [
        {"frnic:add/frnic:list": "restrictedPublication"},
        {},
        {},
        {"frnic:rem/frnic:list": "restrictedPublication"},
    ]


async def test_a_registry_that_is_down(scene: Scene) -> None:
    """A registry that is down holds up no other, and catches up."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.uk", "B"))
    await scene.settle()
    scene.unreachable = {"no"}
    async with scene.job() as sync:
        following = asyncio.create_task(sync.follow())
        before = await scene.head()
        await scene.give("account:A", EMAIL)
        await scene.give("account:B")
        report = await scene.next_report(before)
        await ended(following)
    meanwhile = scene.seen()
    reconciled = await scene.reconcile()
    scene.unreachable = set()
    await scene.settle()

    assert report.report is not None
    assert report.report.registry == "Nominet"
    assert meanwhile == {("no", "A"): set(), ("uk", "B"): {"name", "addr"}}
    assert reconciled.summary == Summary(unchanged=1, not_reached=1)
    assert scene.seen() == await scene.wanted()
    assert scene.seen()["no", "A"] == {"email"}


async def test_a_registry_that_lets_nobody_in(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused login says nothing about any command: what is to be done stays to be done."""
    await scene.has(contact("A"), domain("a.no", "A"))
    registry = scene.registries["no"].registry
    right, registry.password = registry.password, "changed"
    scene.passwords["no"] = right
    refused = await scene.reconcile()
    tried = scene.registries["no"].received.count("login")
    registry.password = right
    await scene.settle()

    assert refused.summary == Summary(not_reached=1)
    assert tried == 1
    assert "no was not reached: the registry refused the login with 2200" in caplog.text
    assert scene.seen()["no", "A"] == set()


async def test_the_consent_service_is_down(scene: Scene) -> None:
    """While the consent service is down the job waits; it goes on when it is back."""
    await scene.has(contact("A"), domain("a.no", "A"))
    waits = asyncio.Event()

    async def pause(_seconds: float) -> None:
        waits.set()
        await asyncio.sleep(0.01)

    await scene.settle()
    async with scene.job(pause=pause) as sync:
        following = asyncio.create_task(sync.follow())
        await scene.stops()
        await asyncio.wait_for(waits.wait(), 30)
        before = scene.seen()
        await scene.starts()
        await scene.give("account:A", EMAIL)
        await scene.next_report(await scene.head() - 1)
        await ended(following)

    assert before["no", "A"] == set()
    assert scene.seen()["no", "A"] == {"email"}
