"""Trying again: what for, how often, how long."""

import asyncio
from typing import Any

import pytest

from consentclient import (
    AsyncConsentClient,
    ConsentUnavailable,
    DeadlineExceeded,
    NoticeRef,
    Retry,
    UnknownPurpose,
)
from tests.consentclient.both import opened
from tests.consentclient.servers import HeldStore, Service, Sleeps, relayed
from tests.support.catalogues import NEWSLETTER


def _full(**options: Any) -> Retry:
    """A policy that always waits for as long as it may."""
    return Retry(jitter=lambda: 1.0, **options)


async def test_unavailable_is_tried_again(service: Service, kind: str) -> None:
    """A call that meets UNAVAILABLE is made again until it is answered."""
    sleeps = Sleeps()
    async with (
        relayed(service.target) as (relay, target),
        opened(kind, target, retry=_full(sleep=sleeps)) as client,
    ):
        relay.unavailable_before.extend([True, True, True])
        decision = await client.check("ann", NEWSLETTER)

    assert not decision.permitted
    assert sleeps.delays == [0.05, 0.1, 0.2]
    assert len(relay.requests) == 4


async def test_attempts_are_counted(service: Service, kind: str) -> None:
    """After the last attempt the caller is told that it could not be found out."""
    sleeps = Sleeps()
    async with (
        relayed(service.target) as (relay, target),
        opened(kind, target, retry=_full(attempts=3, sleep=sleeps)) as client,
    ):
        relay.unavailable_before.extend([True] * 10)
        with pytest.raises(ConsentUnavailable, match="not now"):
            await client.check("ann", NEWSLETTER)

    assert len(relay.requests) == 3
    assert len(sleeps.delays) == 2


async def test_what_is_wrong_is_not_tried_again(service: Service, kind: str) -> None:
    """A request that is refused for what it says is made once."""
    async with (
        relayed(service.target) as (relay, target),
        opened(kind, target, retry=Retry(sleep=_never)) as client,
    ):
        with pytest.raises(UnknownPurpose):
            await client.check("ann", "nothing")

    assert len(relay.requests) == 1


async def test_repeated_change_is_recorded_once(
    service: Service, notice: NoticeRef, kind: str
) -> None:
    """A change whose answer was lost is sent again under its id, and there is one event."""
    async with (
        relayed(service.target) as (relay, target),
        opened(kind, target, retry=Retry(sleep=Sleeps())) as client,
    ):
        relay.unavailable_after.extend([True, True])
        updated = await client.give("ann", NEWSLETTER, notice, channel="panel")
        relay.unavailable_after.clear()
        events = [event async for event in client.history("ann")]

    assert relay.requests[0] == relay.requests[1] == relay.requests[2]
    assert [event.position for event in events] == [updated.outcomes[0].position]


async def test_each_call_has_an_id_of_its_own(client: AsyncConsentClient) -> None:
    """Two equal calls are two requests."""
    first = await client.raise_objection("ann", NEWSLETTER, channel="panel")
    await client.withdraw_objection("ann", NEWSLETTER, channel="panel")
    second = await client.raise_objection("ann", NEWSLETTER, channel="panel")

    assert first.outcomes[0].position != second.outcomes[0].position


async def test_no_attempt_past_the_deadline(service: Service, kind: str) -> None:
    """Where the next delay would end past the deadline, the error is told at once."""
    retry = _full(first_delay=10.0, largest_delay=10.0, sleep=_never)
    async with (
        relayed(service.target) as (relay, target),
        opened(kind, target, retry=retry, timeout=9.0) as client,
    ):
        relay.unavailable_before.append(True)
        with pytest.raises(ConsentUnavailable):
            await client.check("ann", NEWSLETTER)

    assert len(relay.requests) == 1


async def test_deadline_of_a_call(service: Service, store: HeldStore, kind: str) -> None:
    """A call that is not answered in its time ends with DeadlineExceeded, and is not repeated."""
    store.held = True
    async with opened(kind, service.target, retry=Retry(sleep=_never)) as client:
        with pytest.raises(DeadlineExceeded):
            await client.check("ann", NEWSLETTER, timeout=0.05)


async def test_deadline_of_the_client(service: Service, store: HeldStore, kind: str) -> None:
    """A call without a deadline of its own has the client's."""
    store.held = True
    async with opened(kind, service.target, timeout=0.05) as client:
        with pytest.raises(DeadlineExceeded):
            await client.check_many([("ann", NEWSLETTER)])


async def test_server_stops_and_starts_again(service: Service, store: HeldStore) -> None:
    """A call under way when the server stops is answered by the one that starts in its place."""

    async def restart() -> None:
        store.held = False
        await service.start_for(client)

    retry = Retry(sleep=Sleeps(restart))
    async with AsyncConsentClient(service.target, retry=retry) as client:
        store.held = True
        call = asyncio.create_task(client.check("ann", NEWSLETTER))
        await store.reached.wait()
        await service.stop()
        decision = await call

    assert not decision.permitted


def test_delays_double_up_to_the_largest() -> None:
    """Delays double from the first to the largest, and jitter takes any part of them."""
    longest = _full(first_delay=0.1, largest_delay=1.0)
    half = Retry(first_delay=0.1, largest_delay=1.0, jitter=lambda: 0.5)

    assert [longest.delay(failed) for failed in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert longest.delay(100_000) == 1.0
    assert half.delay(3) == 0.2


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first_delay": -1.0}, {"first_delay": 3.0, "largest_delay": 2.0}]
)
def test_policies_that_make_no_sense(wrong: dict[str, Any]) -> None:
    """A policy that cannot be followed is refused when it is made."""
    with pytest.raises(ValueError, match="must"):
        Retry(**wrong)


async def _never(delay: float) -> None:
    raise AssertionError(f"waited for {delay} seconds")
