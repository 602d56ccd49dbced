"""Request ids: a repeat gets the first answer, whatever happened since."""

from collections.abc import Callable, Sequence

import pytest

from consentsvc.domain.errors import RequestIdReused
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import EventStore, Request, Transaction
from consentsvc.service.requests import UNCHANGED, Effect, Outcome, Written, once, repeatable
from tests.storage.making import ANNA, given, record, request
from tests.support.catalogues import NEWSLETTER, PROFILING

Way = Callable[[Transaction, Request, SubjectId, Callable[[], Sequence[Outcome]]], Written]

OUTCOMES = [
    Outcome(Effect.RECORDED, NEWSLETTER, Position(1)),
    UNCHANGED,
    UNCHANGED._replace(purpose=PROFILING),
    Outcome(Effect.AWAITING_CONFIRMATION, PROFILING, Position(2), Instant(5_000_000)),
]


class Failed(Exception):
    """What the work raises here."""


async def ask(
    store: EventStore,
    asked: Request,
    outcomes: Sequence[Outcome] | None = None,
    way: Way = once,
) -> Written:
    """Appends an event and answers with the outcomes; without any, fails after the event."""

    def work(transaction: Transaction) -> Written:
        def answer() -> Sequence[Outcome]:
            transaction.append(given())
            if outcomes is None:
                raise Failed
            return outcomes

        return way(transaction, asked, ANNA, answer)

    return await store.write(work, {ANNA})


async def test_first(store: EventStore) -> None:
    """The first time the work is done, and the answer tells where the log then stands."""
    await record(store, given())

    assert await ask(store, request(), OUTCOMES) == Written(OUTCOMES, Position(2))
    assert await store.head() == 2


async def test_repeat(store: EventStore) -> None:
    """A repeat gets the first answer, every part of it, and nothing is done or recorded."""
    first = await ask(store, request(), OUTCOMES)
    await record(store, given())
    repeated = await ask(store, request(), [UNCHANGED])

    assert repeated == first
    assert [one.effect for one in repeated.outcomes] == [one.effect for one in OUTCOMES]
    assert await store.head() == 2


async def test_no_outcomes(store: EventStore) -> None:
    """An answer without outcomes is an answer: its request is not carried out again."""
    first = await ask(store, request(), [])

    assert await ask(store, request(), OUTCOMES) == first == Written([], Position(1))


async def test_other_content(store: EventStore) -> None:
    """The same id with other content is refused, records nothing, and keeps the first answer."""
    first = await ask(store, request(), OUTCOMES)
    with pytest.raises(RequestIdReused):
        await ask(store, request(content=b"other"), OUTCOMES)

    assert await store.head() == 1
    assert await ask(store, request(), OUTCOMES) == first


async def test_other_caller(store: EventStore) -> None:
    """The same id of another caller is another request."""
    await ask(store, request(), OUTCOMES)
    other = await ask(store, request(caller="shop", content=b"other"), [UNCHANGED])

    assert other == Written([UNCHANGED], Position(2))


@pytest.mark.parametrize("way", [once, repeatable])
async def test_failed(store: EventStore, way: Way) -> None:
    """Work that fails leaves neither event nor answer: its request can be sent again."""
    with pytest.raises(Failed):
        await ask(store, request(), None, way)

    assert await store.head() == 0
    assert await ask(store, request(content=b"other"), OUTCOMES, way) == Written(
        OUTCOMES, Position(1)
    )


async def test_repeatable(store: EventStore) -> None:
    """Work that may be repeated is done each time, with the answer of that time."""
    first = await ask(store, request(), [OUTCOMES[0]], repeatable)
    again = await ask(store, request(), [UNCHANGED], repeatable)

    assert (first, again) == (
        Written([OUTCOMES[0]], Position(1)),
        Written([UNCHANGED], Position(2)),
    )


async def test_twice_in_one_transaction(store: EventStore) -> None:
    """A repeat is recognised before the first one is committed."""

    def work(transaction: Transaction) -> list[Written]:
        return [
            once(transaction, request(), ANNA, lambda: [OUTCOMES[0]]),
            once(transaction, request(), ANNA, lambda: [UNCHANGED]),
        ]

    first, repeated = await store.write(work, {ANNA})

    assert first == repeated == Written([OUTCOMES[0]], Position(0))
