"""Jobs that run by themselves, and what they must not touch."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.decision import decide
from consentsvc.domain.events import Withheld
from consentsvc.domain.identifiers import Position, PurposeId
from consentsvc.domain.instants import Instant
from consentsvc.domain.receipts import Receipt
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.erasures import Erasures
from consentsvc.service.expiry import Sweeper
from consentsvc.service.notices import publish
from consentsvc.service.ports import Question
from consentsvc.service.receipts import Receipts
from consentsvc.service.retention import Retention
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from consentsvc.storage.verify import verify
from tests.storage.making import ANNA, BEN, a_life, everything, given, record, withdrawn
from tests.storage.test_erased import traces, wrapped_key
from tests.support import catalogues
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, purpose
from tests.support.clock import FakeClock

YEARS = timedelta(days=800)


@pytest.fixture
def catalogue() -> Catalogue:
    """Of every purpose what decides no more is kept for a month."""
    return catalogues.catalogue(
        purpose(NEWSLETTER, retention_months=1),
        purpose(PROFILING, months=1, retention_months=1),
        purpose(STATISTICS, retention_months=1),
    )


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteEventStore]:
    async with open_sqlite(tmp_path / "log.db", clock=clock) as store:
        yield store


async def every_job(store: SqliteEventStore, catalogue: Catalogue, clock: FakeClock) -> None:
    """What a server does by itself."""
    await Sweeper(store, catalogue, clock).sweep()
    await Erasures(store, catalogue, clock, (), timedelta(0)).sweep()
    await Retention(store, catalogue, clock).sweep()


async def test_an_old_consent_and_its_proof_stay(
    store: SqliteEventStore, catalogue: Catalogue, clock: FakeClock, tmp_path: Path
) -> None:
    """A consent of years ago, and its receipt, survive all that runs by itself."""
    await publish(store, catalogue)
    notice = (await store.published())[0].notice
    yes = given(ANNA)
    position = await store.write(
        lambda one: one.append(yes.__class__(yes.kind, yes.purpose, yes.personal, notice)), {ANNA}
    )
    checkpoints = Checkpoints(store, Signer("log.example/1", store.secret("checkpoint")))
    await checkpoints.sign()
    receipts = Receipts(store, catalogue, checkpoints)
    before = str((await receipts.issue(ANNA, position)).receipt)
    for _ in range(3):
        clock.advance(YEARS)
        await every_job(store, catalogue, clock)
    after = str((await receipts.issue(ANNA, position)).receipt)
    ((answer,),) = (await store.records([Question(NEWSLETTER, [ANNA])])).answers
    decision = decide(catalogue.purposes[NEWSLETTER], answer.consent, answer.standing, clock())
    proven = Receipt.parse(after).check(Verifier.parse(checkpoints.verifier_key))

    assert after == before
    assert decision.permitted
    assert proven.event.personal is not None
    assert proven.event.personal.subject == ANNA
    assert verify(tmp_path / "log.db").problems == ()


async def test_what_is_over_goes_at_its_time(
    store: SqliteEventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A month of the calendar after its end, by purpose; without a time of retention, never."""
    unkept = catalogues.RESELLER_NEWSLETTER
    await record(store, given(ANNA), withdrawn(ANNA), given(BEN, unkept), withdrawn(BEN, unkept))
    retention = Retention(store, catalogue, clock)
    clock.advance(timedelta(days=27))
    early = await retention.sweep()
    clock.advance(timedelta(days=5))
    late = await retention.sweep()
    withheld = [one.withheld for one in await everything(store)]

    assert (early, late) == (0, 1)
    assert withheld == [Withheld.RETENTION, None, None, None]


async def test_not_a_byte_is_left(
    store: SqliteEventStore, catalogue: Catalogue, clock: FakeClock, tmp_path: Path
) -> None:
    """What was emptied is in no file, not even sealed; the person's key stays for the rest."""
    await record(store, given(ANNA), withdrawn(ANNA))
    sealed = (await _sealed(tmp_path / "log.db"))[0]
    clock.advance(YEARS)
    there = traces(tmp_path, [sealed])
    await Retention(store, catalogue, clock).sweep()

    assert there
    assert traces(tmp_path, [sealed]) == []
    assert wrapped_key(tmp_path / "log.db", ANNA)


async def _sealed(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT sealed FROM personal_part")]


@pytest.mark.parametrize("seed", range(4))
async def test_the_store_is_in_order_afterwards(
    tmp_path: Path, catalogue: Catalogue, clock: FakeClock, seed: int
) -> None:
    """After any life, also one with scopes, verify finds nothing wrong with what is left."""
    path = tmp_path / "log.db"
    async with open_sqlite(path, clock=clock) as store:
        await a_life(store, clock, seed=seed, requests=80)
        emptied = 0
        for one in ("newsletter", "profiling", "statistics", "publication"):
            last = None
            while True:
                last, number = await store.empty_ended(PurposeId(one), Instant(2**60), last, 3)
                emptied += number
                if last is None:
                    break
        states = [(await store.subject_record(ANNA)), await store.head()]
    report = verify(path)

    assert emptied > 10
    assert states
    assert report.problems == ()


async def test_proofs_that_are_over_go(
    store: SqliteEventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """What was kept of somebody who was erased is forgotten with the rest, at its time."""
    await record(store, given(ANNA))
    until = {NEWSLETTER: Instant(clock() + 1)}
    await store.write(lambda one: one.erase(ANNA, until), {ANNA})
    await store.finish_erasures()
    before = await store.kept_proofs(ANNA)
    clock.advance(YEARS)
    await every_job(store, catalogue, clock)

    assert [one.positions for one in before] == [(Position(1),)]
    assert await store.kept_proofs(ANNA) == []
