"""What the registrar has forgotten is not forgotten at the registry: it is hidden all the same."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from registry_sync import ContactRecord, JsonLines, State
from registry_sync._applied import Applied
from registry_sync._due import CONTACT, Due, Thing
from registry_sync._summary import Summary
from registry_sync.testing import Fault, Kind, Registry, RegistryServer
from tests.registry_sync.scene import (
    EMAIL,
    VOICE,
    Scene,
    complaints,
    contact,
    domain,
    write_lines,
)


def _has_now(scene: Scene, *lines: dict[str, Any]) -> None:
    """The directory says this from now on; the registries are not told."""
    scene.lines = list(lines)
    write_lines(scene.directory_file, lines)


_HIDDEN = {"a.no": set(), "a.uk": set(), "a.cz": {"name"}, "a.fr": set()}


def _seen(scene: Scene, at: str) -> set[str]:
    name = {"fr": "afnic"}.get(at[2:], at[2:])
    return scene.seen_of(name, "A")


@pytest.mark.parametrize("known", [True, False], ids=["without a domain", "not there"])
@pytest.mark.parametrize("at", ["a.no", "a.uk", "a.cz", "a.fr"])
async def test_a_contact_without_a_domain(scene: Scene, at: str, known: bool) -> None:
    """A contact that no domain has any more is hidden by the next reconciliation."""
    person = contact("A", verified=True)
    await scene.has(person, domain(at, "A"))
    await scene.give("account:A")
    await scene.settle()
    shown = _seen(scene, at)
    _has_now(scene, *([person] if known else []))
    first = await scene.reconcile()
    second = await scene.reconcile()

    assert shown > _HIDDEN[at]
    assert first.summary == Summary(hidden=1)
    assert _seen(scene, at) == _HIDDEN[at]
    assert second.summary.failed == second.summary.hidden == 0
    reported = (await scene.reports())[-1].published_fields
    assert not reported & (EMAIL | VOICE)


@pytest.mark.parametrize("scope", [{}, {"contact": "A"}, {"contact": "A", "domain": "a.no"}])
async def test_a_withdrawal_after_the_last_domain(scene: Scene, scope: dict[str, Any]) -> None:
    """A withdrawal hides a contact that no domain has any more, without a reconciliation."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))
    await scene.give("account:A", EMAIL, **scope)
    await scene.settle()
    _has_now(scene, contact("B"), domain("b.no", "B"))
    await scene.withdraw("account:A", EMAIL, **scope)
    await scene.settle()

    assert scene.seen_of("no", "A") == set()


async def test_a_contact_that_comes_back(scene: Scene) -> None:
    """A contact that has a domain again shows what was consented to again."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    _has_now(scene, contact("A"))
    await scene.reconcile()
    _has_now(scene, contact("A"), domain("b.no", "A"))
    back = await scene.reconcile()

    assert back.summary == Summary(shown=1)
    assert scene.seen()["no", "A"] == {"email"}


async def test_an_object_that_is_gone(scene: Scene) -> None:
    """What the registry does not have any more shows nothing: no alarm, and no second look."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    del scene.registries["no"].registry.contacts["A"]
    _has_now(scene)
    first = await scene.reconcile()
    received = scene.registries["no"].received.count("contact:update")
    second = await scene.reconcile()

    assert first.summary == second.summary == Summary()
    assert scene.registries["no"].received.count("contact:update") == received


