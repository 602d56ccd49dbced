"""From the domain's errors to statuses on the wire. Only here is a status code chosen."""

from datetime import timedelta

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from consentsvc.domain import errors

DOMAIN = "consentsvc"
DETAILS = "grpc-status-details-bin"

_STATUS: dict[type[errors.Error], StatusCode] = {
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.MalformedMessage: StatusCode.INVALID_ARGUMENT,
    errors.UnknownPurpose: StatusCode.INVALID_ARGUMENT,
    errors.UnknownNotice: StatusCode.INVALID_ARGUMENT,
    errors.ScopeNotTaken: StatusCode.INVALID_ARGUMENT,
    errors.ScopeNeeded: StatusCode.INVALID_ARGUMENT,
    errors.InvalidScope: StatusCode.INVALID_ARGUMENT,
    errors.RoleNotOffered: StatusCode.INVALID_ARGUMENT,
    errors.NoticeNotPublished: StatusCode.NOT_FOUND,
    errors.EventUnknown: StatusCode.NOT_FOUND,
    errors.LinkUnknown: StatusCode.NOT_FOUND,
    errors.SubjectDeceased: StatusCode.FAILED_PRECONDITION,
    errors.PastNotKept: StatusCode.FAILED_PRECONDITION,
    errors.ConfirmationExpired: StatusCode.FAILED_PRECONDITION,
    errors.ConfirmationVoid: StatusCode.FAILED_PRECONDITION,
    errors.ConfirmationUsed: StatusCode.FAILED_PRECONDITION,
    errors.RequestIdReused: StatusCode.ALREADY_EXISTS,
    errors.PositionConflict: StatusCode.ABORTED,  # read again, then retry
    errors.PositionUnknown: StatusCode.OUT_OF_RANGE,  # a token of another log, or past the head
    errors.BatchTooLarge: StatusCode.RESOURCE_EXHAUSTED,
    errors.RateExceeded: StatusCode.RESOURCE_EXHAUSTED,
    errors.StoreUnavailable: StatusCode.UNAVAILABLE,  # safe to retry
    errors.ShuttingDown: StatusCode.UNAVAILABLE,
}


def code(error: errors.Error) -> StatusCode:
    """The status code of an error."""
    return _STATUS[type(error)]


def trailers(error: errors.Error) -> tuple[tuple[str, bytes], ...]:
    """The rich status of an error, as the trailing metadata that carries it."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.facts)
    details = [_packed(info)]
    if isinstance(error, errors.InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for one in error.violations:
            bad.field_violations.add(field=one.field, description=one.description)
        details.append(_packed(bad))
    if isinstance(error, errors.RateExceeded):
        delay = duration_pb2.Duration()
        delay.FromTimedelta(timedelta(milliseconds=int(error.facts["retry_after_ms"])))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    status = status_pb2.Status(code=code(error).value[0], message=error.message, details=details)
    return ((DETAILS, status.SerializeToString()),)


def _packed(
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
