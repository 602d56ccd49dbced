"""The text of a notice, whenever it was shown."""

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import catalogues
from tests.support.answers import ref
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, serving


async def _notice(wire: Wire, purpose: str, version: str, locale: str = "en") -> object:
    asked = consents.GetNoticeRequest(purpose_id=purpose, version=version, locale=locale)
    return (await wire.consents.GetNotice(asked)).notice


async def test_a_notice_is_told_whole(wire: Wire) -> None:
    """Name, hash, title and text are those that were published."""
    told = await wire.consents.GetNotice(
        consents.GetNoticeRequest(purpose_id="newsletter", version="1", locale="en")
    )

    assert told.notice.ref == ref("newsletter")
    assert (told.notice.title, told.notice.text) == ("newsletter 1 en", "Text.")


async def test_what_has_left_the_catalogue(sqlite_store: EventStore, clock: FakeClock) -> None:
    """A purpose that is gone has had its texts; they are proof of what was agreed to."""
    whole = catalogues.catalogue()
    async with serving(sqlite_store, whole, clock) as wire:
        before = await _notice(wire, "newsletter", "1")
    kept = {name: one for name, one in whole.purposes.items() if name != catalogues.NEWSLETTER}
    async with serving(sqlite_store, Catalogue(kept), clock) as wire:
        after = await _notice(wire, "newsletter", "1")
        never = consents.GetNoticeRequest(purpose_id="newsletter", version="1", locale="de")
        refusal = await refused(wire.consents.GetNotice(never))

    assert after == before
    assert (refusal.code.name, refusal.reason) == ("NOT_FOUND", "NOTICE_NOT_PUBLISHED")
