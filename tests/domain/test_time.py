"""What time alone does to an answer: nothing before `valid_until`, and then one thing."""

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.consent import (
    NOTHING_STANDS,
    Choice,
    Consent,
    Objection,
    Request,
    Standing,
)
from consentsvc.domain.decision import Reason, decide, ran_out
from consentsvc.domain.events import Event, EventKind
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant, add, add_months
from tests.domain.making import GAPS, NOW, SHORT_GAPS, event, folded, lives, ref
from tests.support.catalogues import NEWSLETTER, purpose, version

ASKS_AGAIN = (version(NEWSLETTER, "1"), version(NEWSLETTER, "2", asks_again=True))
MONTH = purpose(NEWSLETTER, months=1)

PURPOSES = st.builds(
    purpose,
    st.just(NEWSLETTER),
    basis=st.sampled_from(LegalBasis),
    months=st.sampled_from([None, 1, 2]),
    versions=st.sampled_from([None, ASKS_AGAIN]),
)
NOTICES = st.sampled_from([ref("1"), ref("1"), ref("2")])
MOSTLY_NOTHING = st.sampled_from([NOTHING_STANDS] * 8 + [Standing(death=Position(1))])


def last_moment(life: list[Event]) -> Instant:
    return life[-1].recorded_at if life else NOW


Situation = tuple[Purpose, Consent, Standing, Instant]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    life = draw(lives(most=6))
    now = add(last_moment(life), draw(GAPS))
    return draw(PURPOSES), folded(life), draw(MOSTLY_NOTHING), now


@st.composite
def with_an_end(draw: st.DrawFn) -> Situation:
    """What has lately been given, asked for, or both; nearly all of it ends by itself."""
    purpose_ = draw(PURPOSES)
    life = [one for one in draw(lives(most=4)) if one.kind is not EventKind.OBJECTION_RAISED]
    at = last_moment(life)
    given, asked = EventKind.CONSENT_GIVEN, EventKind.CONSENT_REQUESTED
    for place, kind in enumerate(draw(st.sampled_from([[given], [asked], [given, asked]]))):
        at = add(at, draw(SHORT_GAPS))
        life.append(event(kind, 8 + place, at=at, notice=draw(NOTICES)))
    return purpose_, folded(life), NOTHING_STANDS, add(at, draw(SHORT_GAPS))


