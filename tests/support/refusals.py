"""Errors as a caller meets them: the code, and the details that travel with it."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Refusal:
    """What a caller learns from an error. `reason` is empty for one that carries no ErrorInfo."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    retry_after: timedelta | None = None


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """Reads an error, and makes sure that its two forms agree."""
    refusal = Refusal(error.code(), error.details() or "")
    carried = [
        value
        for key, value in error.trailing_metadata() or ()
        if key == "grpc-status-details-bin" and isinstance(value, bytes)
    ]
    if not carried:
        return refusal
    status = status_pb2.Status.FromString(carried[0])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    for detail in status.details:
        if info := _unpacked(detail, error_details_pb2.ErrorInfo):
            refusal = replace(
                refusal, reason=info.reason, domain=info.domain, metadata=dict(info.metadata)
            )
        if bad := _unpacked(detail, error_details_pb2.BadRequest):
            assert all(one.description for one in bad.field_violations)
            refusal = replace(refusal, fields=tuple(one.field for one in bad.field_violations))
        if retry := _unpacked(detail, error_details_pb2.RetryInfo):
            refusal = replace(refusal, retry_after=retry.retry_delay.ToTimedelta())
    return refusal


async def refused(call: Awaitable[object]) -> Refusal:
    """Waits for a call that must end with an error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def _unpacked(detail: any_pb2.Any, kind: type[M]) -> M | None:
    found = kind()
    return found if detail.Unpack(found) else None
