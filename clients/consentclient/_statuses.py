"""From statuses on the wire to errors: by the reason, and without one by the code."""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from consentclient import _errors as errors
from consentclient._errors import ConsentError, Violation
from consentsvc.v1 import consent_query_service_pb2 as query_messages
from consentsvc.v1 import error_reason_pb2
from consentsvc.v1 import publication_service_pb2 as publication_messages

_DOMAIN = "consentsvc"
_DETAILS = "grpc-status-details-bin"

_BY_REASON: dict[str, type[ConsentError]] = {
    "INVALID_FIELD": errors.InvalidRequest,
    "MALFORMED_MESSAGE": errors.MalformedMessage,
    "UNKNOWN_PURPOSE": errors.UnknownPurpose,
    "UNKNOWN_NOTICE": errors.UnknownNotice,
    "SCOPE_NOT_TAKEN": errors.ScopeNotTaken,
    "SCOPE_NEEDED": errors.ScopeNeeded,
    "INVALID_SCOPE": errors.InvalidScope,
    "ROLE_NOT_OFFERED": errors.RoleNotOffered,
    "EVENT_UNKNOWN": errors.EventUnknown,
    "SUBJECT_DECEASED": errors.SubjectDeceased,
    "PAST_NOT_KEPT": errors.PastNotKept,
    "NOTICE_NOT_PUBLISHED": errors.NoticeNotPublished,
    "LINK_UNKNOWN": errors.LinkUnknown,
    "CONFIRMATION_EXPIRED": errors.ConfirmationExpired,
    "CONFIRMATION_VOID": errors.ConfirmationVoid,
    "CONFIRMATION_USED": errors.ConfirmationUsed,
    "REQUEST_ID_REUSED": errors.RequestIdReused,
    "POSITION_CONFLICT": errors.PositionConflict,
    "POSITION_UNKNOWN": errors.PositionUnknown,
    "BATCH_TOO_LARGE": errors.BatchTooLarge,
    "RATE_EXCEEDED": errors.RateExceeded,
    "STORE_UNAVAILABLE": errors.ConsentUnavailable,
    "SHUTTING_DOWN": errors.ConsentUnavailable,
}

# Codes that gRPC itself or something on the way may send, and those whose meaning outlives every
# reason. One that is not here is a refusal that this client has no name for.
_BY_CODE: dict[grpc.StatusCode, type[ConsentError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: errors.AccessDenied,
    grpc.StatusCode.PERMISSION_DENIED: errors.AccessDenied,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.UNAVAILABLE: errors.ConsentUnavailable,
    grpc.StatusCode.CANCELLED: errors.ConsentUnavailable,
    grpc.StatusCode.UNKNOWN: errors.ConsentUnavailable,
    grpc.StatusCode.INTERNAL: errors.ConsentUnavailable,
    grpc.StatusCode.DATA_LOSS: errors.ConsentUnavailable,
    grpc.StatusCode.UNIMPLEMENTED: errors.ConsentUnavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ConsentUnavailable,
}
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_REASON_PREFIX = "ERROR_REASON_"


def from_call(error: grpc.aio.AioRpcError) -> ConsentError:
    """The error that a call ended with."""
    status = _status(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for known in (info, bad):
            detail.Unpack(known)
    if info.domain != _DOMAIN:
        info.Clear()
    violations = [Violation(one.field, one.description) for one in bad.field_violations]
    message = status.message or error.details() or error.code().name
    return _made(error.code(), message, info.reason or None, info.metadata, violations)


def from_item(
    item: query_messages.CheckError | publication_messages.PublicationError,
) -> ConsentError:
    """The error of one item of a batch: the class that a call about it alone would end with."""
    code = _CODES.get(item.code, grpc.StatusCode.UNKNOWN)
    reasons = error_reason_pb2.ErrorReason
    reason = (
        reasons.Name(item.reason).removeprefix(_REASON_PREFIX)
        if item.reason in reasons.values()
        else None
    )
    violations = [Violation(item.field, item.message)] if item.field else []
    return _made(code, item.message or code.name, reason, {}, violations)


def _made(
    code: grpc.StatusCode,
    message: str,
    reason: str | None,
    metadata: Mapping[str, str],
    violations: Sequence[Violation],
) -> ConsentError:
    kind = _BY_REASON.get(reason or "") or _BY_CODE.get(code, ConsentError)
    return kind(message, reason, metadata, violations)


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
