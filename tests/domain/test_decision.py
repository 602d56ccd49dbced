from datetime import UTC, datetime, timedelta
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.consent import Choice, Consent, Objection, Request, Standing
from consentsvc.domain.decision import Decision, Reason, decide, ran_out, request_ends
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant, add, instant
from tests.support import catalogues

START = instant(datetime(2026, 1, 31, 9, 0, tzinfo=UTC))
MONTH_LATER = instant(datetime(2026, 2, 28, 9, 0, tzinfo=UTC))
THIRTY_DAYS = add(START, timedelta(days=30))
MICROSECOND = timedelta(microseconds=1)
OLD, NEW = NoticeRef("1", "en", b"1" * 32), NoticeRef("2", "en", b"2" * 32)

NOES = {
    "REVOKED": EventKind.CONSENT_REVOKED,
    "WITHDRAWN": EventKind.CONSENT_WITHDRAWN,
    "REFUSED": EventKind.CONSENT_REFUSED,
}


def purpose(*, opt_out: bool = False, months: int | None = 1, asks_again: bool = True) -> Purpose:
    """A purpose with two versions, of which the second asks again."""
    return catalogues.purpose(
        catalogues.NEWSLETTER,
        basis=LegalBasis.LEGITIMATE_INTEREST if opt_out else LegalBasis.CONSENT,
        months=months,
        versions=(
            catalogues.version(catalogues.NEWSLETTER, "1"),
            catalogues.version(catalogues.NEWSLETTER, "2", asks_again=asks_again),
        ),
    )


def choice(kind: EventKind, *, notice: NoticeRef | None = NEW, expired: bool = False) -> Choice:
    return Choice(kind, Position(5), START, notice, expired)


GIVEN = choice(EventKind.CONSENT_GIVEN)
REQUEST = Request(Position(6), START, NEW)


class Case(NamedTuple):
    """Everything that can hold at once: each of these alone is a row of the table."""

    death: bool
    restriction: bool
    objection: bool
    choice: str  # a no by name, or GIVEN
    marked: bool
    superseded: bool
    overdue: bool
    request: str
    opt_out: bool


CASES = [
    Case(*one)
    for one in product(
        (False, True),
        (False, True),
        (False, True),
        ("NONE", "GIVEN", *NOES),
        (False, True),
        (False, True),
        (False, True),
        ("NONE", "OPEN", "MARKED"),
        (False, True),
    )
]


def by_the_table(case: Case) -> str:
    """The reason that the first row of the design's table gives which applies."""
    given = case.choice == "GIVEN"
    table = [
        ("DECEASED", case.death),
        ("RESTRICTED", case.restriction),
        ("OBJECTED", case.objection),
        ("REVOKED", case.choice == "REVOKED"),
        ("WITHDRAWN", case.choice == "WITHDRAWN"),
        ("REFUSED", case.choice == "REFUSED"),
        ("EXPIRED", given and (case.marked or case.overdue)),
        ("NOTICE_SUPERSEDED", given and case.superseded),
        ("CONSENT_GIVEN", given),
        ("NOT_OBJECTED", case.opt_out),
        ("NEVER_ASKED", True),
    ]
    reason = next(reason for reason, applies in table if applies)
    above = {"DECEASED", "RESTRICTED", "OBJECTED", "CONSENT_GIVEN", "NOT_OBJECTED"}
    if case.request == "NONE" or reason in above:
        return reason
    # Whatever made the consent overdue leaves the request open for some hours more.
    return "PENDING_CONFIRMATION" if case.request == "OPEN" else "EXPIRED"


def state_of(case: Case) -> tuple[Purpose, Consent, Standing, Instant]:
    kind = NOES.get(case.choice, EventKind.CONSENT_GIVEN)
    notice = OLD if case.superseded else NEW
    made = None
    if case.choice != "NONE":
        made = choice(kind, notice=notice, expired=case.marked and case.choice == "GIVEN")
    request = None if case.request == "NONE" else REQUEST._replace(expired=case.request == "MARKED")
    objection = Objection(Position(4), START) if case.objection else None
    consent = Consent(made, request, objection, Position(6))
    standing = Standing(
        Position(2) if case.restriction else None, Position(3) if case.death else None
    )
    now = MONTH_LATER if case.overdue else START
    return purpose(opt_out=case.opt_out), consent, standing, now