class TestValidUntil:
    @given(with_an_end(), st.data())
    def test_constant_and_then_expired(self, situation: Situation, data: st.DataObject) -> None:
        """Up to `valid_until` a decision stays as it is; there it becomes a no, EXPIRED.

        Where a request is still open at that moment, the reason is PENDING_CONFIRMATION.
        """
        purpose_, consent, standing, now = situation
        decision = decide(purpose_, consent, standing, now)
        until = decision.valid_until
        assume(until is not None)
        assert until is not None
        moment = Instant(data.draw(st.integers(now, until - 1)))
        end = decide(purpose_, consent, standing, until)
        request = consent.request
        still_open = request is not None and until < add(request.recorded_at, timedelta(days=30))

        assert now < until
        assert decide(purpose_, consent, standing, moment) == decision
        assert decide(purpose_, consent, standing, Instant(until - 1)) == decision
        assert not end.permitted
        if still_open and request and not request.expired:
            assert end.reason is Reason.PENDING_CONFIRMATION
        else:
            assert end.reason is Reason.EXPIRED

    @given(situations(), st.timedeltas(timedelta(0), timedelta(9_000)))
    def test_without_end(self, situation: Situation, later: timedelta) -> None:
        """Without `valid_until`, time alone never changes a decision."""
        purpose_, consent, standing, now = situation
        decision = decide(purpose_, consent, standing, now)
        assume(decision.valid_until is None)
        afterwards = decide(purpose_, consent, standing, add(now, later))

        assert afterwards.permitted == decision.permitted
        assert afterwards == decision

    def test_superseded(self) -> None:
        """A superseded consent that will also run out says when its reason will be another."""
        purpose_ = purpose(NEWSLETTER, months=1, versions=ASKS_AGAIN)
        consent = Consent(Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1")))
        ends = add_months(NOW, 1)
        decision = decide(purpose_, consent, NOTHING_STANDS, NOW)
        at_end = decide(purpose_, consent, NOTHING_STANDS, ends)

        assert decision.reason is Reason.NOTICE_SUPERSEDED
        assert (decision.valid_until == ends) == (at_end.reason is Reason.EXPIRED)

    def test_a_request_outlives_the_yes(self) -> None:
        """A yes that ends while a request is open is a no, PENDING_CONFIRMATION till that ends."""
        asked_at = add(NOW, timedelta(days=20))
        consent = Consent(
            Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1")),
            Request(Position(2), asked_at, ref("1")),
        )
        ends = add_months(NOW, 1)
        at_end = decide(MONTH, consent, NOTHING_STANDS, ends)

        assert decide(MONTH, consent, NOTHING_STANDS, NOW).valid_until == ends
        assert (at_end.permitted, at_end.reason) == (False, Reason.PENDING_CONFIRMATION)
        assert at_end.valid_until == add(asked_at, timedelta(days=30))


class TestRanOut:
    @given(PURPOSES, lives(), GAPS)
    def test_what_decide_says(self, purpose_: Purpose, life: list[Event], gap: timedelta) -> None:
        """Exactly what decide calls EXPIRED, alone and unmarked by an event, has run out."""
        consent = folded(life)
        now = add(last_moment(life), gap)
        expected = []
        choice, request = consent.choice, consent.request
        if choice is not None and not choice.expired:
            alone = decide(purpose_, Consent(choice), NOTHING_STANDS, now)
            expected += [choice.position] if alone.reason is Reason.EXPIRED else []
        if request is not None and not request.expired:
            alone = decide(MONTH, Consent(request=request), NOTHING_STANDS, now)
            expected += [request.position] if alone.reason is Reason.EXPIRED else []

        assert ran_out(purpose_, consent, now) == expected

    def test_boundaries(self) -> None:
        """Neither a consent nor a request has run out a microsecond early."""
        choice = Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1"))
        month, thirty_days = add_months(NOW, 1), add(NOW, timedelta(days=30))
        consent = Consent(choice, Request(Position(2), NOW, ref("1")))

        assert ran_out(MONTH, consent, Instant(thirty_days - 1)) == []
        assert ran_out(MONTH, consent, thirty_days) == [2]
        assert ran_out(MONTH, consent, Instant(month - 1)) == [2]
        assert ran_out(MONTH, consent, month) == [1, 2]

    def test_marked(self) -> None:
        """What an event has marked is not named again; what is beside it still is."""
        choice = Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1"))
        request = Request(Position(2), NOW, ref("1"))
        marked = choice._replace(expired=True), request._replace(expired=True)
        later = add_months(NOW, 2)

        assert ran_out(MONTH, Consent(marked[0], request), later) == [2]
        assert ran_out(MONTH, Consent(choice, marked[1]), later) == [1]
        assert ran_out(MONTH, Consent(*marked), later) == []

    def test_without_purpose(self) -> None:
        """Of a purpose that has left the catalogue, requests run out and consents do not."""
        choice = Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1"))
        consent = Consent(choice, Request(Position(2), NOW, ref("1")))

        assert ran_out(None, consent, add_months(NOW, 120)) == [2]

    def test_above_and_without(self) -> None:
        """An objection hides nothing that ran out; without validity nothing runs out."""
        choice = Choice(EventKind.CONSENT_GIVEN, Position(1), NOW, ref("1"))
        consent = Consent(choice, None, Objection(Position(2), NOW), Position(2))
        later = add_months(NOW, 120)

        assert ran_out(MONTH, consent, later) == [1]
        assert ran_out(purpose(NEWSLETTER), consent, later) == []
