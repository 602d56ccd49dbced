"""Imports: messages to the domain's words."""

from collections.abc import Sequence

from consentsvc.domain import identifiers
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.events import EventKind, RevocationReason
from consentsvc.domain.identifiers import PurposeId
from consentsvc.rpc import scopes, translate
from consentsvc.rpc.callers import Connection, caller
from consentsvc.rpc.limits import MAX_IMPORTED, refuse_large
from consentsvc.service.import_plans import Imported, Stated, Whence
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import subject_rights_service_pb2 as messages

# Whose word it is: nobody revokes their own consent, or reports their own death.
_OF_SOMEBODY_ELSE = frozenset({EventKind.CONSENT_REVOKED, EventKind.DEATH_REPORTED})


def whence(message: messages.ImportEventsRequest, context: Connection) -> Whence:
    """Accepts the first message of an import."""
    if not message.HasField("header"):
        raise InvalidRequest.field("header", "must come first")
    if message.events:
        raise InvalidRequest.field("events", "must come after the header")
    header = message.header
    try:
        return Whence(
            identifiers.source(header.source),
            translate.somebody_else(header.actor),
            translate.channel(header.channel),
            caller(context).id,
        )
    except InvalidRequest as error:
        raise error.within("header") from error


def events(message: messages.ImportEventsRequest) -> Sequence[Imported]:
    """Accepts any message of an import but the first."""
    if message.HasField("header"):
        raise InvalidRequest.field("header", "must come once")
    refuse_large(len(message.events), MAX_IMPORTED, "events")
    return [_imported(one, f"events[{index}]") for index, one in enumerate(message.events)]


def _imported(message: messages.ImportedEvent, field: str) -> Imported:
    try:
        import_id = identifiers.import_id(message.import_id)
        told: str | Stated
        match message.WhichOneof("content"):
            case "receipt":
                told = message.receipt
            case "stated":
                told = _stated(message.stated)
            case _:
                raise InvalidRequest.field("receipt", "must be there, or what is stated")
    except InvalidRequest as error:
        raise error.within(field) from error
    return Imported(import_id, message.SerializeToString(deterministic=True), told)


def _stated(message: messages.StatedEvent) -> Stated:
    try:
        kind = translate.kind(message.kind, "kind")
        named = translate.somebody_else if kind in _OF_SOMEBODY_ELSE else translate.actor
        if not message.HasField("claimed_time"):
            raise InvalidRequest.field("claimed_time", "must say when it happened")
        return Stated(
            kind,
            identifiers.subject_id(message.subject_id),
            named(message.actor),
            translate.channel(message.channel),
            translate.moment(message.claimed_time, "claimed_time"),
            PurposeId(message.purpose_id) if message.purpose_id else None,
            translate.shown(message.notice) if message.HasField("notice") else None,
            translate.evidence(message.evidence),
            scopes.scope(message.scope, "scope") if message.HasField("scope") else None,
            _revocation(kind, message),
        )
    except InvalidRequest as error:
        raise error.within("stated") from error


def _revocation(kind: EventKind, message: messages.StatedEvent) -> RevocationReason | None:
    reason = message.revocation_reason
    if kind is EventKind.CONSENT_REVOKED:
        return translate.revocation(reason, "revocation_reason")
    if reason != shared.REVOCATION_REASON_UNSPECIFIED:
        raise InvalidRequest.field("revocation_reason", "is not taken here")
    return None
