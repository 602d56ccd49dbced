"""Messages to the client's words.

What cannot be read raises `AnswerNotUnderstood`, or an error of the standard library that the
connection turns into it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from consentclient import _model as model
from consentclient import _outgoing as outgoing
from consentclient import _words as words
from consentclient._decisions import Decision, NoticeRef
from consentclient._enums import (
    ActorKind,
    Effect,
    EventKind,
    LegalBasis,
    LinkKind,
    Reason,
    ReportOutcome,
    RevocationReason,
    Signal,
    TrackerKind,
    Wish,
    Withheld,
)
from consentclient._errors import AnswerNotUnderstood
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_service_pb2 as consent_messages
from consentsvc.v1 import subject_rights_service_pb2 as rights_messages
from consentsvc.v1.proof_service_pb2 import GetCheckpointResponse

Changed: TypeAlias = (
    consent_messages.UpdateConsentsResponse
    | rights_messages.RevokeConsentsResponse
    | rights_messages.LinkSubjectsResponse
)
Stood: TypeAlias = (
    rights_messages.RestrictProcessingResponse
    | rights_messages.LiftRestrictionResponse
    | rights_messages.RecordDirectionsResponse
)


def decision(message: messages.Decision, read_at: str) -> Decision:
    """A decision: yes or no, or it is no decision."""
    permitted = words.PERMITTED.get(message.answer)
    if permitted is None:
        raise AnswerNotUnderstood("the answer is neither yes nor no")
    return Decision(
        permitted,
        words.REASONS.get(message.reason, Reason.OTHER),
        message.position if message.HasField("position") else None,
        notice_ref(message.notice) if message.HasField("notice") else None,
        moment(message.valid_until) if message.HasField("valid_until") else None,
        read_at,
        message.withdrawal_token or None,
    )


def notice_ref(message: messages.NoticeRef) -> NoticeRef:
    """A notice's name and hash."""
    return NoticeRef(message.version, message.locale, message.sha256 or None)


def notice(message: messages.Notice) -> model.Notice:
    """The text of a notice, and its name."""
    return model.Notice(notice_ref(message.ref), message.title, message.text)


def purposes(message: consent_messages.ListPurposesResponse) -> list[model.Purpose]:
    """The catalogue."""
    return [_purpose(one) for one in message.purposes]


def consents(message: consent_messages.ListConsentsResponse) -> model.Consents:
    """One page of a subject's consents."""
    return model.Consents(
        entries=_entries(message.consents, message.read_at),
        standing=_standing(message.standing),
        read_at=message.read_at,
    )


def exported(message: rights_messages.ExportSubjectResponse) -> model.ExportPart:
    """A part of an export, but for events whose scope this client does not understand."""
    pairs = [(events([one.event]), one.receipt) for one in message.events]
    return model.ExportPart(
        record=_record(message.record) if message.HasField("record") else None,
        events=tuple(event for found, _ in pairs for event in found),
        receipts=tuple(receipt for found, receipt in pairs if found and receipt),
        notices=tuple(
            model.ExportedNotice(one.purpose_id, notice(one.notice)) for one in message.notices
        ),
    )


def _record(message: rights_messages.ExportedRecord) -> model.ExportedRecord:
    return model.ExportedRecord(
        subject_id=message.subject_id,
        consents=_entries(message.consents, message.read_at),
        standing=_standing(message.standing),
        event_count=message.event_count,
        read_position=message.read_position,
        export_time=moment(message.export_time),
        kept_proofs=tuple(map(_kept_proof, message.kept_proofs)),
    )


def _kept_proof(message: rights_messages.KeptProof) -> model.KeptProof:
    return model.KeptProof(
        message.purpose_id, tuple(message.positions), moment(message.expire_time)
    )


def _entries(
    entries: Iterable[consent_messages.ConsentEntry], read_at: str
) -> tuple[model.ConsentEntry, ...]:
    return tuple(
        model.ConsentEntry(_consent(one.consent), decision(one.decision, read_at))
        for one in entries
        if _is_understood(one.consent.scope)
    )


def updated(message: Changed) -> model.Updated:
    """What became of changes."""
    return model.Updated(tuple(_outcome(one) for one in message.outcomes), message.written_at)


def confirmed(message: consent_messages.ConfirmConsentResponse) -> model.Confirmed:
    """What a confirmation link gave."""
    return model.Confirmed(message.purpose_id, message.position, message.written_at)


def redeemed(message: consent_messages.RedeemLinkResponse) -> model.Redeemed:
    """What a withdrawal link took back."""
    return model.Redeemed(message.purpose_id, _effect(message.effect), message.written_at)


