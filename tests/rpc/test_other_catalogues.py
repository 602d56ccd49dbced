"""The server, started again on its store with another catalogue."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import PurposeId
from consentsvc.service.expiry import Sweeper
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts, catalogues
from tests.support.answers import answers, checked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import change, serving

ANNA = "customer:8213"
NEWSLETTER = catalogues.NEWSLETTER


def without(catalogue: Catalogue, *gone: PurposeId) -> Catalogue:
    return Catalogue({name: one for name, one in catalogue.purposes.items() if name not in gone})


def with_versions(*versions: tuple[str, bool]) -> Catalogue:
    """The small catalogue, where the newsletter's notice has these versions."""
    made = tuple(
        catalogues.version(NEWSLETTER, name, asks_again=asks_again) for name, asks_again in versions
    )
    return catalogues.catalogue(catalogues.purpose(NEWSLETTER, versions=made))


class TestPurposeGone:
    async def test_unknown(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A purpose that has left the catalogue is unknown, and comes back as it was."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter"), request_id="before")
            before = await checked(wire, ANNA, "newsletter")
        async with serving(sqlite_store, without(catalogue, NEWSLETTER), clock) as wire:
            checking = await refused(wire.check(ANNA, "newsletter"))
            giving = await refused(wire.update(ANNA, change("give", "newsletter")))
            listed = {one.consent.purpose_id for one in (await acts.choices(wire, ANNA)).consents}
        async with serving(sqlite_store, catalogue, clock) as wire:
            after = await checked(wire, ANNA, "newsletter")

        assert checking.reason == giving.reason == "UNKNOWN_PURPOSE"
        assert listed == {"profiling", "statistics", "reseller42.newsletter"}
        assert after == before

    async def test_links(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Its withdrawal links still withdraw; its confirmation links are unknown."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter"), request_id="before")
            withdrawal = await acts.withdrawal_token(wire, ANNA, "newsletter")
            asked = await wire.update(
                ANNA, change("request", "newsletter"), actor=acts.OPERATOR, request_id="asked"
            )
        async with serving(sqlite_store, without(catalogue, NEWSLETTER), clock) as wire:
            token = asked.outcomes[0].confirmation_token
            refusal = await refused(acts.confirm(wire, token))
            redeemed = await acts.redeem(wire, withdrawal)
        async with serving(sqlite_store, catalogue, clock) as wire:
            decision = await checked(wire, ANNA, "newsletter")

        assert (refusal.code.name, refusal.reason) == ("NOT_FOUND", "LINK_UNKNOWN")
        assert (redeemed.purpose_id, redeemed.effect) == (
            "newsletter",
            consents.CHANGE_EFFECT_RECORDED,
        )
        assert decision.reason == shared.DECISION_REASON_WITHDRAWN

    async def test_repeated(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A request repeated after a new catalogue came gets its first answer all the same."""
        changed = change("give", "newsletter")
        async with serving(sqlite_store, catalogue, clock) as wire:
            first = await wire.update(ANNA, changed, request_id="r-1")
        async with serving(sqlite_store, without(catalogue, NEWSLETTER), clock) as wire:
            again = await wire.update(ANNA, changed, request_id="r-1")

        assert again == first

    async def test_requests_run_out(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Its requests run out like all others, and its consents have no end."""
        smaller = without(catalogue, NEWSLETTER, catalogues.PROFILING)
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("request", "newsletter"), change("give", "profiling"))
        clock.advance(timedelta(days=400))
        swept = await Sweeper(sqlite_store, smaller, clock).sweep()
        async with serving(sqlite_store, smaller, clock) as wire:
            last = (await acts.history(wire, ANNA))[-1]

        assert swept == 1
        assert (acts.kinds([last]), last.purpose_id) == (["CONSENT_EXPIRED"], "newsletter")

    async def test_history(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Its events stay in the history and in the log."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter"))
            history, log = await acts.history(wire, ANNA), await acts.log(wire)
        async with serving(sqlite_store, without(catalogue, NEWSLETTER), clock) as wire:
            assert await acts.history(wire, ANNA) == history
            assert await acts.log(wire) == log


