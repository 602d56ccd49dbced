"""What the job asks, and what it makes of registries that are told in words of their own."""

import pytest

from consentclient import ConsentEvent, ContactRole, EventKind
from registry_sync._summary import Summary
from registry_sync.testing import Registry, RegistryServer
from tests.registry_sync.scene import (
    EMAIL,
    NOTICE,
    PERSON,
    Scene,
    asked_about,
    complaints,
    contact,
    domain,
)
from tests.support import catalogues


async def test_a_contact_of_too_many_domains(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A contact in more domains than can be asked about shows nothing, and somebody is told."""
    most = [domain(f"d{number}.uk", "A") for number in range(10_001)]
    await scene.has(contact("A"), *most)
    await scene.give("account:A")
    whole = await scene.settle()
    shown = scene.seen()
    await scene.has(contact("A"), *most, domain("one-more.uk", "A"))
    await scene.reconcile()

    assert whole.summary == Summary(hidden=1, shown=1)
    assert shown["uk", "A"] == {"name", "addr"}
    assert scene.seen()["uk", "A"] == set()
    assert {one for _, one in complaints(caplog)} == {
        "a contact of uk is in more than 10000 domains"
    }


async def test_another_text(scene: Scene) -> None:
    """A new text that asks everybody again hides what was consented to on the old one."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.ca", "B"))
    await scene.give("account:A", EMAIL)
    await scene.give("account:B")
    await scene.settle()
    shown = scene.seen()
    await scene.stops()
    old = catalogues.version(catalogues.WHOIS, "1")
    new = catalogues.version(catalogues.WHOIS, "2", asks_again=True)
    scene.catalogue = asked_about(old, new)
    await scene.starts()
    await scene.settle()

    assert (await scene.log(EventKind.NOTICE_PUBLISHED))[-1].notice is not None
    assert all(shown.values())
    assert not any(scene.seen().values())
    assert scene.seen() == await scene.wanted()


async def test_an_address_in_an_extension(scene: Scene) -> None:
    """.eu is told the address itself, and is told again when it is another one."""
    async with RegistryServer(Registry()) as server:
        scene.registries["eu"] = server
        await scene.has(contact("A"), domain("a.eu", "A"))
        await scene.settle()
        await scene.give("account:A", EMAIL)
        await scene.settle()
        scene.changes("A", values={**PERSON, "email": "new@durand.example"})
        changed = await scene.reconcile()
        again = await scene.reconcile()
        await scene.withdraw("account:A", EMAIL)
        await scene.settle()
        told = [dict(one.extension) for one in scene.history("eu")]

    natural = {"contact-ext:naturalPerson": "true"}
    assert told == [
        {**natural, "contact-ext:whoisEmail": "A@relay.invalid"},
        {**natural, "contact-ext:whoisEmail": "camille@durand.example"},
        {},
        {**natural, "contact-ext:whoisEmail": "new@durand.example"},
        {**natural, "contact-ext:whoisEmail": "A@relay.invalid"},
    ]
    assert changed.summary.values == 1
    assert again.summary == Summary(unchanged=1)


async def test_what_is_said_with_every_update(scene: Scene) -> None:
    """.pt wants its switch said with every update, which is no reason to make one."""
    async with RegistryServer(Registry()) as server:
        scene.registries["pt"] = server
        await scene.has(contact("A"), domain("a.pt", "A"))
        first = await scene.settle()
        again = await scene.reconcile()
        await scene.give("account:A")
        await scene.settle()
        told = [dict(one.extension) for one in scene.history("pt")]

    assert first.summary == Summary(hidden=1)
    assert again.summary == Summary(unchanged=1)
    assert told == [{"ptdomain:ownerVisible": "false"}, {"ptdomain:ownerVisible": "true"}]


async def test_a_switch_that_another_use_turns_off(scene: Scene) -> None:
    """New values never show under a permission that another use of the contact has ended."""
    async with RegistryServer(Registry()) as server:
        scene.registries["it"] = server
        await scene.has(contact("A"), domain("a.it", "A"), domain("b.it", "A"))
        await scene.give("account:A")
        await scene.settle()
        scene.forget()
        scene.changes("A", values={**PERSON, "phone": "+39.02000009"})
        await scene.withdraw("account:A", contact="A", domain="b.it")
        await scene.settle()
        off = [dict(one.extension) for one in scene.history("it")]
        scene.forget()
        scene.changes("A", values={**PERSON, "phone": "+39.02000010"})
        await scene.give("account:A", contact="A", domain="b.it")
        await scene.settle()
        on = [dict(one.extension) for one in scene.history("it")]

    switch = "extcon:consentForPublishing"
    assert off == [{switch: "false"}, {}]
    assert on == [{}, {switch: "true"}]


async def test_every_contact_of_a_switch_is_told_of(scene: Scene) -> None:
    """What is said of a domain's switch is told of each of its contacts, and once of each."""
    both = {"registrant": "A", "tech": "B", "admin": "A"}
    await scene.has(contact("A"), contact("B"), domain("a.ca", "A", bindings=both))
    await scene.give("account:A")
    await scene.give("account:B")
    await scene.settle()
    events = await scene.log(EventKind.PUBLICATION_REPORTED)
    await scene.withdraw("account:B")
    await scene.settle()
    later = (await scene.log(EventKind.PUBLICATION_REPORTED))[len(events) :]

    def told(some: list[ConsentEvent]) -> dict[str | None, tuple[ContactRole | None, bool]]:
        return {
            one.subject_id: (one.scope.role, bool(one.report.published_fields & EMAIL))
            for one in some
            if one.scope is not None and one.report is not None
        }

    assert len(events) == len(later) == 2
    assert told(events) == {
        "account:A": (ContactRole.REGISTRANT, True),
        "account:B": (ContactRole.TECH, True),
    }
    assert told(later) == {
        "account:A": (ContactRole.REGISTRANT, False),
        "account:B": (ContactRole.TECH, False),
    }


async def test_what_is_gone(scene: Scene) -> None:
    """A domain that went to another registrar is not ours to publish: nothing is sent about it."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.ca", "B"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.forget()
    for line in scene.lines:
        if "domain" in line:
            line["sponsored"] = False
    scene.changes("A")
    await scene.withdraw("account:A")
    await scene.withdraw("account:B")
    sync = await scene.settle()

    assert sync.summary == Summary()
    assert scene.history("no") == scene.history("ca") == []


async def test_another_purpose(scene: Scene) -> None:
    """What is said about something else is no reason to look at anything."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.client.give("account:A", "newsletter", NOTICE, channel="panel")
    sync = await scene.settle()

    assert sync.summary == Summary()
