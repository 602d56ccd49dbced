"""Notices in the log."""

from dataclasses import replace

import pytest

from consentsvc.domain.catalogue import Catalogue, Notice
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.service.notices import NoticesChanged, publish
from consentsvc.service.ports import EventStore
from tests.storage.making import everything
from tests.support.catalogues import NEWSLETTER, PROFILING, catalogue, purpose, version
from tests.support.clock import START, FakeClock

FIRST = catalogue()


async def test_publishes_all(store: EventStore, clock: FakeClock) -> None:
    """On a new log every notice is published, with its text, its hash and the time."""
    number = await publish(store, FIRST)
    published = await store.published()

    assert number == len(published) == 8
    assert {
        (one.purpose, *one.notice, one.title, one.text, one.recorded_at) for one in published
    } == {
        (one.purpose, one.version, one.locale, one.sha256, one.title, one.text, clock.now)
        for purpose in FIRST.purposes.values()
        for one in purpose.current.notices.values()
    }


async def test_once(store: EventStore) -> None:
    """A notice is published once, however often the server starts; a start writes nothing more."""
    await publish(store, FIRST)
    again = [await publish(store, FIRST), await publish(store, catalogue())]

    assert again == [0, 0]
    assert await store.head() == 8


async def test_new_version(store: EventStore, clock: FakeClock) -> None:
    """A new version is published behind what there is, at the time of that start."""
    await publish(store, FIRST)
    clock.set(START.replace(year=2027))
    versions = (version(NEWSLETTER, "1"), version(NEWSLETTER, "2", text="New."))
    number = await publish(store, catalogue(purpose(NEWSLETTER, versions=versions)))
    new = (await store.published())[8:]

    assert number == len(new) == 2
    assert {(one.notice.version, one.notice.locale) for one in new} == {("2", "en"), ("2", "fr")}
    assert {(one.text, one.recorded_at) for one in new} == {("New.", clock.now)}
    assert [one.position for one in new] == [9, 10]


async def test_events(store: EventStore) -> None:
    """A publication is an event of its purpose that belongs to nobody."""
    await publish(store, catalogue())
    events = await everything(store)
    refs = [(one.position, one.notice) for one in await store.published()]

    assert {(one.kind, one.personal, one.pseudonym) for one in events} == {
        (EventKind.NOTICE_PUBLISHED, None, None)
    }
    assert [(one.position, one.notice) for one in events] == refs


async def test_changed(store: EventStore) -> None:
    """A start with other texts for published notices names all of them and publishes nothing."""
    await publish(store, FIRST)
    old = FIRST.purposes[PROFILING].current
    retitled = replace(
        old, notices={**old.notices, "en": replace(old.notices["en"], title="Other")}
    )
    changed = catalogue(
        purpose(NEWSLETTER, versions=(version(NEWSLETTER, "1", text="Other."),)),
        purpose(PROFILING, versions=(version(PROFILING, "0"), retitled)),
    )
    with pytest.raises(NoticesChanged) as refused:
        await publish(store, changed)

    assert sorted(refused.value.names) == ["newsletter 1 en", "newsletter 1 fr", "profiling 1 en"]
    assert all(name in str(refused.value) for name in refused.value.names)
    assert await store.head() == 8


async def test_gone_and_returned(store: EventStore) -> None:
    """A purpose that leaves the catalogue and returns with another text is found out."""
    other = catalogue(purpose(PROFILING, versions=(version(PROFILING, "1", text="Other."),)))
    await publish(store, FIRST)
    await publish(store, Catalogue({NEWSLETTER: FIRST.purposes[NEWSLETTER]}))
    with pytest.raises(NoticesChanged):
        await publish(store, other)

    assert await publish(store, FIRST) == 0


async def test_locale_added(store: EventStore) -> None:
    """A locale that is added to a published version is published; the others stay."""
    old = version(NEWSLETTER, "1")
    german = Notice(NEWSLETTER, "1", "de", "Titel", "Text.")
    await publish(store, FIRST)
    more = replace(old, notices={**old.notices, "de": german})
    number = await publish(store, catalogue(purpose(NEWSLETTER, versions=(more,))))

    assert number == 1
    assert (await store.published())[-1].notice == NoticeRef("1", "de", german.sha256)
