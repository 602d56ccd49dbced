"""The client's words to messages."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from consentclient import _model as model
from consentclient import _words as words
from consentclient._decisions import NoticeRef
from consentclient._enums import ContactField, ContactRole, RevocationReason, Wish
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_service_pb2 as consent_messages
from consentsvc.v1 import subject_rights_service_pb2 as rights_messages

_ACTORS = {kind: value for value, kind in words.ACTORS.items()}
_REVOCATIONS = {reason: value for value, reason in words.REVOCATIONS.items()}
_KINDS = {kind: value for value, kind in words.KINDS.items()}
_FIELDS = {field: value for value, field in words.FIELDS.items()}
_ROLES = {one: value for value, one in words.ROLES.items()}
_REPORTS = {outcome: value for value, outcome in words.REPORTS.items()}
_ACTIONS = {action: value for value, action in words.ACTIONS.items()}


def timestamp(moment: datetime) -> Timestamp:
    """An aware datetime as a message; a naive one has no place on the time line."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def consistency(
    at_least_as_fresh: str | None, as_of: datetime | None = None
) -> messages.Consistency | None:
    """How fresh, or how old, an answer must be."""
    if at_least_as_fresh is not None and as_of is not None:
        raise ValueError("at_least_as_fresh and as_of do not go together")
    if as_of is not None:
        return messages.Consistency(as_of_time=timestamp(as_of))
    if at_least_as_fresh is not None:
        return messages.Consistency(at_least_as_fresh=fresh(at_least_as_fresh))
    return None


def fresh(token: str | None) -> str:
    """A token, or none; an empty one was lost on the way, and would be taken for none."""
    if token == "":
        raise ValueError("at_least_as_fresh must not be empty")
    return token or ""


def actor(one: model.Actor) -> messages.Actor:
    """An actor of a kind that can be sent."""
    if one.kind not in _ACTORS:
        raise ValueError("an actor of kind OTHER can only be read")
    return messages.Actor(kind=_ACTORS[one.kind], id=one.id or "")


def evidence(one: model.Evidence | None) -> messages.Evidence | None:
    """Evidence, if there is any."""
    if one is None:
        return None
    return messages.Evidence(
        session_reference=one.session_reference or "",
        form_version=one.form_version or "",
        action=one.action or "",
        ip_address=one.ip_address or "",
        user_agent=one.user_agent or "",
    )


def change(one: model.Change) -> consent_messages.ConsentChange:
    """One change."""
    return consent_messages.ConsentChange(
        purpose_id=one.purpose_id,
        action=_ACTIONS[one.action],
        notice=None if one.notice is None else _notice_ref(one.notice),
        expected_position=one.expected_position,
        scope=scope(one.scope),
    )


def scope(one: model.Scope | None) -> messages.Scope | None:
    """A scope, if there is any."""
    if one is None:
        return None
    return messages.Scope(
        contact_id=one.contact_id or "",
        domain=one.domain or "",
        role=(messages.CONTACT_ROLE_UNSPECIFIED if one.role is None else _ROLES[one.role]),
        fields=fields(one.fields),
    )


def fields(given: Iterable[ContactField]) -> list[messages.ContactField.ValueType]:
    """Fields, in one order."""
    return sorted(_FIELDS[one] for one in given)


def role(one: ContactRole) -> messages.ContactRole.ValueType:
    """A role."""
    return _ROLES[one]


def report(one: model.PublicationReport) -> messages.PublicationReport:
    """A report with an outcome that can be sent."""
    if one.outcome not in _REPORTS:
        raise ValueError("a report with the outcome OTHER can only be read")
    return messages.PublicationReport(
        outcome=_REPORTS[one.outcome],
        registry=one.registry,
        resolved_position=one.resolved_position,
        published_fields=fields(one.published_fields),
        code=one.code,
    )


def imported(one: model.ImportedEvent) -> rights_messages.ImportedEvent:
    """One event of elsewhere."""
    if isinstance(one.told, str):
        return rights_messages.ImportedEvent(import_id=one.import_id, receipt=one.told)
    told = one.told
    if told.kind not in _KINDS:
        raise ValueError("an event of kind OTHER can only be read")
    return rights_messages.ImportedEvent(
        import_id=one.import_id,
        stated=rights_messages.StatedEvent(
            subject_id=told.subject_id,
            kind=_KINDS[told.kind],
            purpose_id=told.purpose_id or "",
            notice=None if told.notice is None else _notice_ref(told.notice),
            claimed_time=timestamp(told.claimed_time),
            actor=actor(told.actor),
            channel=told.channel,
            evidence=evidence(told.evidence),
            scope=scope(told.scope),
            revocation_reason=(
                messages.REVOCATION_REASON_UNSPECIFIED
                if told.revocation_reason is None
                else revocation(told.revocation_reason)
            ),
        ),
    )


def reader(one: model.Actor | None) -> messages.Actor | None:
    """Who reads; nobody stands for the subject."""
    return None if one is None else actor(one)


def directions(one: model.Directions) -> messages.Directions:
    """A wish for after death; `TypeError` for a wish and a date that do not go together."""
    if (one.until is not None) != (one.wish is Wish.KEEP) or one.wish is Wish.OTHER:
        raise TypeError("a wish to keep has a date, and no other has")
    if one.until is not None:
        return messages.Directions(keep_until_time=timestamp(one.until))
    erase = one.wish is Wish.ERASE
    return messages.Directions(erase=True) if erase else messages.Directions(none=True)


def revocation(reason: RevocationReason) -> messages.RevocationReason.ValueType:
    """A reason that can be sent."""
    if reason not in _REVOCATIONS:
        raise ValueError("a revocation for the reason OTHER can only be read")
    return _REVOCATIONS[reason]


def request_id(given: str | None) -> str:
    """The caller's id of a request, or a new one: made once for all attempts of a call."""
    return uuid.uuid4().hex if given is None else given


def _notice_ref(one: NoticeRef) -> messages.NoticeRef:
    return messages.NoticeRef(version=one.version, locale=one.locale, sha256=one.sha256 or b"")
