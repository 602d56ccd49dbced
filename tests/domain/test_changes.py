import pytest

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.changes import (
    ABOUT_OBJECTION,
    NEEDS_NOTICE,
    Action,
    event_for,
    revocation_changes,
    withdrawal_changes,
)
from consentsvc.domain.consent import NOTHING_KNOWN, Consent, fold
from consentsvc.domain.events import (
    THE_SUBJECT,
    THE_SYSTEM,
    Actor,
    ActorKind,
    EventKind,
    NoticeRef,
)
from consentsvc.domain.identifiers import ActorId
from tests.support import catalogues
from tests.support.events import NOTICE, after, event

PLAIN = catalogues.purpose(catalogues.NEWSLETTER)
CONFIRMED = catalogues.purpose(catalogues.RESELLER_NEWSLETTER, confirmed=True)
OTHERS = [
    Actor(ActorKind.OPERATOR, ActorId("op7")),
    Actor(ActorKind.RESELLER, ActorId("r42")),
    THE_SYSTEM,
]
others = pytest.mark.parametrize("actor", OTHERS, ids=["operator", "reseller", "system"])

GIVEN, REFUSED = EventKind.CONSENT_GIVEN, EventKind.CONSENT_REFUSED
WITHDRAWN, REVOKED = EventKind.CONSENT_WITHDRAWN, EventKind.CONSENT_REVOKED
REQUESTED = EventKind.CONSENT_REQUESTED
OBJECTED, TAKEN_BACK = EventKind.OBJECTION_RAISED, EventKind.OBJECTION_WITHDRAWN

EXPIRED = fold(after(GIVEN), event(EventKind.CONSENT_EXPIRED, 2, refers_to=1))


def recorded(
    action: Action, consent: Consent, notice: NoticeRef | None = NOTICE
) -> EventKind | None:
    return event_for(action, THE_SUBJECT, PLAIN, consent, notice)


def test_first_words() -> None:
    """Where nothing is known every word is an event, but an objection that is not there."""
    assert {action.name: recorded(action, NOTHING_KNOWN) for action in Action} == {
        "GIVE": GIVEN,
        "REFUSE": REFUSED,
        "WITHDRAW": WITHDRAWN,
        "OBJECT": OBJECTED,
        "WITHDRAW_OBJECTION": None,
        "REQUEST": REQUESTED,
        "SIGNAL": None,
    }


@pytest.mark.parametrize(
    "state", [NOTHING_KNOWN, after(GIVEN), after(WITHDRAWN), after(OBJECTED), EXPIRED]
)
@pytest.mark.parametrize("action", [Action.GIVE, Action.REQUEST])
def test_giving_and_asking_count_anew(action: Action, state: Consent) -> None:
    """Giving and asking are events whatever was before."""
    assert recorded(action, state) is not None


@pytest.mark.parametrize(
    ("action", "kind"),
    [(Action.REFUSE, REFUSED), (Action.WITHDRAW, WITHDRAWN), (Action.OBJECT, OBJECTED)],
)
def test_a_no_repeated(action: Action, kind: EventKind) -> None:
    """The same no again is nothing new, unless it settles a request that came since."""
    assert recorded(action, after(kind)) is None
    assert recorded(action, after(kind, REQUESTED)) is kind
    assert recorded(action, after(kind, REQUESTED, kind)) is None


@pytest.mark.parametrize("first", [GIVEN, REFUSED, WITHDRAWN, REVOKED])
@pytest.mark.parametrize(
    ("action", "kind"), [(Action.REFUSE, REFUSED), (Action.WITHDRAW, WITHDRAWN)]
)
def test_another_no(first: EventKind, action: Action, kind: EventKind) -> None:
    """A no of another kind is an event of its own."""
    assert recorded(action, after(first)) is (None if first is kind else kind)


def test_refusing_another_text() -> None:
    """A refusal of another text is news; of the same one, or with none named, it is not."""
    assert recorded(Action.REFUSE, after(REFUSED), NoticeRef("2", "en", b"2" * 32)) is REFUSED
    assert recorded(Action.REFUSE, after(REFUSED), NOTICE) is None
    assert recorded(Action.REFUSE, after(REFUSED), None) is None