async def test_a_new_handle(scene: Scene) -> None:
    """A new object of a contact is told what it may show, and the one before is hidden."""
    await scene.has(contact("A", handle="H1"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    registry = scene.registries["no"].registry
    registry.create_contact("H2", registry.contacts["H1"].data)
    told = len(await scene.reports())
    scene.changes("A", handle="H2")
    changed = await scene.reconcile()
    again = await scene.reconcile()
    both = scene.seen_of("no", "H1"), scene.seen_of("no", "H2")
    await scene.withdraw("account:A")
    await scene.settle()

    assert changed.summary.failed == 0
    assert both == (set(), {"email"})
    assert again.summary == Summary(unchanged=1)
    assert [one.published_fields for one in (await scene.reports())[told:]] == [EMAIL, set()]
    assert scene.seen_of("no", "H2") == set()


def _remembered(scene: Scene) -> list[tuple[str, str]]:
    """What the state file knows of contact objects, once the next job has opened it."""
    with State(scene.state_file):
        pass
    with closing(sqlite3.connect(scene.state_file)) as file:
        return file.execute("SELECT kind, name FROM applied ORDER BY kind, name").fetchall()


async def test_a_new_handle_among_others(scene: Scene) -> None:
    """The object before is hidden first: that is urgent, and nothing else is."""
    people = [contact("A", handle="H1"), contact("B")]
    await scene.has(*people, domain("a.no", "A"), domain("b.no", "B"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    registry = scene.registries["no"].registry
    registry.create_contact("H2", registry.contacts["H1"].data)
    await scene.give("account:B", EMAIL)
    scene.changes("A", handle="H2")
    scene.forget()
    await scene.reconcile()

    assert scene.history("no")[0].about == "H1"
    assert scene.seen_of("no", "B") == {"email"}


async def test_an_object_that_is_hidden_for_good(scene: Scene) -> None:
    """A given-up object is remembered until it is hidden, and not any longer."""
    await scene.has(contact("A", handle="H1"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    registry = scene.registries["no"].registry
    registry.create_contact("H2", registry.contacts["H1"].data)
    scene.changes("A", handle="H2")
    scene.registries["no"].faults.add(
        Fault(Kind.REFUSE, 2308, command="contact:update"),
        Fault(Kind.REFUSE, 2308, 2, command="contact:update"),
    )
    refused = await scene.reconcile()
    kept = _remembered(scene)
    await scene.reconcile()

    assert refused.summary.refused == 2
    assert kept == [("contact", "A"), ("former", "H1")]
    assert scene.seen_of("no", "H1") == set()
    assert _remembered(scene) == [("contact", "A")]


async def test_handles_that_change_places(scene: Scene) -> None:
    """Where another contact has the handle now, the object is that one's, and is told its wish."""
    await scene.has(
        contact("A", handle="H1"), domain("a.no", "A"),
        contact("B", handle="H2"), domain("b.no", "B"),
    )  # fmt: skip
    await scene.give("account:A", EMAIL)
    await scene.give("account:B", VOICE)
    await scene.settle()
    _has_now(
        scene,
        contact("A", handle="h2"), domain("a.no", "A"),
        contact("B", handle="h1"), domain("b.no", "B"),
    )  # fmt: skip
    registry = scene.registries["no"].registry
    registry.contacts |= {"h1": registry.contacts.pop("H1"), "h2": registry.contacts.pop("H2")}
    await scene.reconcile()
    again = await scene.reconcile()

    assert (scene.seen_of("no", "h1"), scene.seen_of("no", "h2")) == ({"voice"}, {"email"})
    assert again.summary == Summary(unchanged=2)


async def test_an_object_that_is_another_registrars(scene: Scene) -> None:
    """What went to another registrar with its domain is not ours to hide, and no alarm for ever."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    _has_now(scene)
    scene.registries["no"].faults.add(Fault(Kind.REFUSE, 2201, command="contact:update"))
    first, second = await scene.reconcile(), await scene.reconcile()

    assert first.summary == second.summary == Summary()


async def test_a_contact_of_a_domain_that_cannot_be_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain whose contact is missing is an error, and not taken for another's."""
    both = {"registrant": "A", "tech": "B"}
    await scene.has(contact("A"), contact("B"), domain("a.ca", "A", bindings=both))
    await scene.give("account:A")
    await scene.give("account:B")
    await scene.settle()
    read = JsonLines.contact

    def lacks_one(directory: JsonLines, one: str) -> ContactRecord | None:
        return None if one == "A" else read(directory, one)

    with monkeypatch.context() as patch:
        patch.setattr(
            JsonLines, "contact", lambda self, one: None if one == "A" else read(self, one)
        )
        await scene.withdraw("account:B")
        lost = await scene.settle()
    found = await scene.reconcile()

    assert lost.summary.unresolved == 1
    assert found.summary == Summary(hidden=1)


async def test_an_object_that_is_gone_of_a_contact_that_is_not(scene: Scene) -> None:
    """Nor is it an alarm where the registrar still has the contact, without a domain."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    del scene.registries["no"].registry.contacts["A"]
    _has_now(scene, contact("A"))
    first, second = await scene.reconcile(), await scene.reconcile()

    assert first.summary == second.summary == Summary()


async def test_a_handle_that_another_has_elsewhere(scene: Scene) -> None:
    """Whoever has the handle now, and no domain there, does not keep it from being hidden."""
    await scene.has(contact("A", handle="H1"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    _has_now(scene, contact("B", handle="H1"))
    await scene.reconcile()

    assert scene.seen_of("no", "H1") == set()


async def test_a_state_file_of_before(scene: Scene) -> None:
    """A file that was made before handles were kept is used on, and learns them."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    with closing(sqlite3.connect(scene.state_file)) as file:
        file.executescript(
            "DROP VIEW standing; DROP INDEX applied_of_account; DROP INDEX due_awaited;"
            "ALTER TABLE due DROP COLUMN awaited;"
            + "".join(
                f"ALTER TABLE applied DROP COLUMN {one};"
                for one in ("handle", "account", "facts", "pending")
            )
        )
    kept = await scene.reconcile()
    _has_now(scene)
    then = await scene.reconcile()

    assert kept.summary == Summary(unchanged=1)
    assert then.summary == Summary(hidden=1)
    assert scene.seen_of("no", "A") == set()


async def test_whose_it_was_is_not_known(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What may be public and cannot be named is an error, each time anew."""
    await scene.has(contact("A"), domain("a.no", "A"))
    thing = Thing(CONTACT, "no", "Z")
    with State(scene.state_file) as state:
        state.answered(Due(thing, 1, urgent=False), Applied(published=EMAIL))
    first = await scene.reconcile()
    second = await scene.reconcile()

    assert (first.summary.unresolved, second.summary.unresolved) == (1, 1)
    assert {one for _, one in complaints(caplog)} == {
        "a contact of no may be public, and it is gone"
    }


async def test_a_hiding_that_was_cut_short(scene: Scene) -> None:
    """An object that may have been shown by a command without an answer is hidden, too."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    scene.registries["no"].faults.add(Fault(Kind.DROP_AFTER))

    class CutShortError(BaseException):
        pass

    async def ends(_seconds: float) -> None:
        raise CutShortError

    async with scene.job(pause=ends) as sync:
        with pytest.raises(CutShortError):
            await sync.follow(await scene.head())
    shown = scene.seen_of("no", "A")
    _has_now(scene)
    await scene.reconcile()

    assert shown == {"email"}
    assert scene.seen_of("no", "A") == set()


async def test_a_lost_answer_and_a_refusal(scene: Scene) -> None:
    """Nor is an object forgotten that may be shown, and of which nothing is left to be done."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    scene.registries["no"].faults.add(
        Fault(Kind.DROP_AFTER, command="contact:update"),
        Fault(Kind.REFUSE, 2308, command="contact:update"),
    )
    refused = await scene.settle()
    shown = scene.seen_of("no", "A")
    _has_now(scene)
    await scene.reconcile()

    assert refused.summary == Summary(refused=1)
    assert shown == {"email"}
    assert scene.seen_of("no", "A") == set()


async def test_an_extension_with_an_address(scene: Scene) -> None:
    """.eu is told the relay's address of a contact that nobody knows any more."""
    async with RegistryServer(Registry()) as server:
        scene.registries["eu"] = server
        await scene.has(contact("A"), domain("a.eu", "A"))
        await scene.give("account:A")
        await scene.settle()
        _has_now(scene)
        await scene.reconcile()
        told = [dict(one.extension) for one in scene.history("eu")]

    assert told[-1]["contact-ext:whoisEmail"] == "A@relay.invalid"
