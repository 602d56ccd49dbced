"""What callers do beyond checks and updates, each in one line."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.support.wire import Wire

SUBJECT = shared.Actor(kind=shared.ACTOR_KIND_SUBJECT)
OPERATOR = shared.Actor(kind=shared.ACTOR_KIND_OPERATOR, id="op7")
RESELLER = shared.Actor(kind=shared.ACTOR_KIND_RESELLER, id="reseller42")
SYSTEM = shared.Actor(kind=shared.ACTOR_KIND_SYSTEM)


def stamp(microseconds: int) -> Timestamp:
    """A moment as a message."""
    timestamp = Timestamp()
    timestamp.FromMicroseconds(microseconds)
    return timestamp


def _instruction(wire: Wire, subject: str, options: dict[str, Any]) -> dict[str, Any]:
    usual = {"actor": OPERATOR, "channel": "letter", "request_id": wire.request_id()}
    return {"subject_id": subject, **usual, **options}


async def restrict(wire: Wire, subject: str, **options: Any) -> rights.RestrictProcessingResponse:
    """Freezes every purpose."""
    return await wire.rights.RestrictProcessing(
        rights.RestrictProcessingRequest(**_instruction(wire, subject, options))
    )


async def lift(wire: Wire, subject: str, **options: Any) -> rights.LiftRestrictionResponse:
    """Ends the freeze."""
    return await wire.rights.LiftRestriction(
        rights.LiftRestrictionRequest(**_instruction(wire, subject, options))
    )


async def report_death(wire: Wire, subject: str, **options: Any) -> rights.ReportDeathResponse:
    """Tells of a death."""
    return await wire.rights.ReportDeath(
        rights.ReportDeathRequest(**_instruction(wire, subject, options))
    )


async def direct(wire: Wire, subject: str, **options: Any) -> rights.RecordDirectionsResponse:
    """Says what is to become of somebody's data after their death: `erase=True`, for example."""
    wishes = {"erase", "keep_until_time", "none"}
    directions = shared.Directions(**{one: options.pop(one) for one in wishes & options.keys()})
    return await wire.rights.RecordDirections(
        rights.RecordDirectionsRequest(
            directions=directions, **_instruction(wire, subject, options)
        )
    )


async def erase(wire: Wire, subject: str, **options: Any) -> rights.EraseSubjectResponse:
    """Forgets a subject."""
    given = {"request_id": wire.request_id(), **options}
    return await wire.rights.EraseSubject(erase_request(subject, **given))


def erase_request(subject: str, **options: Any) -> rights.EraseSubjectRequest:
    """Asks to forget a subject."""
    usual: dict[str, Any] = {"actor": OPERATOR, "channel": "letter"}
    return rights.EraseSubjectRequest(subject_id=subject, **usual, **options)


async def revoke(
    wire: Wire, subject: str, *purposes: str, **options: Any
) -> rights.RevokeConsentsResponse:
    """Ends consents on an operator's authority."""
    return await wire.rights.RevokeConsents(
        rights.RevokeConsentsRequest(
            purpose_ids=purposes,
            **{
                "reason": shared.REVOCATION_REASON_SUBJECT_CHANGED,
                **_instruction(wire, subject, options),
            },
        )
    )


async def confirm(wire: Wire, token: str, **options: Any) -> consents.ConfirmConsentResponse:
    """Follows a confirmation link."""
    options = {"request_id": wire.request_id(), **options}
    return await wire.consents.ConfirmConsent(
        consents.ConfirmConsentRequest(token=token, **options)
    )


async def redeem(wire: Wire, token: str, **options: Any) -> consents.RedeemLinkResponse:
    """Follows a withdrawal link."""
    options = {"request_id": wire.request_id(), **options}
    return await wire.consents.RedeemLink(consents.RedeemLinkRequest(token=token, **options))


async def withdrawal_token(wire: Wire, subject: str, purpose: str) -> str:
    """The link that a mail to the subject would carry."""
    answer = await wire.check(subject, purpose, with_withdrawal_token=True)
    assert answer.decision.withdrawal_token
    return answer.decision.withdrawal_token


async def choices(wire: Wire, subject: str, **options: Any) -> consents.ListConsentsResponse:
    """Everything that a subject's panel shows."""
    return await wire.consents.ListConsents(
        consents.ListConsentsRequest(subject_id=subject, **options)
    )


async def state(wire: Wire, subject: str, purpose: str) -> shared.Consent:
    """One consent, as the panel sees it."""
    entries = (await choices(wire, subject)).consents
    return next(one.consent for one in entries if one.consent.purpose_id == purpose)


async def history(wire: Wire, subject: str) -> list[shared.ConsentEvent]:
    """A subject's events, all pages of them."""
    found: list[shared.ConsentEvent] = []
    token = ""
    while True:
        page = await wire.consents.ListConsentEvents(
            consents.ListConsentEventsRequest(subject_id=subject, page_token=token)
        )
        found += page.events
        token = page.next_page_token
        if not token:
            return found


async def log(wire: Wire) -> list[shared.ConsentEvent]:
    """The whole log, by pages."""
    found: list[shared.ConsentEvent] = []
    token = ""
    while True:
        page = await wire.events.ListEvents(events.ListEventsRequest(page_token=token))
        found += page.events
        token = page.next_page_token
        if page.at_head:
            return found


async def head(wire: Wire) -> int:
    """The position of the last event."""
    return (await log(wire))[-1].position


def kinds(happened: list[shared.ConsentEvent]) -> list[str]:
    """Names what happened, in order."""
    return [shared.EventKind.Name(one.kind).removeprefix("EVENT_KIND_") for one in happened]
