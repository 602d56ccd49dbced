"""A subject's history, from either end."""

import pytest

from consentsvc.v1 import consent_service_pb2 as consents
from tests.support.refusals import refused
from tests.support.wire import Wire, change

ANNA = "customer:8213"


async def _history(wire: Wire, **asked: object) -> consents.ListConsentEventsResponse:
    request = consents.ListConsentEventsRequest(subject_id=ANNA, **asked)  # type: ignore[arg-type]
    return await wire.consents.ListConsentEvents(request)


async def _positions(wire: Wire, **asked: object) -> list[int]:
    return [one.position for one in (await _history(wire, **asked)).events]


async def test_newest_first(wire: Wire) -> None:
    """The latest comes first; pages go on to the oldest, and each tells how many there are."""
    for _ in range(5):
        await wire.update(ANNA, change("give", "newsletter"))
    await wire.update("customer:1", change("give", "newsletter"))
    oldest_first = await _positions(wire)
    pages = [await _history(wire, newest_first=True, page_size=2)]
    while token := pages[-1].next_page_token:
        pages.append(await _history(wire, newest_first=True, page_size=2, page_token=token))

    assert [one.position for page in pages for one in page.events] == oldest_first[::-1]
    assert [page.total_size for page in pages] == [5, 5, 5]


async def test_a_page_token_of_the_other_order(wire: Wire) -> None:
    """It is refused: it would lead back over what was read."""
    for _ in range(3):
        await wire.update(ANNA, change("give", "newsletter"))
    for newest_first in (False, True):
        page = await _history(wire, page_size=1, newest_first=newest_first)
        other = _history(wire, page_token=page.next_page_token, newest_first=not newest_first)

        assert (await refused(other)).fields == ("page_token",)


async def test_skipping(wire: Wire) -> None:
    """A page may begin anywhere, also past the end."""
    for _ in range(5):
        await wire.update(ANNA, change("give", "newsletter"))
    every = await _positions(wire)

    assert await _positions(wire, skip=3) == every[3:]
    assert await _positions(wire, skip=1, page_size=2, newest_first=True) == every[::-1][1:3]
    assert await _positions(wire, skip=1_000_000, newest_first=True) == []


@pytest.mark.parametrize("skip", [-1, 1_000_001])
async def test_too_far(wire: Wire, skip: int) -> None:
    """Nobody has as many events as that."""
    assert (await refused(_history(wire, skip=skip))).fields == ("skip",)