def test_precedence() -> None:
    """Of everything that can hold at once, the first row of the table decides."""
    wrong = [
        (case, decide(*state_of(case)).reason, by_the_table(case))
        for case in CASES
        if decide(*state_of(case)).reason.name != by_the_table(case)
    ]

    assert wrong == []
    assert {by_the_table(case) for case in CASES} == {one.name for one in Reason}


def test_permitted() -> None:
    """Yes is said for two reasons only."""
    for case in CASES:
        decision = decide(*state_of(case))
        permitting = {Reason.CONSENT_GIVEN, Reason.NOT_OBJECTED}

        assert decision.permitted == (decision.reason in permitting)


def test_requests_take_nothing_away() -> None:
    """Where the answer is yes without a request, it is the very same with one."""
    for case in CASES:
        alone = decide(*state_of(case._replace(request="NONE")))
        with_request = decide(*state_of(case))

        assert alone.permitted == with_request.permitted
        if alone.permitted:
            assert alone == with_request


def test_what_decided() -> None:
    """A decision names the event that decided, and the notice of that event."""
    for case in CASES:
        decision = decide(*state_of(case))
        shown = OLD if case.superseded else NEW
        by_request = decision.position == 6
        expected: tuple[int | None, NoticeRef | None]
        match decision.reason:
            case Reason.DECEASED:
                expected = 3, None
            case Reason.RESTRICTED:
                expected = 2, None
            case Reason.OBJECTED:
                expected = 4, None
            case Reason.NEVER_ASKED | Reason.NOT_OBJECTED:
                expected = None, None
            case Reason.PENDING_CONFIRMATION:
                expected = 6, NEW
            case Reason.EXPIRED if by_request:
                expected = 6, NEW
            case _:
                expected = 5, shown

        assert (decision.position, decision.notice) == expected
        assert by_request == (
            case.request != "NONE"
            and decision.reason in {Reason.EXPIRED, Reason.PENDING_CONFIRMATION}
        )


class TestTime:
    def given(self, now: Instant, months: int | None = 1) -> Decision:
        return decide(purpose(months=months), Consent(GIVEN), Standing(), now)

    def asked(self, now: Instant) -> Decision:
        return decide(purpose(), Consent(request=REQUEST), Standing(), now)

    def test_calendar_month(self) -> None:
        """A consent of 31 January for a month ends on 28 February, at the same time of day."""
        assert self.given(START).valid_until == MONTH_LATER
        assert self.given(add(MONTH_LATER, -MICROSECOND)).permitted
        assert self.given(MONTH_LATER).reason is Reason.EXPIRED
        assert self.given(MONTH_LATER).valid_until is None

    def test_thirty_days(self) -> None:
        """A request is open for 30 × 24 hours, and not a microsecond longer."""
        assert self.asked(START).valid_until == THIRTY_DAYS
        assert self.asked(add(THIRTY_DAYS, -MICROSECOND)).reason is Reason.PENDING_CONFIRMATION
        assert self.asked(THIRTY_DAYS).reason is Reason.EXPIRED
        assert request_ends(REQUEST) == THIRTY_DAYS

    def test_without_end(self) -> None:
        """A consent without a validity lasts."""
        assert self.given(add(START, timedelta(days=36_500)), months=None).permitted
        assert self.given(START, months=None).valid_until is None

    def test_marked(self) -> None:
        """What an event has marked as run out stays so, whatever the clock says."""
        marked = choice(EventKind.CONSENT_GIVEN, expired=True)
        early = decide(purpose(), Consent(marked), Standing(), START)
        no_validity = decide(purpose(months=None), Consent(marked), Standing(), START)

        assert early.reason is no_validity.reason is Reason.EXPIRED

    def test_before_it_was_given(self) -> None:
        """A clock that went back before a consent does not take it away."""
        assert self.given(add(START, -timedelta(days=1))).permitted


