"""What the consent service is told of a domain's contacts: once of each, whatever is lost."""

from typing import Any

import pytest

from consentclient import (
    AsyncConsentClient,
    ConsentUnavailable,
    ContactRole,
    EventKind,
    InvalidRequest,
)
from registry_sync import State
from registry_sync._reports import Reporter
from tests.registry_sync.scene import Scene, contact, domain, write_lines


class _CrashedError(BaseException):
    """The end of a process."""


async def _two_contacts(scene: Scene) -> int:
    """A domain with a switch of its own, that two have just turned on."""
    both = {"registrant": "A", "tech": "B"}
    await scene.has(contact("A"), contact("B"), domain("a.ca", "A", bindings=both))
    await scene.settle()
    told = len(await scene.reports())
    await scene.give("account:A")
    await scene.give("account:B")
    return told


async def _subjects(scene: Scene, told: int) -> list[str | None]:
    events = await scene.log(EventKind.PUBLICATION_REPORTED)
    return [one.subject_id for one in events[told:]]


async def test_a_crash_between_telling_and_noting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told and not noted is told again as it was, and recorded once."""
    told = await _two_contacts(scene)
    reported, left = State.reported, 2

    def crashes(state: State, number: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _CrashedError
        reported(state, number)

    with monkeypatch.context() as patch:
        patch.setattr(State, "reported", crashes)
        with pytest.raises(_CrashedError):
            await scene.settle()
    sync = await scene.settle()

    assert sync.summary.failed == 0
    assert await _subjects(scene, told) == ["account:A", "account:B"]


async def test_an_answer_to_a_report_that_is_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report whose answer was lost does not end the job, though the log has grown by it."""
    told = await _two_contacts(scene)
    report = AsyncConsentClient.report_publication
    lost: list[str] = []

    async def loses(client: Any, subject: str, *given: Any, **options: Any) -> Any:
        answer = await report(client, subject, *given, **options)
        if subject == "account:B" and not lost:
            lost.append(subject)
            raise ConsentUnavailable("lost")
        return answer

    monkeypatch.setattr(AsyncConsentClient, "report_publication", loses)
    sync = await scene.settle()

    assert lost == ["account:B"]
    assert sync.summary.failed == 0
    assert await _subjects(scene, told) == ["account:A", "account:B"]


async def test_a_report_that_cannot_be_resolved(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not told of a contact is counted and said, without a word about them."""
    told = await _two_contacts(scene)
    resolve_many = AsyncConsentClient.resolve_many

    async def refuses(client: Any, questions: Any) -> Any:
        answers = await resolve_many(client, questions)
        of_tech = [one.role is ContactRole.TECH for one in questions]
        return [
            InvalidRequest("no", "INVALID_REQUEST") if tech else one
            for one, tech in zip(answers, of_tech, strict=True)
        ]

    monkeypatch.setattr(AsyncConsentClient, "resolve_many", refuses)
    sync = await scene.settle()

    assert sync.summary.unresolved == 1
    assert await _subjects(scene, told) == ["account:A"]
    assert "a report was not resolved: INVALID_REQUEST" in caplog.text


async def _ends_before_telling(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry has been told, and of the second contact the service has not."""

    async def crashes(*_: object) -> None:
        raise _CrashedError

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "_completed", crashes)
        with pytest.raises(_CrashedError):
            await scene.settle()


async def test_a_report_of_a_contact_that_was_replaced(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a contact that is not in its position any more, nothing is told, though all is shown."""
    told = await _two_contacts(scene)
    await scene.give("account:C")
    await _ends_before_telling(scene, monkeypatch)
    bindings = {"registrant": "A", "tech": "C"}
    people = map(contact, "ABC")
    write_lines(scene.directory_file, [*people, domain("a.ca", "A", bindings=bindings)])
    sync = await scene.settle()

    assert sync.summary.failed == 0
    assert await _subjects(scene, told) == ["account:A"]


async def test_a_report_of_what_does_not_stand_any_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the switch is to be turned again, each is told of that one, and not twice."""
    told = await _two_contacts(scene)
    await _ends_before_telling(scene, monkeypatch)
    await scene.withdraw("account:B")
    await scene.settle()

    assert await _subjects(scene, told) == ["account:A", "account:A", "account:B"]
    assert (await scene.reports())[-1].published_fields == frozenset()
