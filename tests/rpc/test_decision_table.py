"""Every row of the decision table, through the wire, in every way that there is to ask."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.instants import Instant
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_pb2 as shared
from tests.support import acts, catalogues
from tests.support.answers import answers, answers_as_of, checked, ref
from tests.support.clock import FakeClock
from tests.support.wire import Wire, change, serving

SUBJECT = "customer:8213"
ASKS_AGAIN = catalogues.catalogue(
    catalogues.purpose(
        catalogues.NEWSLETTER,
        versions=(
            catalogues.version(catalogues.NEWSLETTER, "1"),
            catalogues.version(catalogues.NEWSLETTER, "2", asks_again=True, text="More."),
        ),
    )
)


class Stage:
    """A server that can be restarted on its store, with another catalogue."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.wire: Wire
        self._url = f"sqlite:///{folder}/log.db"
        self._stack = AsyncExitStack()
        self._ids = count(1)  # the caller goes on counting

    async def start(self, catalogue: Catalogue) -> None:
        await self._stack.aclose()
        store = await self._stack.enter_async_context(open_store(self._url, clock=self.clock))
        self.wire = await self._stack.enter_async_context(serving(store, catalogue, self.clock))
        self.wire._ids = self._ids

    async def stop(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def stage(tmp_path: Path, clock: FakeClock, catalogue: Catalogue) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, clock)
    await stage.start(catalogue)
    yield stage
    await stage.stop()


Step = Callable[[Stage, str], Awaitable[Any]]


def does(action: str, actor: shared.Actor = acts.SUBJECT) -> Step:
    async def step(stage: Stage, purpose: str) -> None:
        noticed = action in {"give", "refuse", "request"}
        changed = change(action, purpose, version="1" if noticed else None)
        await stage.wire.update(SUBJECT, changed, actor=actor)

    return step


def waits(days: int) -> Step:
    async def step(stage: Stage, purpose: str) -> None:
        stage.clock.advance(timedelta(days=days))

    return step


async def restricts(stage: Stage, purpose: str) -> None:
    await acts.restrict(stage.wire, SUBJECT)


async def dies(stage: Stage, purpose: str) -> None:
    await acts.report_death(stage.wire, SUBJECT)


async def revokes(stage: Stage, purpose: str) -> None:
    await acts.revoke(stage.wire, SUBJECT, purpose)


async def asks_again(stage: Stage, purpose: str) -> None:
    await stage.start(ASKS_AGAIN)


async def nothing(stage: Stage, purpose: str) -> None:
    """Somebody whom nobody has heard of."""


class Row(NamedTuple):
    """What happened to lead to a reason; the event that decides; and until when it holds."""

    reason: str
    purpose: str
    steps: tuple[Step, ...]
    decided_by: str | None = None
    with_notice: bool = False
    until: datetime | None = None


# The clock starts at 9:00 on 1 March 2026, and goes on by a minute before each step.
ROWS = [
    Row("DECEASED", "newsletter", (does("give"), restricts, dies), "DEATH_REPORTED"),
    Row("RESTRICTED", "statistics", (does("object"), restricts), "PROCESSING_RESTRICTED"),
    Row("OBJECTED", "newsletter", (does("object"), does("give")), "OBJECTION_RAISED"),
    Row("REVOKED", "newsletter", (does("give"), revokes), "CONSENT_REVOKED"),
    Row("WITHDRAWN", "newsletter", (does("give"), does("withdraw")), "CONSENT_WITHDRAWN"),
    Row("REFUSED", "newsletter", (does("refuse"),), "CONSENT_REFUSED", with_notice=True),
    Row(
        "EXPIRED",
        "profiling",
        (does("give"), waits(31)),
        "CONSENT_GIVEN",
        with_notice=True,
    ),
    Row(
        "EXPIRED",
        "reseller42.newsletter",
        (does("refuse"), does("give"), waits(30)),
        "CONSENT_REQUESTED",
        with_notice=True,
    ),
    Row(
        "NOTICE_SUPERSEDED",
        "newsletter",
        (does("give"), asks_again),
        "CONSENT_GIVEN",
        with_notice=True,
    ),
    Row("CONSENT_GIVEN", "newsletter", (does("give"),), "CONSENT_GIVEN", with_notice=True),
    Row(
        "CONSENT_GIVEN",
        "profiling",
        (does("refuse"), does("give")),
        "CONSENT_GIVEN",
        with_notice=True,
        until=datetime(2026, 4, 1, 9, 2, tzinfo=UTC),
    ),
    Row("NOT_OBJECTED", "statistics", (nothing,)),
    Row("NEVER_ASKED", "newsletter", (nothing,)),
    Row(
        "PENDING_CONFIRMATION",
        "reseller42.newsletter",
        (does("withdraw"), does("give")),
        "CONSENT_REQUESTED",
        with_notice=True,
        until=datetime(2026, 3, 31, 9, 2, tzinfo=UTC),
    ),
    Row(
        "PENDING_CONFIRMATION",
        "newsletter",
        (does("give", acts.OPERATOR),),
        "CONSENT_REQUESTED",
        with_notice=True,
        until=datetime(2026, 3, 31, 9, 1, tzinfo=UTC),
    ),
]
PERMITTED = {"CONSENT_GIVEN", "NOT_OBJECTED"}

rows = pytest.mark.parametrize("row", ROWS, ids=[f"{row.reason}-{row.purpose}" for row in ROWS])


async def play(stage: Stage, row: Row) -> list[tuple[int, shared.Decision]]:
    """Goes through the steps of a row, and notes after each the moment and the answer."""
    noted: list[tuple[int, shared.Decision]] = [
        (stage.clock.now, await checked(stage.wire, SUBJECT, row.purpose))
    ]
    for step in row.steps:
        stage.clock.advance(timedelta(minutes=1))
        await step(stage, row.purpose)
        noted.append((stage.clock.now, await checked(stage.wire, SUBJECT, row.purpose)))
    return noted


