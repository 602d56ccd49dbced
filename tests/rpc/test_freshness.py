"""How fresh, or how old, an answer is."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.service.ports import EventStore
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from tests.support import acts
from tests.support.answers import answers, checked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good, put, send
from tests.support.wire import Wire, change, serving

# Every field that takes such a token: the method and the path.
FRESH = [
    ("CheckConsent", "consistency.at_least_as_fresh"),
    ("BatchCheckConsents", "consistency.at_least_as_fresh"),
    ("StreamCheckConsents", "consistency.at_least_as_fresh"),
    ("ListConsents", "at_least_as_fresh"),
    ("ListConsentEvents", "at_least_as_fresh"),
]
PAGES = [
    ("ListConsents", "page_token", Kind.CONSENTS_PAGE),
    ("ListConsentEvents", "page_token", Kind.HISTORY_PAGE),
    ("ListEvents", "page_token", Kind.EVENTS),
    ("WatchEvents", "cursor", Kind.EVENTS),
    ("SyncConsents", "cursor", Kind.STATES),
]

fresh = pytest.mark.parametrize(("method", "path"), FRESH)


def at_least(token: str) -> shared.Consistency:
    return shared.Consistency(at_least_as_fresh=token)


async def every_token(wire: Wire) -> dict[str, str]:
    """A token of every kind that the service hands out."""
    written = await wire.update("anna", change("give", "newsletter"), change("give", "profiling"))
    consents_page = await acts.choices(wire, "anna", page_size=1)
    history_page = await send(wire, good("ListConsentEvents", page_size=1, subject_id="anna"))
    watched = await send(wire, events.WatchEventsRequest(start_position=1))
    call = wire.events.SyncConsents(good("SyncConsents"))
    synced = ""
    async for response in call:
        if response.snapshot_complete:
            synced = response.cursor
            break
    call.cancel()
    return {
        "written_at": written.written_at,
        "consents page": consents_page.next_page_token,
        "history page": history_page.next_page_token,
        "cursor": watched.cursor,
        "sync cursor": synced,
        "confirmation": "AAAA",
        "withdrawal": await acts.withdrawal_token(wire, "anna", "newsletter"),
    }


def tokens_of(store: EventStore) -> Tokens:
    """What makes and opens the tokens of a log."""
    return Tokens(store.store_id, store.secret("tokens"))


@fresh
async def test_read_your_writes(wire: Wire, method: str, path: str) -> None:
    """A read that presents a write's token is answered, at that position or later."""
    written = await wire.update("anna", change("give", "newsletter"))
    request = good(method)
    put(request, path, written.written_at)
    answer = await send(wire, request)

    assert answer.read_at == written.written_at


async def test_withdrawal_is_seen_at_once(wire: Wire) -> None:
    """The very next check after a withdrawal says no, with and without its token."""
    for _ in range(20):
        await wire.update("anna", change("give", "newsletter"))
        assert (await checked(wire, "anna", "newsletter")).answer == shared.ANSWER_PERMITTED
        token = (await wire.update("anna", change("withdraw", "newsletter"))).written_at

        assert {one.reason for one in (await answers(wire, "anna", "newsletter")).values()} == {
            shared.DECISION_REASON_WITHDRAWN
        }
        fresh = await wire.check("anna", "newsletter", consistency=at_least(token))
        assert fresh.decision.reason == shared.DECISION_REASON_WITHDRAWN


async def test_link_is_seen_at_once(wire: Wire) -> None:
    """So it is after one click."""
    await wire.update("anna", change("give", "newsletter"))
    token = await acts.withdrawal_token(wire, "anna", "newsletter")
    written = await acts.redeem(wire, token)
    answer = await wire.check("anna", "newsletter", consistency=at_least(written.written_at))

    assert answer.decision.reason == shared.DECISION_REASON_WITHDRAWN


async def test_every_write_has_a_token(wire: Wire) -> None:
    """Every write returns a token that a read takes, and a read's own is taken as well."""
    asked = await wire.update("anna", change("give", "reseller42.newsletter"))
    tokens = [
        asked.written_at,
        (await acts.confirm(wire, asked.outcomes[0].confirmation_token)).written_at,
        (await acts.restrict(wire, "anna")).written_at,
        (await acts.lift(wire, "anna")).written_at,
        (await acts.revoke(wire, "anna", "reseller42.newsletter")).written_at,
        (await acts.report_death(wire, "anna")).written_at,
        (await wire.check("anna", "newsletter")).read_at,
        (await acts.choices(wire, "anna")).read_at,
    ]
    for token in tokens:
        answer = await wire.check("anna", "newsletter", consistency=at_least(token))
        assert answer.decision.reason == shared.DECISION_REASON_DECEASED

    assert len(set(tokens)) == 6  # the last three stand for one position


async def test_unchanged_has_a_token(wire: Wire) -> None:
    """A write that changed nothing returns a position at which it is so."""
    await wire.update("anna", change("refuse", "newsletter"))
    written = await wire.update("anna", change("refuse", "newsletter"))
    answer = await wire.check("anna", "newsletter", consistency=at_least(written.written_at))

    assert answer.decision.reason == shared.DECISION_REASON_REFUSED


@fresh
async def test_of_another_log(
    tmp_path: Path, wire: Wire, catalogue: Catalogue, clock: FakeClock, method: str, path: str
) -> None:
    """A token of another store is refused, not misread."""
    async with (
        open_store(f"sqlite:///{tmp_path}/other.db", clock=clock) as store,
        serving(store, catalogue, clock) as other,
    ):
        token = (await other.check("anna", "newsletter")).read_at
    request = good(method)
    put(request, path, token)
    refusal = await refused(send(wire, request))

    assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")


