"""What a registry will not do is recorded, tells somebody, and is not asked for again and again."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from consentclient import Action, ContactField, EventKind, ReportOutcome
from registry_sync._summary import Summary
from registry_sync.testing import Fault, Kind
from tests.registry_sync.scene import EMAIL, PERSON, VOICE, Scene, complaints, contact, domain

_REFUSALS = [2304, 2306, 2308]


def _refuses(scene: Scene, code: int, nth: int = 1, name: str = "no") -> None:
    server = scene.registries[name]
    server.faults.add(Fault(Kind.REFUSE, code, nth, command="contact:update"))


@pytest.mark.parametrize("code", _REFUSALS)
async def test_a_wish_that_is_refused(
    scene: Scene, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused wish is recorded as not applied, with the registry's code, and is warned of."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    _refuses(scene, code)
    sync = await scene.settle()
    (event,) = (await scene.log(EventKind.PUBLICATION_REPORTED))[1:]

    assert sync.summary == Summary(refused=1)
    assert event.report is not None
    assert event.report.outcome is ReportOutcome.REFUSED
    assert event.report.code == code
    assert event.report.registry == "Norid"
    assert event.report.resolved_position == event.position - 1
    assert event.subject_id == "account:A"
    assert complaints(caplog) == [
        (
            logging.WARNING,
            f"not applied: showing was refused by no with {code}, "
            f"resolved at position {event.position - 1}",
        )
    ]


async def test_a_withdrawal_that_is_refused(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A refused withdrawal is an error: somebody is shown who does not want to be."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    _refuses(scene, 2304)
    await scene.settle()

    assert [level for level, _ in complaints(caplog)] == [logging.ERROR]
    assert "hiding was refused by no with 2304" in caplog.text
    assert scene.seen()["no", "A"] == {"email"}


async def test_a_refusal_is_not_repeated(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What was refused is not sent again while nobody says anything, but logged."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    _refuses(scene, 2308)
    await scene.settle()
    scene.registries["no"].received.clear()
    caplog.clear()
    async with scene.job() as again:
        again.take_everything()
        await again.follow(await scene.head())

    assert [level for level, _ in complaints(caplog)] == [logging.ERROR]
    assert again.summary == Summary(refused=1)
    assert scene.registries["no"].received == []
    assert len(await scene.reports()) == 2


async def test_a_refused_withdrawal_is_said_again(scene: Scene) -> None:
    """What is said again after a refusal is tried again: it stayed public, without a word."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    _refuses(scene, 2304)
    await scene.settle()
    await scene.say(Action.REFUSE, "account:A", EMAIL)
    again = await scene.settle()

    assert again.summary == Summary(hidden=1)
    assert scene.seen()["no", "A"] == set()


async def test_a_reconciliation_tries_once_more(scene: Scene) -> None:
    """A reconciliation asks once more for what was refused, and succeeds if it may."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    _refuses(scene, 2308)
    await scene.settle()
    _refuses(scene, 2308)
    still = await scene.reconcile()
    then = await scene.reconcile()

    assert still.summary == Summary(refused=1)
    assert then.summary == Summary(shown=1)
    assert scene.seen()["no", "A"] == {"email"}
    assert [one.outcome for one in (await scene.reports())[1:]] == [
        ReportOutcome.REFUSED,
        ReportOutcome.REFUSED,
        ReportOutcome.APPLIED,
    ]


async def test_another_wish(scene: Scene) -> None:
    """Another wish is sent, and so is the first one again after it."""
    await scene.has(contact("A"), domain("a.no", "A"))
    server = scene.registries["no"]
    await scene.settle()
    server.registry.policy = replace(server.registry.policy, protected=frozenset({"name"}))
    await scene.give("account:A", EMAIL)
    refused = await scene.settle()
    # A showing registry is told what it must hide, so name is listed unless it may be shown.
    await scene.give("account:A", frozenset({ContactField.NAME}))
    shown = await scene.settle()
    await scene.withdraw("account:A", frozenset({ContactField.NAME}))
    again = await scene.settle()

    assert refused.summary == Summary(refused=1)
    assert shown.summary == Summary(shown=1)
    assert again.summary == Summary(refused=1)


async def test_back_and_forth(scene: Scene) -> None:
    """A refused wish that was taken back and comes again is sent again."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.settle()
    await scene.give("account:A", EMAIL)
    _refuses(scene, 2306)
    await scene.settle()
    await scene.withdraw("account:A", EMAIL)
    taken_back = await scene.settle()
    await scene.give("account:A", EMAIL)
    again = await scene.settle()

    assert taken_back.summary == Summary(unchanged=1)
    assert again.summary == Summary(shown=1)
    assert scene.seen()["no", "A"] == {"email"}


