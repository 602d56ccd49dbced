"""Messages to the domain's words and back. Bad input is refused here, by the field's path."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from consentsvc.domain import identifiers
from consentsvc.domain.catalogue import LegalBasis, Notice, Purpose, Tracker, TrackerKind
from consentsvc.domain.changes import Action
from consentsvc.domain.consent import Consent, Standing
from consentsvc.domain.decision import Decision, Reason
from consentsvc.domain.errors import InvalidRequest, ScopeNotTaken
from consentsvc.domain.events import (
    Actor,
    ActorKind,
    Directions,
    Event,
    EventKind,
    Evidence,
    NoticeRef,
    Provenance,
    PublicationReport,
    ReportOutcome,
    RevocationReason,
    Signal,
    Wish,
    Withheld,
)
from consentsvc.domain.identifiers import START, Position, PurposeId
from consentsvc.domain.instants import Instant, instant
from consentsvc.domain.publication import listing
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach, Scope
from consentsvc.rpc import scopes
from consentsvc.service.consents import Change, ShownNotice
from consentsvc.service.ports import Published, SubjectRecord
from consentsvc.service.queries import Entry
from consentsvc.service.requests import Effect, Outcome
from consentsvc.v1 import consent_event_service_pb2 as event_messages
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_service_pb2 as consent_messages

_CHANNEL = re.compile(r"[a-z0-9_]{1,32}")
_TEXT = 1024
_SHA256 = 32
# Years that a calendar and a datetime both have, with room to add a validity.
_FIRST, _LAST = instant(datetime(1970, 1, 1, tzinfo=UTC)), instant(datetime(9000, 1, 1, tzinfo=UTC))

_ACTIONS = {
    consent_messages.CHANGE_ACTION_GIVE: Action.GIVE,
    consent_messages.CHANGE_ACTION_REFUSE: Action.REFUSE,
    consent_messages.CHANGE_ACTION_WITHDRAW: Action.WITHDRAW,
    consent_messages.CHANGE_ACTION_OBJECT: Action.OBJECT,
    consent_messages.CHANGE_ACTION_WITHDRAW_OBJECTION: Action.WITHDRAW_OBJECTION,
    consent_messages.CHANGE_ACTION_REQUEST: Action.REQUEST,
    consent_messages.CHANGE_ACTION_SIGNAL: Action.SIGNAL,
}
_ACTORS = {
    messages.ACTOR_KIND_SUBJECT: ActorKind.SUBJECT,
    messages.ACTOR_KIND_OPERATOR: ActorKind.OPERATOR,
    messages.ACTOR_KIND_RESELLER: ActorKind.RESELLER,
    messages.ACTOR_KIND_SYSTEM: ActorKind.SYSTEM,
}
_ACTORS_OUT = {kind: value for value, kind in _ACTORS.items()}
_REVOCATIONS = {
    messages.REVOCATION_REASON_SUBJECT_CHANGED: RevocationReason.SUBJECT_CHANGED,
    messages.REVOCATION_REASON_TRANSFERRED_AWAY: RevocationReason.TRANSFERRED_AWAY,
    messages.REVOCATION_REASON_LEGAL_BASIS_CHANGED: RevocationReason.LEGAL_BASIS_CHANGED,
    messages.REVOCATION_REASON_INVALID: RevocationReason.INVALID,
}
_REPORTS = {
    one: messages.ReportOutcome.Value(f"REPORT_OUTCOME_{one.name}") for one in ReportOutcome
}
_REVOCATIONS_OUT = {
    one: messages.RevocationReason.Value(f"REVOCATION_REASON_{one.name}")
    for one in RevocationReason
}
_WITHHELD = {one: messages.Withheld.Value(f"WITHHELD_{one.name}") for one in Withheld}
REASONS = {
    reason: messages.DecisionReason.Value(f"DECISION_REASON_{reason.name}") for reason in Reason
}
_SIGNALS = {signal: messages.Signal.Value(f"SIGNAL_{signal.name}") for signal in Signal}
_KINDS = {kind: messages.EventKind.Value(f"EVENT_KIND_{kind.name}") for kind in EventKind}
_BASES = {
    LegalBasis.CONSENT: messages.LEGAL_BASIS_CONSENT,
    LegalBasis.LEGITIMATE_INTEREST: messages.LEGAL_BASIS_LEGITIMATE_INTEREST,
}
_TRACKERS = {
    TrackerKind.COOKIE: messages.TRACKER_KIND_COOKIE,
    TrackerKind.LOCAL_STORAGE: messages.TRACKER_KIND_LOCAL_STORAGE,
    TrackerKind.PIXEL: messages.TRACKER_KIND_PIXEL,
}
_EFFECTS = {
    Effect.RECORDED: consent_messages.CHANGE_EFFECT_RECORDED,
    Effect.UNCHANGED: consent_messages.CHANGE_EFFECT_UNCHANGED,
    Effect.AWAITING_CONFIRMATION: consent_messages.CHANGE_EFFECT_AWAITING_CONFIRMATION,
}


# Coming in.


def moment(timestamp: Timestamp, field: str) -> Instant:
    """Accepts a moment from 1970 to the year 9000."""
    at = Instant(timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000)
    if not (0 <= timestamp.nanos < 1_000_000_000 and _FIRST <= at < _LAST):
        raise InvalidRequest.field(field, "must be a moment between the years 1970 and 9000")
    return at


def no_scope(scope: messages.Scope, field: str) -> None:
    """Refuses every scope."""
    for descriptor, _ in scope.ListFields():
        raise ScopeNotTaken.field(f"{field}.{descriptor.name}", "must be empty")


def actor(message: messages.Actor, field: str = "actor") -> Actor:
    """Accepts a known kind, and an id where one belongs."""
    kind = _ACTORS.get(message.kind)
    if kind is None:
        raise InvalidRequest.field(f"{field}.kind", "must say who asks for it")
    if kind is ActorKind.SUBJECT and message.id:
        raise InvalidRequest.field(f"{field}.id", "must be empty for the subject")
    if kind in {ActorKind.OPERATOR, ActorKind.RESELLER} or message.id:
        return Actor(kind, identifiers.actor_id(message.id, f"{field}.id"))
    return Actor(kind)


def somebody_else(message: messages.Actor) -> Actor:
    """Accepts any actor but the subject."""
    if message.kind == messages.ACTOR_KIND_SUBJECT:
        raise InvalidRequest.field("actor.kind", "must not be the subject")
    return actor(message)


def channel(value: str) -> str:
    """Accepts 1 to 32 characters of a-z, 0-9 and _."""
    if not _CHANNEL.fullmatch(value):
        raise InvalidRequest.field("channel", "must be 1 to 32 characters of a-z, 0-9 and _")
    return value


def evidence(message: messages.Evidence) -> Evidence:
    """Accepts texts of up to 1,024 characters; an empty one is no evidence.

    A user agent is cut to that length: whoever withdraws did not write it, and must not fail by it.
    """
    texts = {}
    for name in Evidence.__slots__:
        text = getattr(message, name)
        if name == "user_agent":
            text = text[:_TEXT]
        if len(text) > _TEXT:
            raise InvalidRequest.field(f"evidence.{name}", f"must be at most {_TEXT} characters")
        texts[name] = text or None
    return Evidence(**texts)


def change(message: consent_messages.ConsentChange, field: str) -> Change:
    """Accepts a change in itself; the catalogue has its say later."""
    try:
        scope = scopes.scope(message.scope, "scope") if message.HasField("scope") else None
        action = _ACTIONS.get(message.action)
        if action is None:
            raise InvalidRequest.field("action", "must say what is asked for")
        expected = None
        if message.HasField("expected_position"):
            if message.expected_position < 0:
                raise InvalidRequest.field("expected_position", "must be 0 or a position")
            expected = Position(message.expected_position)
        notice = shown(message.notice) if message.HasField("notice") else None
    except InvalidRequest as error:
        raise error.within(field) from error
    return Change(action, PurposeId(message.purpose_id), notice, expected, scope)


def directions(message: messages.Directions, now: Instant) -> Directions:
    """Accepts one wish; what is to be kept is so until a time to come."""
    match message.WhichOneof("wish"):
        case "keep_until_time":
            until = moment(message.keep_until_time, "directions.keep_until_time")
            if until <= now:
                raise InvalidRequest.field("directions.keep_until_time", "must lie in the future")
            return Directions(Wish.KEEP, until)
        case "erase" if message.erase:
            return Directions(Wish.ERASE)
        case "none" if message.none:
            return Directions(Wish.NONE)
        case None:
            raise InvalidRequest.field("directions", "must say what is wished")
        case field:
            raise InvalidRequest.field(f"directions.{field}", "must be true, if it is set")


def _directions_out(one: Directions) -> messages.Directions:
    if one.until is not None:
        return messages.Directions(keep_until_time=timestamp(one.until))
    erase = one.wish is Wish.ERASE
    return messages.Directions(erase=True) if erase else messages.Directions(none=True)


def revocation(
    value: messages.RevocationReason.ValueType, field: str = "reason"
) -> RevocationReason:
    """Accepts a known reason."""
    reason = _REVOCATIONS.get(value)
    if reason is None:
        raise InvalidRequest.field(field, "must say why")
    return reason


def kind(value: messages.EventKind.ValueType, field: str) -> EventKind:
    """Accepts a known kind."""
    for known, number in _KINDS.items():
        if number == value:
            return known
    raise InvalidRequest.field(field, "must say what happened")


def shown(message: messages.NoticeRef) -> ShownNotice:
    """Accepts the name of a notice, and its hash or none."""
    for name in ("version", "locale"):
        if not getattr(message, name):
            raise InvalidRequest.field(f"notice.{name}", "must not be empty")
    if message.sha256 and len(message.sha256) != _SHA256:
        raise InvalidRequest.field("notice.sha256", f"must be {_SHA256} bytes or empty")
    return ShownNotice(message.version, message.locale, message.sha256 or None)


# Going out.


def timestamp(at: Instant) -> Timestamp:
    """The same moment as a message."""
    seconds, micros = divmod(at, 1_000_000)
    return Timestamp(seconds=seconds, nanos=micros * 1_000)


def decision(decided: Decision, token: str | None = None) -> messages.Decision:
    """One decision, with its withdrawal token if it has one."""
    permitted, reason, position, notice, valid_until = decided
    return messages.Decision(
        answer=messages.ANSWER_PERMITTED if permitted else messages.ANSWER_NOT_PERMITTED,
        reason=REASONS[reason],
        position=position,
        notice=None if notice is None else notice_ref(notice),
        valid_until=None if valid_until is None else timestamp(valid_until),
        withdrawal_token=token or "",
    )


def notice_ref(notice: NoticeRef) -> messages.NoticeRef:
    """A notice's name and hash."""
    return messages.NoticeRef(version=notice.version, locale=notice.locale, sha256=notice.sha256)


