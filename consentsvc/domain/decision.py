"""From state, purpose and time to an answer with its reason: one function for every caller."""

from collections.abc import Container
from datetime import timedelta
from typing import NamedTuple

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.consent import Consent, Request, Standing
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant, add, add_months
from consentsvc.domain.words import Word

REQUEST_OPEN_FOR = timedelta(days=30)
"""How long a request waits for the subject: 30 × 24 hours, whatever the calendar says."""


class Reason(Word):
    """Why a decision is what it is; `decide` looks for them in one fixed order."""

    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    EXPIRED = "expired"
    NOTICE_SUPERSEDED = "notice_superseded"
    CONSENT_GIVEN = "consent_given"
    NOT_OBJECTED = "not_objected"
    NEVER_ASKED = "never_asked"
    PENDING_CONFIRMATION = "pending_confirmation"


class Decision(NamedTuple):
    """The answer, and everything that justifies it.

    `position` and `notice` are those of the event that decided, None if none did. `valid_until` is
    the first moment at which time alone changes the answer; from then on it is no.
    """

    permitted: bool
    reason: Reason
    position: Position | None = None
    notice: NoticeRef | None = None
    valid_until: Instant | None = None


_NO = {
    EventKind.CONSENT_REVOKED: Reason.REVOKED,
    EventKind.CONSENT_WITHDRAWN: Reason.WITHDRAWN,
    EventKind.CONSENT_REFUSED: Reason.REFUSED,
}
_NOT_OBJECTED = Decision(permitted=True, reason=Reason.NOT_OBJECTED)
_NEVER_ASKED = Decision(permitted=False, reason=Reason.NEVER_ASKED)


def decide(
    purpose: Purpose,
    consent: Consent,
    standing: Standing,
    now: Instant,
    published: Container[str] | None = None,
) -> Decision:
    """Decides whether the purpose may be pursued at `now`.

    `published` holds the versions of the purpose's notices that were published by `now`; None
    stands for all of the catalogue's, which is right for the present.
    """
    if standing.death is not None:
        return Decision(permitted=False, reason=Reason.DECEASED, position=standing.death)
    if standing.restriction is not None:
        return Decision(permitted=False, reason=Reason.RESTRICTED, position=standing.restriction)
    if consent.objection is not None:
        at = consent.objection.position
        return Decision(permitted=False, reason=Reason.OBJECTED, position=at)
    by_choice = _by_choice(purpose, consent, now, published)
    if by_choice.permitted or consent.request is None:
        return by_choice
    return _by_request(consent.request, now)


def ran_out(purpose: Purpose | None, consent: Consent, now: Instant) -> list[Position]:
    """Names what has run out by `now` and is not yet marked so: a consent, a request, or both.

    A purpose that has left the catalogue has no validity any more; its requests still run out.
    """
    positions = []
    choice, request = consent.choice, consent.request
    months = None if purpose is None else purpose.validity_months
    given = choice is not None and choice.kind is EventKind.CONSENT_GIVEN and not choice.expired
    if choice and given and months and now >= add_months(choice.recorded_at, months):
        positions.append(choice.position)
    if request is not None and not request.expired and now >= request_ends(request):
        positions.append(request.position)
    return positions


def request_ends(request: Request) -> Instant:
    """The moment from which a request can no longer be confirmed."""
    return add(request.recorded_at, REQUEST_OPEN_FOR)


def _by_choice(
    purpose: Purpose, consent: Consent, now: Instant, published: Container[str] | None
) -> Decision:
    choice = consent.choice
    if choice is None:
        return _NOT_OBJECTED if purpose.basis is LegalBasis.LEGITIMATE_INTEREST else _NEVER_ASKED
    kind, position, recorded_at, notice, expired = choice
    if kind is not EventKind.CONSENT_GIVEN:
        return Decision(False, _NO[kind], position, notice)
    months = purpose.validity_months
    ends = None if months is None else add_months(recorded_at, months)
    if expired or (ends is not None and now >= ends):
        return Decision(False, Reason.EXPIRED, position, notice)
    if notice is None or purpose.superseded(notice.version, published):
        return Decision(False, Reason.NOTICE_SUPERSEDED, position, notice, ends)
    return Decision(True, Reason.CONSENT_GIVEN, position, notice, ends)


def _by_request(request: Request, now: Instant) -> Decision:
    ends = request_ends(request)
    if request.expired or now >= ends:
        return Decision(False, Reason.EXPIRED, request.position, request.notice)
    return Decision(False, Reason.PENDING_CONFIRMATION, request.position, request.notice, ends)