class TestNotices:
    def decided(
        self,
        notice: NoticeRef | None,
        published: set[str] | None = None,
        *,
        asks_again: bool = True,
    ) -> Reason:
        consent = Consent(choice(EventKind.CONSENT_GIVEN, notice=notice))
        one = purpose(asks_again=asks_again)
        return decide(one, consent, Standing(), START, published).reason

    def test_superseded(self) -> None:
        """A consent on an older version counts no longer once a later one asks again."""
        assert self.decided(OLD) is Reason.NOTICE_SUPERSEDED
        assert self.decided(NEW) is Reason.CONSENT_GIVEN

    def test_not_asking_again(self) -> None:
        """A later version that does not ask again leaves it valid."""
        assert self.decided(OLD, asks_again=False) is Reason.CONSENT_GIVEN

    def test_not_yet_published(self) -> None:
        """Asked for a moment before the later version was published, it still counted."""
        assert self.decided(OLD, {"1"}) is Reason.CONSENT_GIVEN
        assert self.decided(OLD, {"1", "2"}) is Reason.NOTICE_SUPERSEDED
        assert self.decided(OLD, set()) is Reason.CONSENT_GIVEN

    def test_unknown_version(self) -> None:
        """A version that the catalogue does not know is taken for older than all of them."""
        assert self.decided(NoticeRef("0", "en", b"0" * 32)) is Reason.NOTICE_SUPERSEDED

    def test_without_notice(self) -> None:
        """A consent of which nobody can say on what text it was given does not count."""
        assert self.decided(None) is Reason.NOTICE_SUPERSEDED

    def test_a_no_is_not_superseded(self) -> None:
        """A refusal stays a refusal, whatever was published since."""
        refused = Consent(choice(EventKind.CONSENT_REFUSED, notice=OLD))

        assert decide(purpose(), refused, Standing(), START).reason is Reason.REFUSED


# Until when an answer holds.

spans = st.timedeltas(timedelta(days=-3), timedelta(days=70))
seldom = st.sampled_from([False, False, False, False, True])


@st.composite
def states(draw: st.DrawFn) -> tuple[Purpose, Consent, Standing]:
    """Mostly what time can change: a consent, a request, or both."""
    kind = draw(st.sampled_from([*[EventKind.CONSENT_GIVEN] * 5, *NOES.values()]))
    made = Choice(
        kind,
        Position(5),
        add(START, draw(spans)),
        draw(st.sampled_from([OLD, NEW])),
        expired=kind is EventKind.CONSENT_GIVEN and draw(seldom),
    )
    request = Request(Position(6), add(START, draw(spans)), NEW, draw(seldom))
    above = st.sampled_from([*[None] * 10, Position(1)])
    consent = Consent(
        draw(st.sampled_from([made, made, None])),
        draw(st.sampled_from([request, None])),
        draw(st.sampled_from([*[None] * 10, Objection(Position(1), START)])),
        Position(6),
    )
    one = purpose(
        opt_out=draw(st.booleans()),
        months=draw(st.sampled_from([None, 1, 2])),
        asks_again=draw(st.booleans()),
    )
    return one, consent, Standing(draw(above), draw(above))


@given(state=states(), span=spans, share=st.floats(0, 1))
def test_until_when(
    state: tuple[Purpose, Consent, Standing], span: timedelta, share: float
) -> None:
    """Until `valid_until` time changes no decision; then it is a no, for another reason."""
    now = add(START, span)
    decision = decide(*state, now)
    end = decision.valid_until or add(now, timedelta(days=3_650))
    between = Instant(now + int((end - 1 - now) * share))

    assert now < end
    for moment in (between, Instant(end - 1)):
        later = decide(*state, moment)
        assert later == decision
    if decision.valid_until is not None:
        after = decide(*state, decision.valid_until)
        assert (after.permitted, after.reason) != (decision.permitted, decision.reason)
        assert not after.permitted


@given(state=states(), span=spans)
def test_what_ran_out(state: tuple[Purpose, Consent, Standing], span: timedelta) -> None:
    """What has run out is what a moment earlier or later an answer would call EXPIRED."""
    one, consent, _ = state
    now = add(START, span)
    found = ran_out(one, consent, now)
    expected = []
    for position, alone in (
        (5, consent._replace(request=None, objection=None)),
        (6, consent._replace(choice=None, objection=None)),
    ):
        marked = (alone.choice or alone.request or REQUEST).expired
        expired = decide(one, alone, Standing(), now)
        opt_out_request = alone.choice is None and one.basis is LegalBasis.LEGITIMATE_INTEREST
        if opt_out_request and alone.request is not None:
            expired = Decision(
                False,
                Reason.EXPIRED if now >= request_ends(alone.request) else Reason.NOT_OBJECTED,
                Position(6),
            )
        if expired.reason is Reason.EXPIRED and expired.position == position and not marked:
            expected.append(position)

    assert found == expected


@pytest.mark.parametrize("reason", Reason)
def test_stored_names(reason: Reason) -> None:
    """A reason's value is its name in small letters."""
    assert reason.value == reason.name.lower()