def recorded(message: Stood) -> model.Recorded:
    """What became of a word about a subject as a whole."""
    return model.Recorded(_effect(message.effect), message.written_at)


def erased(message: rights_messages.EraseSubjectResponse) -> model.Erased:
    """What became of an erasure."""
    return model.Erased(
        message.position or None,
        tuple(message.late_follower_ids),
        tuple(map(_kept_proof, message.kept_proofs)),
        message.written_at,
    )


def import_counts(message: rights_messages.ImportEventsResponse) -> model.ImportCounts:
    """What became of imported events."""
    return model.ImportCounts(
        message.recorded_count,
        message.requested_count,
        message.repeated_count,
        message.skipped_count,
        message.written_at,
    )


def died(message: rights_messages.ReportDeathResponse) -> model.Died:
    """What became of the report of a death."""
    erase_time = moment(message.erase_time) if message.HasField("erase_time") else None
    return model.Died(_effect(message.effect), message.written_at, erase_time)


def checkpoint(message: GetCheckpointResponse) -> model.SignedCheckpoint | None:
    """A signed state of the log, None before the first."""
    if not message.checkpoint:
        return None
    return model.SignedCheckpoint(message.checkpoint, message.tree_size, message.verifier_key)


def events(found: Iterable[messages.ConsentEvent]) -> tuple[model.ConsentEvent, ...]:
    """A stretch of the log, but for events whose scope this client does not understand."""
    return tuple(
        _event(one)
        for one in found
        if _is_understood(
            one.scope, with_fields=one.kind != messages.EVENT_KIND_PUBLICATION_REPORTED
        )
    )


def link(message: consent_messages.DescribeLinkResponse) -> model.Link:
    """What a link is for."""
    return model.Link(words.LINKS.get(message.kind, LinkKind.OTHER), message.purpose_id)


def history_page(message: consent_messages.ListConsentEventsResponse) -> model.HistoryPage:
    """A page of a subject's history."""
    return model.HistoryPage(events(message.events), message.total_size)


def _standing(message: messages.SubjectStanding) -> model.Standing:
    return model.Standing(
        message.restriction_position if message.HasField("restriction_position") else None,
        message.death_position if message.HasField("death_position") else None,
    )


def _outcome(message: consent_messages.ChangeOutcome) -> model.Outcome:
    return model.Outcome(
        purpose_id=message.purpose_id,
        effect=_effect(message.effect),
        position=message.position if message.HasField("position") else None,
        confirmation_token=message.confirmation_token or None,
        confirm_before=(
            moment(message.confirmation_expire_time)
            if message.HasField("confirmation_expire_time")
            else None
        ),
        scope=scope(message.scope),
    )


def _effect(value: consent_messages.ChangeEffect.ValueType) -> Effect:
    return words.EFFECTS.get(value, Effect.OTHER)


def _event(message: messages.ConsentEvent) -> model.ConsentEvent:
    return model.ConsentEvent(
        position=message.position,
        kind=words.KINDS.get(message.kind, EventKind.OTHER),
        recorded_time=moment(message.recorded_time),
        claimed_time=moment(message.claimed_time) if message.HasField("claimed_time") else None,
        pseudonym=message.pseudonym or None,
        subject_id=message.subject_id or None,
        purpose_id=message.purpose_id or None,
        notice=notice_ref(message.notice) if message.HasField("notice") else None,
        actor=_actor(message.actor),
        channel=message.channel or None,
        refers_to=message.refers_to if message.HasField("refers_to") else None,
        revocation_reason=_revocation(message.revocation_reason),
        evidence=_evidence(message.evidence) if message.HasField("evidence") else None,
        scope=scope(message.scope),
        report=_report(message.report) if message.HasField("report") else None,
        signal=words.SIGNALS.get(message.signal, Signal.OTHER) if message.signal else None,
        directions=_directions(message.directions) if message.HasField("directions") else None,
        withheld=(
            words.WITHHELD.get(message.withheld, Withheld.OTHER) if message.withheld else None
        ),
        since_time=moment(message.since_time) if message.HasField("since_time") else None,
        provenance=_provenance(message.provenance) if message.HasField("provenance") else None,
    )


def _provenance(message: messages.Provenance) -> model.Provenance:
    return model.Provenance(
        message.source,
        model.Actor(
            words.ACTORS.get(message.actor.kind, ActorKind.OTHER), message.actor.id or None
        ),
        message.channel,
        message.log_origin or None,
        message.log_position or None,
    )