def purpose(one: Purpose, locale: str) -> messages.Purpose:
    """An entry of the catalogue, in a locale that the catalogue has."""
    message = messages.Purpose(
        id=one.id,
        controller=messages.Controller(
            id=one.controller.id,
            name=one.controller.name,
            address=one.controller.address,
            contact=one.controller.contact,
            data_protection_officer=one.controller.data_protection_officer,
            authority=one.controller.authority,
        ),
        basis=_BASES[one.basis],
        needs_confirmation=one.needs_confirmation,
        notice=_notice(one.current.notices[locale]),
        trackers=[_tracker(tracker, locale) for tracker in one.trackers],
        takes_scope=one.takes_scope,
        heeds_signal=one.heeds_signal,
    )
    _set_validity(message, one)
    return message


def rule(one: Purpose) -> event_messages.PurposeRule:
    """By which rules the states of a purpose become decisions."""
    message = event_messages.PurposeRule(
        purpose_id=one.id,
        basis=_BASES[one.basis],
        valid_notice_versions=[
            version.version for version in one.versions if not one.superseded(version.version)
        ],
    )
    _set_validity(message, one)
    return message


def consent(purpose_id: PurposeId, state: Consent, scope: Scope | None = None) -> messages.Consent:
    """The state of one consent."""
    message = messages.Consent(
        purpose_id=purpose_id,
        position=state.position,
        scope=None if scope is None else scopes.scope_out(scope),
        objection_withdrawn_position=state.tolerated,
    )
    if state.choice is not None:
        choice = state.choice
        message.choice.kind = _KINDS[choice.kind]
        message.choice.position = choice.position
        message.choice.recorded_time.CopyFrom(timestamp(choice.recorded_at))
        message.choice.expired = choice.expired
        if choice.notice is not None:
            message.choice.notice.CopyFrom(notice_ref(choice.notice))
    if state.request is not None:
        request = state.request
        message.request.position = request.position
        message.request.recorded_time.CopyFrom(timestamp(request.recorded_at))
        message.request.expired = request.expired
        if request.notice is not None:
            message.request.notice.CopyFrom(notice_ref(request.notice))
    if state.objection is not None:
        message.objection_position = state.objection.position
        if state.objection.position != START:  # otherwise nobody knows when that was any more
            message.objection_recorded_time.CopyFrom(timestamp(state.objection.recorded_at))
        message.objection_by_signal = state.objection.by_signal
    return message


