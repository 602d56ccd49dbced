"""The sweeper at the end of a month, where a later consent may run out before an earlier one."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.events import (
    THE_SUBJECT,
    EventKind,
    NewEvent,
    NoticeRef,
    Personal,
)
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.service import expiry, notices
from consentsvc.service.expiry import Sweeper
from consentsvc.service.ports import EventStore, Transaction
from consentsvc.storage.opening import open_store
from tests.support.catalogues import PROFILING
from tests.support.clock import FakeClock


def give(subject: SubjectId, notice: NoticeRef, transaction: Transaction) -> Position:
    personal = Personal(subject, THE_SUBJECT, "panel")
    return transaction.append(NewEvent(EventKind.CONSENT_GIVEN, PROFILING, personal, notice))


async def given(store: EventStore, catalogue: Catalogue, *names: str) -> None:
    shown = catalogue.purposes[PROFILING].current.notices["en"]
    notice = NoticeRef(shown.version, shown.locale, shown.sha256)
    for name in names:
        subject = SubjectId(name)
        await store.write(partial(give, subject, notice), {subject})


@pytest.mark.parametrize("store_of", ["memory:", "sqlite:///{}/log.db"], ids=["memory", "sqlite"])
async def test_later_given_ends_earlier(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, store_of: str
) -> None:
    """Consents that run till this afternoon do not hide one of a later day that ended by now.

    A month after 28 January, 11:00, and a month after 31 January, 10:00, is both 28 February.
    """
    monkeypatch.setattr(expiry, "_AT_ONCE", 2)
    clock = FakeClock(datetime(2026, 1, 28, 11, 0, tzinfo=UTC))
    async with open_store(store_of.format(tmp_path), clock=clock) as store:
        await notices.publish(store, catalogue)
        await given(store, catalogue, "anna", "ben", "carl")
        clock.set(datetime(2026, 1, 31, 10, 0, tzinfo=UTC))
        await given(store, catalogue, "dora", "eve", "frank")
        clock.set(datetime(2026, 2, 28, 10, 30, tzinfo=UTC))
        sweeper = Sweeper(store, catalogue, clock)
        before_noon = await sweeper.sweep()
        clock.set(datetime(2026, 2, 28, 11, 0, tzinfo=UTC))
        afterwards = await sweeper.sweep()

    assert (before_noon, afterwards) == (3, 3)
