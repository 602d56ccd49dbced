"""What a person wants to become of their data after their death, and what becomes of it."""

from datetime import timedelta
from typing import Any

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.instants import add
from consentsvc.service.erasures import Erasures
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.acts import SUBJECT, stamp
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change

RECORDED, UNCHANGED = consents.CHANGE_EFFECT_RECORDED, consents.CHANGE_EFFECT_UNCHANGED
YEAR = timedelta(days=365)


@pytest.fixture
def erasures(sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock) -> Erasures:
    """The job that carries them out, for when a test says so."""
    return Erasures(sqlite_store, catalogue, clock, (), timedelta(0))


async def is_known(wire: Wire, subject: str) -> bool:
    return bool(await acts.history(wire, subject))


async def test_erase(wire: Wire, erasures: Erasures) -> None:
    """Whoever wanted to be forgotten is, with the report of their death, and stays deceased."""
    await wire.update("anna", change("give", "newsletter"))
    await acts.direct(wire, "anna", erase=True, actor=SUBJECT)
    before = (await wire.check("anna", "newsletter")).decision
    died = await acts.report_death(wire, "anna")
    await erasures.sweep()
    after = (await wire.check("anna", "newsletter")).decision
    again = await acts.report_death(wire, "anna", request_id="again")

    assert before.answer == shared.ANSWER_PERMITTED
    assert died.HasField("erase_time")
    assert not await is_known(wire, "anna") or again.effect == UNCHANGED
    assert (after.answer, after.reason) == (
        shared.ANSWER_NOT_PERMITTED, shared.DECISION_REASON_DECEASED,
    )  # fmt: skip
    assert acts.kinds(await acts.log(wire)).count("SUBJECT_ERASED") == 1
    assert again.effect == UNCHANGED


async def test_keep(wire: Wire, erasures: Erasures, clock: FakeClock) -> None:
    """What was to be kept is kept until that day, and no longer."""
    until = stamp(add(clock(), YEAR))
    await wire.update("anna", change("give", "newsletter"))
    await acts.direct(wire, "anna", keep_until_time=until)
    died = await acts.report_death(wire, "anna")
    clock.advance(YEAR - timedelta(seconds=1))
    await erasures.sweep()
    kept = await is_known(wire, "anna")
    reason = (await wire.check("anna", "newsletter")).decision.reason
    clock.advance(timedelta(seconds=1))
    await erasures.sweep()

    assert died.erase_time == until
    assert kept
    assert reason == shared.DECISION_REASON_DECEASED
    assert not await is_known(wire, "anna")
    assert (await wire.check("anna", "newsletter")).decision.reason == reason


async def test_a_day_that_has_passed_by_then(
    wire: Wire, erasures: Erasures, clock: FakeClock
) -> None:
    """Whoever dies after the day until which they wanted all to be kept is forgotten at once."""
    await acts.direct(wire, "anna", keep_until_time=stamp(add(clock(), YEAR)))
    clock.advance(2 * YEAR)
    died = await acts.report_death(wire, "anna")
    await erasures.sweep()

    assert died.erase_time == stamp(clock())
    assert not await is_known(wire, "anna")


@pytest.mark.parametrize("taken_back", [False, True])
async def test_none(wire: Wire, erasures: Erasures, clock: FakeClock, *, taken_back: bool) -> None:
    """Without directions, or with none any more, everything is kept."""
    await wire.update("anna", change("give", "newsletter"))
    if taken_back:
        await acts.direct(wire, "anna", erase=True)
        await acts.direct(wire, "anna", none=True)
    died = await acts.report_death(wire, "anna")
    clock.advance(50 * YEAR)
    await erasures.sweep()

    assert not died.HasField("erase_time")
    assert await is_known(wire, "anna")


async def test_the_last_word(wire: Wire, clock: FakeClock) -> None:
    """Each new word is recorded, the same one again is not, and all are in the history."""
    until = stamp(add(clock(), YEAR))
    wishes: list[dict[str, Any]] = [
        {"none": True}, {"erase": True}, {"erase": True}, {"keep_until_time": until},
        {"keep_until_time": until}, {"none": True},
    ]  # fmt: skip
    effects = [(await acts.direct(wire, "anna", **one)).effect for one in wishes]
    history = await acts.history(wire, "anna")
    log = (await acts.log(wire))[-3:]

    assert effects == [UNCHANGED, RECORDED, UNCHANGED, RECORDED, UNCHANGED, RECORDED]
    assert [one.directions for one in history] == [
        shared.Directions(erase=True),
        shared.Directions(keep_until_time=until),
        shared.Directions(none=True),
    ]
    assert acts.kinds(log) == ["DIRECTIONS_RECORDED"] * 3
    assert not any(one.HasField("directions") for one in log)


async def test_not_after_a_death(wire: Wire) -> None:
    """Nobody directs anything for somebody who has died."""
    await acts.report_death(wire, "anna")
    refusal = await refused(acts.direct(wire, "anna", erase=True))

    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "SUBJECT_DECEASED")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "directions"),
        ({"erase": False}, "directions.erase"),
        ({"none": False}, "directions.none"),
        ({"keep_until_time": stamp(0)}, "directions.keep_until_time"),
        ({"keep_until_time": stamp(1_000_000_000_000)}, "directions.keep_until_time"),
    ],
)
async def test_what_is_no_wish(wire: Wire, wish: dict[str, Any], field: str) -> None:
    """Directions that say nothing, or keep something until a day in the past, are refused."""
    refusal = await refused(acts.direct(wire, "anna", **wish))

    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", (field,))


async def test_forgotten_before_that_day(wire: Wire, clock: FakeClock) -> None:
    """Somebody who is to be kept can be forgotten earlier all the same, by who answers for it."""
    await acts.direct(wire, "anna", keep_until_time=stamp(add(clock(), YEAR)))
    await acts.report_death(wire, "anna")
    erased = await acts.erase(wire, "anna")

    assert erased.effect == RECORDED
    assert not await is_known(wire, "anna")