def _directions(message: messages.Directions) -> model.Directions:
    match message.WhichOneof("wish"):
        case "erase":
            return model.Directions(Wish.ERASE)
        case "keep_until_time":
            return model.Directions(Wish.KEEP, moment(message.keep_until_time))
        case "none":
            return model.Directions(Wish.NONE)
    return model.Directions(Wish.OTHER)


def moment(message: Timestamp) -> datetime:
    """A moment as an aware datetime in UTC."""
    return message.ToDatetime(UTC)


def _purpose(message: messages.Purpose) -> model.Purpose:
    return model.Purpose(
        id=message.id,
        controller=model.Controller(
            message.controller.id,
            message.controller.name,
            message.controller.address,
            message.controller.contact,
            message.controller.data_protection_officer,
            message.controller.authority,
        ),
        basis=words.BASES.get(message.basis, LegalBasis.OTHER),
        validity_months=_validity(message),
        needs_confirmation=message.needs_confirmation,
        notice=notice(message.notice),
        trackers=tuple(
            model.Tracker(
                one.name,
                words.TRACKERS.get(one.kind, TrackerKind.OTHER),
                one.host,
                one.lifetime,
                one.goal,
            )
            for one in message.trackers
        ),
        takes_scope=message.takes_scope,
        heeds_signal=message.heeds_signal,
    )


def _validity(message: messages.Purpose) -> int | None:
    match message.WhichOneof("validity"):
        case "validity_months":
            return message.validity_months
        case "until_withdrawn":
            return None
        case _:
            raise AnswerNotUnderstood("a purpose does not say how long a consent lasts")


def scope(message: messages.Scope) -> model.Scope | None:
    """A scope, None for one without anything in it."""
    if message.ByteSize() == 0:
        return None
    return model.Scope(
        fields=frozenset(words.FIELDS[one] for one in message.fields),
        contact_id=message.contact_id or None,
        domain=message.domain or None,
        role=(
            None if message.role == messages.CONTACT_ROLE_UNSPECIFIED else words.ROLES[message.role]
        ),
    )


def _is_understood(message: messages.Scope, *, with_fields: bool = True) -> bool:
    # Whatever a newer service has put there narrows it, or widens it: neither is to be guessed.
    if with_fields and message.ByteSize() and not message.fields:
        return False
    try:
        understood = outgoing.scope(scope(message))
    except LookupError:
        return False
    return message.ByteSize() == (0 if understood is None else understood.ByteSize())


def _report(message: messages.PublicationReport) -> model.PublicationReport:
    return model.PublicationReport(
        words.REPORTS.get(message.outcome, ReportOutcome.OTHER),
        message.registry,
        message.resolved_position,
        frozenset(words.FIELDS[one] for one in message.published_fields if one in words.FIELDS),
        message.code if message.HasField("code") else None,
    )


def _consent(message: messages.Consent) -> model.Consent:
    choice, request = message.choice, message.request
    return model.Consent(
        purpose_id=message.purpose_id,
        choice=(
            model.Choice(
                words.KINDS.get(choice.kind, EventKind.OTHER),
                choice.position,
                moment(choice.recorded_time),
                notice_ref(choice.notice) if choice.HasField("notice") else None,
                choice.expired,
            )
            if message.HasField("choice")
            else None
        ),
        request=(
            model.PendingRequest(
                request.position,
                moment(request.recorded_time),
                notice_ref(request.notice) if request.HasField("notice") else None,
                request.expired,
            )
            if message.HasField("request")
            else None
        ),
        objection_position=(
            message.objection_position if message.HasField("objection_position") else None
        ),
        position=message.position,
        scope=scope(message.scope),
        objection_by_signal=message.objection_by_signal,
        objection_withdrawn_position=(
            message.objection_withdrawn_position
            if message.HasField("objection_withdrawn_position")
            else None
        ),
        objection_recorded_time=(
            moment(message.objection_recorded_time)
            if message.HasField("objection_recorded_time")
            else None
        ),
    )


def _actor(message: messages.Actor) -> model.Actor | None:
    if message.kind == messages.ACTOR_KIND_UNSPECIFIED:
        return None
    return model.Actor(words.ACTORS.get(message.kind, ActorKind.OTHER), message.id or None)


def _revocation(value: messages.RevocationReason.ValueType) -> RevocationReason | None:
    if value == messages.REVOCATION_REASON_UNSPECIFIED:
        return None
    return words.REVOCATIONS.get(value, RevocationReason.OTHER)


def _evidence(message: messages.Evidence) -> model.Evidence:
    return model.Evidence(
        message.session_reference or None,
        message.form_version or None,
        message.action or None,
        message.ip_address or None,
        message.user_agent or None,
    )