def test_withdrawing_whatever_the_text() -> None:
    """A withdrawal repeated is nothing new, whatever text stood beside it."""
    other = NoticeRef("2", "en", b"2" * 32)

    assert recorded(Action.WITHDRAW, after(WITHDRAWN), other) is None
    assert withdrawal_changes(after(GIVEN))
    assert withdrawal_changes(NOTHING_KNOWN)
    assert withdrawal_changes(after(WITHDRAWN, REQUESTED))
    assert not withdrawal_changes(after(WITHDRAWN))


def test_objecting_again() -> None:
    """An objection repeated is news if anything has happened since: it voids what came between."""
    assert recorded(Action.OBJECT, after(OBJECTED)) is None
    for between in (GIVEN, REFUSED, WITHDRAWN, REQUESTED):
        assert recorded(Action.OBJECT, after(OBJECTED, between)) is OBJECTED


def test_objection_taken_back() -> None:
    """Only an objection that stands can be taken back."""
    assert recorded(Action.WITHDRAW_OBJECTION, after(OBJECTED)) is TAKEN_BACK
    assert recorded(Action.WITHDRAW_OBJECTION, after(OBJECTED, TAKEN_BACK)) is None
    assert recorded(Action.OBJECT, after(OBJECTED, TAKEN_BACK)) is OBJECTED


@others
@pytest.mark.parametrize("purpose", [PLAIN, CONFIRMED], ids=["plain", "confirmed"])
def test_given_by_others(actor: Actor, purpose: Purpose) -> None:
    """A consent given by anybody but the subject is a request."""
    assert event_for(Action.GIVE, actor, purpose, NOTHING_KNOWN, NOTICE) is REQUESTED
    assert event_for(Action.GIVE, actor, purpose, after(GIVEN), NOTICE) is REQUESTED


def test_to_be_confirmed() -> None:
    """Where a purpose asks for confirmation, so is the subject's own."""
    assert event_for(Action.GIVE, THE_SUBJECT, CONFIRMED, NOTHING_KNOWN, NOTICE) is REQUESTED


@others
def test_no_by_others(actor: Actor) -> None:
    """A no by somebody else is a no."""
    for action, kind in ((Action.REFUSE, REFUSED), (Action.WITHDRAW, WITHDRAWN)):
        assert event_for(action, actor, CONFIRMED, NOTHING_KNOWN, NOTICE) is kind


@pytest.mark.parametrize(
    ("consent", "news"),
    [
        (NOTHING_KNOWN, False),
        (after(GIVEN), True),
        (EXPIRED, True),
        (after(REQUESTED), True),
        (after(REFUSED), False),
        (after(WITHDRAWN), False),
        (after(REVOKED), False),
        (after(REVOKED, REQUESTED), True),
        (after(OBJECTED), False),
    ],
    ids=[
        "nothing",
        "given",
        "run out",
        "asked",
        "refused",
        "withdrawn",
        "revoked",
        "asked again",
        "objected",
    ],
)
def test_revoking(consent: Consent, news: bool) -> None:
    """There is something to revoke where a consent was given last, or a request is unsettled."""
    assert revocation_changes(PLAIN, consent) is news


def test_revoking_an_opt_out() -> None:
    """Where the answer is yes although nobody said a word, that yes can be revoked, once."""
    opt_out = catalogues.purpose(catalogues.STATISTICS, basis=LegalBasis.LEGITIMATE_INTEREST)

    assert revocation_changes(opt_out, NOTHING_KNOWN)
    assert not revocation_changes(opt_out, after(REVOKED))
    assert not revocation_changes(opt_out, after(REFUSED))


def test_what_needs_a_notice() -> None:
    """What is about a text names it; saying no more never needs one."""
    assert sorted(one.name for one in NEEDS_NOTICE) == ["GIVE", "REFUSE", "REQUEST"]
    assert not NEEDS_NOTICE & ABOUT_OBJECTION
    assert Action.WITHDRAW not in NEEDS_NOTICE
