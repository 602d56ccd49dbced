"""How much one caller may ask for."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import RateExceeded
from consentsvc.domain.identifiers import PurposeId
from consentsvc.rpc.limits import MAX_MESSAGE_BYTES, RateLimit
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from tests.support import acts, catalogues
from tests.support.answers import answered_in_turn
from tests.support.certificates import Authority, client_credentials
from tests.support.clock import FakeClock
from tests.support.refusals import Refusal, refusal_of, refused
from tests.support.requests import good, send, send_raw
from tests.support.wire import Wire, change, serving

MANY = [catalogues.purpose(PurposeId(f"purpose_{number}")) for number in range(120)]


async def until_refused(wire: Wire) -> Refusal:
    """Asks as fast as it can."""
    for _ in range(1_000):
        try:
            await send(wire, good("CheckConsent"))
        except grpc.aio.AioRpcError as error:
            return refusal_of(error)
    raise AssertionError("never refused")


class TestSizes:
    async def test_message_too_large(self, wire: Wire) -> None:
        """A message of more than 8 MiB is RESOURCE_EXHAUSTED, and the next one is answered."""
        refusal = await refused(send_raw(wire, "CheckConsent", b"\x0a" * (MAX_MESSAGE_BYTES + 1)))

        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await send(wire, good("CheckConsent"))).read_at

    async def test_largest_message(self, wire: Wire) -> None:
        """One of exactly 8 MiB is read."""
        refusal = await refused(send_raw(wire, "CheckConsent", b"\xff" * MAX_MESSAGE_BYTES))

        assert refusal.reason == "MALFORMED_MESSAGE"

    async def test_too_many_changes(self, wire: Wire) -> None:
        """More than 100 changes are too many, and the refusal tells how many fit."""
        request = good("UpdateConsents", changes=[change("give", "newsletter")] * 101)
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE")
        assert refusal.metadata == {"items": "101", "limit": "100"}

    async def test_too_many_revocations(self, wire: Wire) -> None:
        """More than 100 purposes to revoke are too many in the same way."""
        request = good("RevokeConsents", purpose_ids=[one.id for one in MANY[:101]])
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE")
        assert refusal.metadata == {"items": "101", "limit": "100"}

    @pytest.mark.parametrize("count", [101, 200_000])
    async def test_too_many_to_sync(self, wire: Wire, count: int) -> None:
        """More than 100 purposes to follow are too many in the same way, and so are repeats of one.

        There was no limit: a message full of one purpose made a response of as many rules.
        """
        request = good("SyncConsents", purpose_ids=["newsletter"] * count)
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE")
        assert refusal.metadata == {"items": str(count), "limit": "100"}

    async def test_as_many_as_fit(self, sqlite_store: EventStore, clock: FakeClock) -> None:
        """A hundred changes are one request, and a hundred purposes one revocation, or one copy."""
        async with serving(sqlite_store, catalogues.catalogue(*MANY), clock) as wire:
            request = good("SyncConsents", purpose_ids=[one.id for one in MANY[:100]])
            synced = await send(wire, request)
            updated = await wire.update("anna", *(change("give", one.id) for one in MANY[:100]))
            revoked = await acts.revoke(wire, "anna", *(one.id for one in MANY[:100]))

        effects = [one.effect for one in (*updated.outcomes, *revoked.outcomes)]
        assert effects == [consents.CHANGE_EFFECT_RECORDED] * 200
        assert len(synced.rules) == 100


class TestPages:
    async def test_of_the_log(self, wire: Wire) -> None:
        """A page of the log holds 500 events, or as many as were asked for, up to 1,000."""
        for number in range(1_000):
            await wire.update(f"subject:{number % 7}", change("give", "newsletter"))
        sizes = [
            len((await wire.events.ListEvents(events.ListEventsRequest(page_size=size))).events)
            for size in (0, 1, 499, 1_000)
        ]

        assert sizes == [500, 1, 499, 1_000]

    async def test_of_a_history(self, wire: Wire) -> None:
        """A page of a history holds 50 events, or as many as were asked for, up to 100."""
        for _ in range(101):
            await wire.update("anna", change("give", "newsletter"))
        pages = [
            await send(wire, good("ListConsentEvents", page_size=size)) for size in (0, 1, 100)
        ]
        last = await send(
            wire, good("ListConsentEvents", page_size=100, page_token=pages[2].next_page_token)
        )

        assert [len(one.events) for one in pages] == [50, 1, 100]
        assert (len(last.events), last.next_page_token) == (1, "")
        assert [one.position for one in await acts.history(wire, "anna")] == list(range(9, 110))

    async def test_of_consents(self, sqlite_store: EventStore, clock: FakeClock) -> None:
        """A page of consents holds 100 purposes, or as many as were asked for, up to 1,000."""
        async with serving(sqlite_store, catalogues.catalogue(*MANY), clock) as wire:
            pages = [await acts.choices(wire, "anna", page_size=size) for size in (0, 1, 1_000)]
            rest = await acts.choices(wire, "anna", page_token=pages[0].next_page_token)

        assert [len(one.consents) for one in pages] == [100, 1, 124]
        assert pages[2].next_page_token == rest.next_page_token == ""
        assert [*pages[0].consents, *rest.consents] == list(pages[2].consents)

    async def test_full(self, wire: Wire) -> None:
        """A page that is just full is the last one if nothing follows."""
        for action in ("give", "withdraw", "give"):
            await wire.update("anna", change(action, "newsletter"))
        history = await send(wire, good("ListConsentEvents", page_size=3))
        choices = await acts.choices(wire, "anna", page_size=4)

        assert (len(history.events), history.next_page_token) == (3, "")
        assert (len(choices.consents), choices.next_page_token) == (4, "")


class TestRate:
    async def test_exceeded(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Who sends faster than its share is told when to go on, and may go on then."""
        async with serving(sqlite_store, catalogue, clock, rate=5) as wire:
            refusal = await until_refused(wire)
            assert refusal.retry_after
            await asyncio.sleep(refusal.retry_after.total_seconds())  # as it was told
            answer = await send(wire, good("CheckConsent"))

        assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "RATE_EXCEEDED")
        assert timedelta(0) < refusal.retry_after <= timedelta(milliseconds=200)
        assert refusal.metadata == {
            "retry_after_ms": str(refusal.retry_after // timedelta(milliseconds=1))
        }
        assert answer.read_at

    async def test_chunks(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Each chunk of a stream counts; the one too many ends the call."""
        chunk = good("StreamCheckConsents", batch__purpose_ids=["newsletter"])
        answers: list[queries.StreamCheckConsentsResponse] = []
        async with serving(sqlite_store, catalogue, clock, rate=5) as wire:
            refusal = await refused(answered_in_turn(wire, [chunk] * 1_000, answers))

        assert refusal.reason == "RATE_EXCEEDED"
        assert 5 <= len(answers) < 1_000

    async def test_a_batch_counts_once(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A batch counts as one message, whatever its size."""
        batch = good(
            "BatchCheckConsents",
            batch__subject_ids=["anna"] * 1_000,
            batch__purpose_ids=["newsletter"],
        )
        async with serving(sqlite_store, catalogue, clock, rate=5) as wire:
            answers = [await send(wire, batch) for _ in range(5)]

        assert [len(one.decisions.answers) for one in answers] == [1_000] * 5

    async def test_health(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Asking for the health does not count, and is answered when nothing else is."""
        async with serving(sqlite_store, catalogue, clock, rate=1) as wire:
            stub: Any = HealthStub(wire.channel)
            for _ in range(20):
                await stub.Check(health_pb2.HealthCheckRequest())
            await until_refused(wire)

            assert await stub.Check(health_pb2.HealthCheckRequest())

    async def test_no_limit(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A rate of 0 is no limit."""
        async with serving(sqlite_store, catalogue, clock, rate=0) as wire:
            answers = [await send(wire, good("CheckConsent")) for _ in range(50)]

        assert len(answers) == 50

    async def test_each_caller(
        self, tmp_path: Path, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """One caller's haste takes nothing from another's share."""
        authority = Authority(tmp_path)
        certificate, key = authority.issue("server", "localhost")
        hasty, calm = authority.issue("hasty"), authority.issue("calm")
        question = good("CheckConsent")
        async with serving(
            sqlite_store,
            catalogue,
            clock,
            rate=1,
            tls_certificate=certificate,
            tls_key=key,
            tls_client_ca=authority.certificate,
        ) as wire:
            target = f"localhost:{wire.server.port}"
            async with (
                grpc.aio.secure_channel(target, client_credentials(authority, hasty)) as one,
                grpc.aio.secure_channel(target, client_credentials(authority, calm)) as other,
            ):
                await ConsentQueryServiceStub(one).CheckConsent(question)
                refusal = await refused(ConsentQueryServiceStub(one).CheckConsent(question))
                answer = await ConsentQueryServiceStub(other).CheckConsent(question)

        assert refusal.reason == "RATE_EXCEEDED"
        assert answer.read_at


class TestRateLimit:
    class Clock:
        now = 1_000.0

        def __call__(self) -> float:
            return self.now

    def admitted(self, limit: RateLimit, share: str) -> int:
        """How many messages get in at this moment."""
        for number in range(1_000):
            try:
                limit.admit(share)
            except RateExceeded:
                return number
        raise AssertionError("no limit")

    def test_share(self) -> None:
        """As many as a second's worth get in at once, and no more."""
        limit = RateLimit(5, self.Clock())

        assert self.admitted(limit, "a") == 5
        assert self.admitted(limit, "a") == 0

    def test_refilled(self) -> None:
        """The share fills with time, up to a second's worth."""
        clock = self.Clock()
        limit = RateLimit(5, clock)
        self.admitted(limit, "a")
        counts = []
        for seconds in (0.2, 0.5, 1.0, 60.0):
            clock.now += seconds
            counts.append(self.admitted(limit, "a"))

        assert counts == [1, 2, 5, 5]

    def test_told_when(self) -> None:
        """Waiting as long as was told is enough, and a millisecond less is not."""
        clock = self.Clock()
        limit = RateLimit(3, clock)
        self.admitted(limit, "a")
        with pytest.raises(RateExceeded) as caught:
            limit.admit("a")
        wait = int(caught.value.facts["retry_after_ms"])
        clock.now += (wait - 1) / 1_000
        with pytest.raises(RateExceeded):
            limit.admit("a")
        clock.now += 1 / 1_000
        limit.admit("a")

        assert wait == 334

    def test_shares_are_apart(self) -> None:
        """Each caller has its own."""
        limit = RateLimit(5, self.Clock())
        self.admitted(limit, "a")

        assert self.admitted(limit, "b") == 5