async def expected(stage: Stage, row: Row) -> shared.Decision:
    """What the row says, with the position of the deciding event looked up in the history."""
    position = None
    if row.decided_by is not None:
        kind = shared.EventKind.Value(f"EVENT_KIND_{row.decided_by}")
        history = await acts.history(stage.wire, SUBJECT)
        position = [event.position for event in history if event.kind == kind][-1]
    decision = shared.Decision(
        answer=(
            shared.ANSWER_PERMITTED if row.reason in PERMITTED else shared.ANSWER_NOT_PERMITTED
        ),
        reason=shared.DecisionReason.Value(f"DECISION_REASON_{row.reason}"),
        position=position,
        notice=ref(row.purpose) if row.with_notice else None,
    )
    if row.until is not None:
        decision.valid_until.FromDatetime(row.until)
    return decision


def test_every_reason_has_a_row() -> None:
    """The table leaves out no reason that the contract names."""
    named = {value.name for value in shared.DecisionReason.DESCRIPTOR.values}

    assert {f"DECISION_REASON_{row.reason}" for row in ROWS} == named - {
        "DECISION_REASON_UNSPECIFIED"
    }


@rows
async def test_all_four_agree(stage: Stage, row: Row) -> None:
    """Check, batch, stream and panel give the one answer of the table, with its justification."""
    await play(stage, row)
    decision = await expected(stage, row)

    assert await answers(stage.wire, SUBJECT, row.purpose) == dict.fromkeys(
        ("CheckConsent", "BatchCheckConsents", "StreamCheckConsents", "ListConsents"), decision
    )


@rows
async def test_as_it_was_then(stage: Stage, row: Row) -> None:
    """Asked for the past, all give the answer that was given at that moment."""
    noted = await play(stage, row)
    # What comes later, and what runs out since, must not show.
    stage.clock.advance(timedelta(days=400))
    await stage.wire.update(SUBJECT, change("withdraw", row.purpose, version=None))
    await acts.report_death(stage.wire, SUBJECT)

    for moment, decision in noted:
        assert await answers_as_of(stage.wire, SUBJECT, row.purpose, moment) == dict.fromkeys(
            ("CheckConsent", "BatchCheckConsents", "StreamCheckConsents"), decision
        )


@rows
async def test_just_before_an_event(stage: Stage, row: Row) -> None:
    """A microsecond before an event was recorded, the answer was still the one before it."""
    start = stage.clock.now
    noted = await play(stage, row)
    stage.clock.advance(timedelta(days=400))
    recorded = {one.recorded_time.ToMicroseconds() for one in await acts.log(stage.wire)}
    recorded.discard(start)  # the first notices
    before = [
        (moment - 1, earlier) for (_, earlier), (moment, _) in pairwise(noted) if moment in recorded
    ]

    for moment, decision in before:
        past = shared.Consistency(as_of_time=acts.stamp(moment))
        assert await checked(stage.wire, SUBJECT, row.purpose, consistency=past) == decision
    assert len(before) == len(recorded)


async def test_before_everything(stage: Stage) -> None:
    """As of a moment before the log began, nothing was known of anybody."""
    await stage.wire.update(SUBJECT, change("give", "newsletter"))
    past = shared.Consistency(as_of_time=acts.stamp(1))
    decision = await checked(stage.wire, SUBJECT, "newsletter", consistency=past)

    assert decision.reason == shared.DECISION_REASON_NEVER_ASKED


async def test_at_the_moment_it_runs_out(stage: Stage) -> None:
    """At `valid_until` the answer is no, EXPIRED, and a microsecond before it was still yes."""
    await stage.wire.update(SUBJECT, change("give", "profiling"))
    given = await checked(stage.wire, SUBJECT, "profiling")
    end = given.valid_until.ToMicroseconds()
    stage.clock.now = Instant(end - 1)
    before = await answers(stage.wire, SUBJECT, "profiling")
    stage.clock.advance(timedelta(microseconds=1))
    after = await answers(stage.wire, SUBJECT, "profiling")

    assert set(map(str, before.values())) == {str(given)}
    assert {one.reason for one in after.values()} == {shared.DECISION_REASON_EXPIRED}
    assert {one.answer for one in after.values()} == {shared.ANSWER_NOT_PERMITTED}
    assert {one.position for one in after.values()} == {given.position}


async def test_runs_out_with_a_request_open(stage: Stage) -> None:
    """At `valid_until` a yes ends in any case; a request that is open then names the reason."""
    await stage.wire.update(SUBJECT, change("give", "profiling"))
    stage.clock.advance(timedelta(days=20))
    await stage.wire.update(SUBJECT, change("request", "profiling"), actor=acts.OPERATOR)
    given = await checked(stage.wire, SUBJECT, "profiling")
    stage.clock.now = Instant(given.valid_until.ToMicroseconds())
    after = await answers(stage.wire, SUBJECT, "profiling")

    assert given.answer == shared.ANSWER_PERMITTED
    assert {one.answer for one in after.values()} == {shared.ANSWER_NOT_PERMITTED}
    assert {one.reason for one in after.values()} == {shared.DECISION_REASON_PENDING_CONFIRMATION}


async def test_notice_is_the_one_that_was_shown(stage: Stage) -> None:
    """A decision names the version and locale that the subject saw, not the current one."""
    await stage.wire.update(SUBJECT, change("give", "newsletter", locale="fr"))
    decision = await checked(stage.wire, SUBJECT, "newsletter")

    assert decision.notice == ref("newsletter", locale="fr")