def entry(one: Entry) -> consent_messages.ConsentEntry:
    """A consent, and what follows from it."""
    return consent_messages.ConsentEntry(
        consent=consent(one.purpose, one.consent, one.scope), decision=decision(one.decision)
    )


def standing(state: Standing) -> messages.SubjectStanding:
    """What stands above every choice."""
    return messages.SubjectStanding(
        restriction_position=state.restriction, death_position=state.death
    )


def subject_state(record: SubjectRecord) -> event_messages.SubjectState:
    """All that is known of one subject."""
    return event_messages.SubjectState(
        subject_id=record.subject,
        pseudonym=record.pseudonym,
        standing=standing(record.standing),
        consents=[
            message
            for purpose_id, one in record.consents.items()
            for message in _consents(purpose_id, one, record.sayings.get(purpose_id))
        ],
    )


def _consents(
    purpose_id: PurposeId, state: Consent, sayings: Mapping[Reach, Sayings] | None
) -> list[messages.Consent]:
    """One for a purpose that is decided for the account, else one for whatever was said."""
    if not sayings:
        return [consent(purpose_id, state)]
    return [consent(purpose_id, one.consent, one.scope) for one in listing.stated(state, sayings)]


def event(one: Event, *, with_evidence: bool = False) -> messages.ConsentEvent:
    """An event; its evidence is for the subject's own panel only."""
    message = messages.ConsentEvent(
        position=one.position,
        kind=_KINDS[one.kind],
        recorded_time=timestamp(one.recorded_at),
        pseudonym=one.pseudonym or b"",
        purpose_id=one.purpose or "",
        notice=None if one.notice is None else notice_ref(one.notice),
        refers_to=one.refers_to,
    )
    if one.signal is not None:
        message.signal = _SIGNALS[one.signal]
    if one.withheld is not None:
        message.withheld = _WITHHELD[one.withheld]
    if one.since is not None:
        message.since_time.CopyFrom(timestamp(one.since))
    personal = one.personal
    if personal is not None:
        message.subject_id = personal.subject
        message.actor.kind = _ACTORS_OUT[personal.actor.kind]
        message.actor.id = personal.actor.id or ""
        message.channel = personal.channel
        if personal.claimed_at is not None:
            message.claimed_time.CopyFrom(timestamp(personal.claimed_at))
        if personal.revocation is not None:
            message.revocation_reason = _REVOCATIONS_OUT[personal.revocation]
        if personal.scope is not None:
            message.scope.CopyFrom(scopes.scope_out(personal.scope))
        if personal.report is not None:
            message.scope.CopyFrom(scopes.reach_out(personal.report.reach))
            message.report.CopyFrom(_report(personal.report))
        if with_evidence and personal.provenance is not None:
            message.provenance.CopyFrom(_provenance(personal.provenance))
        if with_evidence and personal.directions is not None:
            message.directions.CopyFrom(_directions_out(personal.directions))
        if with_evidence and personal.evidence != Evidence():
            for name in Evidence.__slots__:
                setattr(message.evidence, name, getattr(personal.evidence, name) or "")
    return message