@fresh
@pytest.mark.parametrize("beyond", [1, 1_000, 1 << 62])
async def test_past_the_head(
    wire: Wire, sqlite_store: EventStore, method: str, path: str, beyond: int
) -> None:
    """A token past the head is refused: this log has never been there."""
    position = await acts.head(wire) + beyond
    request = good(method)
    put(request, path, tokens_of(sqlite_store).make(Kind.FRESHNESS, position))
    refusal = await refused(send(wire, request))

    assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")


@pytest.mark.parametrize("beyond", [1, 1 << 62])
@pytest.mark.parametrize(
    ("method", "path", "kind"), [one for one in PAGES if one[2] is not Kind.CONSENTS_PAGE]
)
async def test_page_past_the_head(
    wire: Wire, sqlite_store: EventStore, method: str, path: str, kind: Kind, beyond: int
) -> None:
    """So is a cursor or a page's token, as after a backup was restored."""
    position = await acts.head(wire) + beyond
    context = b""
    if kind is Kind.STATES:  # of the same purposes under the same catalogue
        genuine = (await every_token(wire))["sync cursor"]
        context = tokens_of(sqlite_store).open(genuine, "cursor", kind).context
        position += 2 * (beyond == 1)  # two events were recorded for it
    token = tokens_of(sqlite_store).make(kind, position, context)
    request = good(method)
    put(request, path, token)
    refusal = await refused(send(wire, request))

    assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")


GARBAGE = {
    "word": "token",
    "not base64": "!!!!",
    "not ASCII": "é",
    "blank": " ",
    "zeros": "A" * 24,
    "long": "A" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage(wire: Wire, garbage: str) -> None:
    """What is no token at all is INVALID_ARGUMENT, by its field."""
    for method, path in [*FRESH, *((one, field) for one, field, _ in PAGES)]:
        request = good(method)
        put(request, path, garbage)
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert refusal.fields == (path,)


async def test_bytes_of_other_things(wire: Wire) -> None:
    """Bytes of a link are no token, whatever they begin with.

    A link's first byte is as good as random. Where it was the letter of a kind, the link was once
    called a token of another log, OUT_OF_RANGE.
    """
    for first in range(256):
        other = base64.urlsafe_b64encode(bytes([first]) * 48).decode()
        refusal = await refused(wire.check("anna", "newsletter", consistency=at_least(other)))

        assert (refusal.reason, refusal.code.name) == ("INVALID_FIELD", "INVALID_ARGUMENT")


async def test_altered(wire: Wire) -> None:
    """A token with anything cut off or added is none."""
    token = (await wire.check("anna", "newsletter")).read_at
    for altered in (token[:-1], token[:-4], token[1:], token + "A", token + "AAAA", token + "\n"):
        refusal = await refused(wire.check("anna", "newsletter", consistency=at_least(altered)))

        assert refusal.reason in {"INVALID_FIELD", "POSITION_UNKNOWN"}


async def test_wrong_kind(wire: Wire) -> None:
    """A token of one kind is none of another, but a cursor tells how fresh an answer must be."""
    tokens = await every_token(wire)
    takes: dict[tuple[str, str], set[str]] = {
        **{one: {"written_at", "cursor"} for one in FRESH},
        ("ListConsents", "page_token"): {"consents page"},
        ("ListConsentEvents", "page_token"): {"history page"},
        ("ListEvents", "page_token"): {"cursor"},
        ("WatchEvents", "cursor"): {"cursor"},
        ("SyncConsents", "cursor"): {"sync cursor"},
    }
    for (method, path), kinds in takes.items():
        for name, token in tokens.items():
            request: Any = good(method)
            put(request, path, token)
            if name in kinds:
                assert await send(wire, request)
            else:
                refusal = await refused(send(wire, request))
                assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", (path,)), (path, name)


@pytest.mark.parametrize("method", ["CheckConsent", "BatchCheckConsents", "StreamCheckConsents"])
async def test_future(wire: Wire, clock: FakeClock, method: str) -> None:
    """Only the past can be asked about: this very moment is not over yet."""
    request = good(method)
    put(request, "consistency.as_of_time", acts.stamp(clock.now))
    refusal = await refused(send(wire, request))
    put(request, "consistency.as_of_time", acts.stamp(clock.now - 1))

    assert refusal.fields == ("consistency.as_of_time",)
    assert (await send(wire, request)).read_at


async def test_as_of_reads_at_the_past(wire: Wire, clock: FakeClock) -> None:
    """An answer for the past is read at the last position of that moment."""
    first = await wire.update("anna", change("give", "newsletter"))
    then = clock.now
    clock.advance(timedelta(hours=1))
    await wire.update("anna", change("withdraw", "newsletter"))
    past = shared.Consistency(as_of_time=acts.stamp(then + 1))
    answer = await wire.check("anna", "newsletter", consistency=past)

    assert answer.read_at == first.written_at
    assert answer.decision.answer == shared.ANSWER_PERMITTED


async def test_clock_that_goes_back(wire: Wire, clock: FakeClock) -> None:
    """A clock that is set back does not bring events out of order, nor hides a withdrawal."""
    await wire.update("anna", change("give", "newsletter"))
    clock.advance(-timedelta(days=1))
    await wire.update("anna", change("withdraw", "newsletter"))
    times = [one.recorded_time.ToMicroseconds() for one in await acts.log(wire)]

    assert times == sorted(times)
    assert (await checked(wire, "anna", "newsletter")).reason == shared.DECISION_REASON_WITHDRAWN