async def test_others_go_on(scene: Scene) -> None:
    """What is refused of one contact holds up no other."""
    people = ["A", "B", "C"]
    await scene.has(*map(contact, people), *(domain(f"{one}.no", one) for one in people))
    await scene.settle()
    for one in people:
        await scene.give(f"account:{one}", EMAIL)
    _refuses(scene, 2308, nth=2)
    sync = await scene.settle()

    assert sync.summary == Summary(shown=2, refused=1)
    assert sorted(map(len, scene.seen().values())) == [0, 1, 1]


async def test_values_that_are_refused(scene: Scene) -> None:
    """New values that the registry will not take hide what they must, and show nothing."""
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    await scene.settle()
    scene.changes("A", values={**PERSON, "phone": "+33.1"})
    await scene.withdraw("account:A", EMAIL)
    await scene.give("account:A", VOICE)
    _refuses(scene, 2306, nth=2)
    refused = await scene.settle()
    hidden = scene.seen()
    await scene.reconcile()

    assert refused.summary == Summary(hidden=1, refused=1)
    assert hidden["no", "A"] == set()
    assert scene.seen()["no", "A"] == {"voice"}


async def test_values_that_cannot_be_written(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """An address that no command can hold is refused without being sent, and ends nothing."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.no", "B"))
    await scene.settle()
    scene.changes("A", values={"name": "Camille Durand", "street": "1 rue de l'Exemple"})
    await scene.give("account:B", EMAIL)
    sync = await scene.reconcile()
    report = (await scene.reports())[-1]

    assert sync.summary == Summary(shown=1, refused=1)
    assert "with nothing that it could be told" in caplog.text
    assert "Exemple" not in caplog.text
    assert {(one.outcome, one.code) for one in (await scene.reports())[2:]} == {
        (ReportOutcome.APPLIED, None),
        (ReportOutcome.REFUSED, None),
    }
    assert report.code is None


_SWITCHES: list[tuple[str, str, str]] = [
    ("afnic", "a.fr", "contact:update"),
    ("ca", "a.ca", "domain:update"),
]


@pytest.mark.parametrize(("name", "at", "command"), _SWITCHES, ids=["fr", "ca"])
async def test_a_refusal_that_may_be_our_own_doing(
    scene: Scene, name: str, at: str, command: str
) -> None:
    """An addition whose answer was lost is sent again; refused then, it is not taken for done."""
    await scene.has(contact("A"), domain(at, "A"))
    faults: Any = scene.registries[name].faults
    faults.add(Fault(Kind.DROP_AFTER, command=command))
    faults.add(Fault(Kind.REFUSE, 2302, command=command))
    refused = await scene.settle()
    reports = await scene.reports()
    reconciled = await scene.reconcile()

    assert refused.summary == Summary(refused=1)
    assert [(one.outcome, one.code) for one in reports] == [(ReportOutcome.REFUSED, 2302)]
    assert reconciled.summary == Summary(hidden=1)
    assert scene.seen() == await scene.wanted()


async def test_facts_that_the_service_refuses(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A question that cannot be answered is told as such, and leaves the others alone."""
    await scene.has(
        contact("A", account="x" * 500), domain("a.no", "A"), contact("B"), domain("b.no", "B")
    )
    sync = await scene.settle()

    assert sync.summary == Summary(hidden=1, unresolved=1)
    assert [level for level, _ in complaints(caplog)] == [logging.ERROR]
    assert "not resolved" in caplog.text
    assert "xxx" not in caplog.text
    assert scene.seen()["no", "B"] == set()