def _provenance(one: Provenance) -> messages.Provenance:
    return messages.Provenance(
        source=one.source,
        actor=messages.Actor(kind=_ACTORS_OUT[one.actor.kind], id=one.actor.id or ""),
        channel=one.channel,
        log_origin=one.log or "",
        log_position=one.position or 0,
    )


def _report(one: PublicationReport) -> messages.PublicationReport:
    return messages.PublicationReport(
        outcome=_REPORTS[one.outcome],
        registry=one.registry,
        resolved_position=one.resolved_at,
        published_fields=scopes.fields_out(one.published),
        code=one.code,
    )


def outcome(
    one: Outcome, token: str | None = None, scope: Scope | None = None
) -> consent_messages.ChangeOutcome:
    """What became of one change."""
    return consent_messages.ChangeOutcome(
        purpose_id=one.purpose or "",
        effect=_EFFECTS[one.effect],
        position=one.position,
        confirmation_token=token or "",
        confirmation_expire_time=(
            None if one.confirm_before is None else timestamp(one.confirm_before)
        ),
        scope=None if scope is None else scopes.scope_out(scope),
    )


def effect(one: Effect) -> consent_messages.ChangeEffect.ValueType:
    """What a change led to."""
    return _EFFECTS[one]


def _set_validity(message: messages.Purpose | event_messages.PurposeRule, one: Purpose) -> None:
    if one.validity_months is None:
        message.until_withdrawn = True
    else:
        message.validity_months = one.validity_months


def published(one: Published) -> messages.Notice:
    """A notice as the log keeps it."""
    return messages.Notice(ref=notice_ref(one.notice), title=one.title, text=one.text)


def _notice(one: Notice) -> messages.Notice:
    ref = NoticeRef(one.version, one.locale, one.sha256)
    return messages.Notice(ref=notice_ref(ref), title=one.title, text=one.text)


def _tracker(one: Tracker, locale: str) -> messages.Tracker:
    return messages.Tracker(
        name=one.name,
        kind=_TRACKERS[one.kind],
        host=one.host,
        lifetime=one.lifetime[locale],
        goal=one.goal[locale],
    )