class TestVersions:
    @pytest.mark.parametrize(
        ("versions", "reason"),
        [
            ([("1", False), ("2", False)], "CONSENT_GIVEN"),
            ([("1", False), ("2", True)], "NOTICE_SUPERSEDED"),
            ([("1", False), ("2", True), ("3", False)], "NOTICE_SUPERSEDED"),
            ([("1", False), ("2", False), ("3", True)], "NOTICE_SUPERSEDED"),
            ([("0", False), ("1", True)], "CONSENT_GIVEN"),
            ([("2", False)], "NOTICE_SUPERSEDED"),
        ],
        ids=["plain", "asks", "asked before", "asks later", "older", "forgotten"],
    )
    async def test_consents_given_before(
        self,
        sqlite_store: EventStore,
        catalogue: Catalogue,
        clock: FakeClock,
        versions: list[tuple[str, bool]],
        reason: str,
    ) -> None:
        """A consent counts until a later version asks again, or its own is forgotten."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter"))
        async with serving(sqlite_store, with_versions(*versions), clock) as wire:
            decisions = await answers(wire, ANNA, "newsletter")

        assert {shared.DecisionReason.Name(one.reason) for one in decisions.values()} == {
            f"DECISION_REASON_{reason}"
        }

    async def test_given_again(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """Given again on the new version it counts again; given on the old one it does not."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter"), request_id="before")
        newer = with_versions(("1", False), ("2", True))
        async with serving(sqlite_store, newer, clock) as wire:
            await wire.update(ANNA, change("give", "newsletter", version="1"))
            on_the_old = await checked(wire, ANNA, "newsletter")
            await wire.update(ANNA, change("give", "newsletter", version="2"))
            on_the_new = await checked(wire, ANNA, "newsletter")

        assert on_the_old.reason == shared.DECISION_REASON_NOTICE_SUPERSEDED
        assert on_the_new.reason == shared.DECISION_REASON_CONSENT_GIVEN

    async def test_confirmed_too_late(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A request confirmed after its notice was superseded is given, and does not count."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            asked = await wire.update(
                ANNA, change("request", "newsletter"), actor=acts.OPERATOR, request_id="asked"
            )
        newer = with_versions(("1", False), ("2", True))
        async with serving(sqlite_store, newer, clock) as wire:
            await acts.confirm(wire, asked.outcomes[0].confirmation_token)
            decision = await checked(wire, ANNA, "newsletter")

        assert decision.reason == shared.DECISION_REASON_NOTICE_SUPERSEDED
        assert decision.notice.version == "1"

    async def test_an_old_link_takes_nothing_away(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A link to a notice that was replaced is void once the subject has consented to the new.

        It recorded a consent to the old notice as the latest choice: the yes that the subject had
        given meanwhile became a no, by a request, which never takes anything away.
        """
        async with serving(sqlite_store, catalogue, clock) as wire:
            asked = await wire.update(
                ANNA, change("request", "newsletter"), actor=acts.OPERATOR, request_id="asked"
            )
        async with serving(sqlite_store, with_versions(("1", False), ("2", True)), clock) as wire:
            await wire.update(ANNA, change("give", "newsletter", version="2"))
            before = await acts.head(wire)
            refusal = await refused(acts.confirm(wire, asked.outcomes[0].confirmation_token))
            decision = await checked(wire, ANNA, "newsletter")
            after = await acts.head(wire)

        assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "CONFIRMATION_VOID")
        assert refusal.metadata == {"purpose_id": "newsletter"}
        assert (decision.reason, decision.notice.version) == (
            shared.DECISION_REASON_CONSENT_GIVEN,
            "2",
        )
        assert after == before

    async def test_published(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A new version is published in the log, in every locale, and nothing else is again."""
        async with serving(sqlite_store, catalogue, clock) as wire:
            head = await acts.head(wire)
        async with serving(sqlite_store, with_versions(("1", False), ("2", True)), clock) as wire:
            call = wire.events.WatchEvents(events.WatchEventsRequest(start_position=head + 1))
            response = await call.read()
            call.cancel()
        assert isinstance(response, events.WatchEventsResponse)

        assert [
            (one.purpose_id, one.notice.version, one.notice.locale) for one in response.events
        ] == [
            ("newsletter", "2", "en"),
            ("newsletter", "2", "fr"),
        ]


async def test_other_validity(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A validity that is shortened ends older consents as well, also in answers for the past."""
    given_at = clock.now
    async with serving(sqlite_store, catalogue, clock) as wire:
        await wire.update(ANNA, change("give", "newsletter"))
    clock.advance(timedelta(days=40))
    month = replace(catalogue.purposes[NEWSLETTER], validity_months=1)
    shorter = Catalogue({**catalogue.purposes, NEWSLETTER: month})
    async with serving(sqlite_store, shorter, clock) as wire:
        now = await checked(wire, ANNA, "newsletter")
        moments = [given_at + days * 86_400_000_000 for days in (10, 35)]
        then = [
            await checked(
                wire,
                ANNA,
                "newsletter",
                consistency=shared.Consistency(as_of_time=acts.stamp(moment)),
            )
            for moment in moments
        ]

    assert now.reason == shared.DECISION_REASON_EXPIRED
    assert [one.reason for one in then] == [
        shared.DECISION_REASON_CONSENT_GIVEN,
        shared.DECISION_REASON_EXPIRED,
    ]
