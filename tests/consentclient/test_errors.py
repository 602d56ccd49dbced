"""The contract's errors arrive as classes of their own; nothing of gRPC ever does."""

import pickle
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from consentclient import (
    AccessDenied,
    Action,
    Actor,
    ActorKind,
    AnswerNotUnderstood,
    AsyncConsentClient,
    BatchTooLarge,
    Change,
    ConfirmationExpired,
    ConfirmationUsed,
    ConfirmationVoid,
    ConsentError,
    ConsentUnavailable,
    DeadlineExceeded,
    EventUnknown,
    InvalidRequest,
    InvalidScope,
    LinkUnknown,
    MalformedMessage,
    NoticeNotPublished,
    NoticeRef,
    PastNotKept,
    PositionConflict,
    PositionUnknown,
    RateExceeded,
    RequestIdReused,
    Retry,
    RevocationReason,
    RoleNotOffered,
    ScopeNeeded,
    ScopeNotTaken,
    SubjectDeceased,
    UnknownNotice,
    UnknownPurpose,
    Violation,
)
from consentclient._statuses import from_call, from_item
from consentsvc.domain.catalogue import Catalogue
from consentsvc.v1 import consent_query_service_pb2 as messages
from consentsvc.v1 import error_reason_pb2
from consentsvc.v1.error_reason_pb2 import ErrorReason
from tests.consentclient.both import opened
from tests.consentclient.servers import HeldStore, Service, Sleeps, made_up, token_of_another_log
from tests.support.catalogues import NEWSLETTER, RESELLER_NEWSLETTER
from tests.support.clock import FakeClock

NOTICE = NoticeRef("1", "en")
CLASSES = {
    "INVALID_FIELD": InvalidRequest,
    "MALFORMED_MESSAGE": MalformedMessage,
    "UNKNOWN_PURPOSE": UnknownPurpose,
    "UNKNOWN_NOTICE": UnknownNotice,
    "SCOPE_NOT_TAKEN": ScopeNotTaken,
    "SCOPE_NEEDED": ScopeNeeded,
    "INVALID_SCOPE": InvalidScope,
    "ROLE_NOT_OFFERED": RoleNotOffered,
    "EVENT_UNKNOWN": EventUnknown,
    "SUBJECT_DECEASED": SubjectDeceased,
    "PAST_NOT_KEPT": PastNotKept,
    "NOTICE_NOT_PUBLISHED": NoticeNotPublished,
    "LINK_UNKNOWN": LinkUnknown,
    "CONFIRMATION_EXPIRED": ConfirmationExpired,
    "CONFIRMATION_VOID": ConfirmationVoid,
    "CONFIRMATION_USED": ConfirmationUsed,
    "REQUEST_ID_REUSED": RequestIdReused,
    "POSITION_CONFLICT": PositionConflict,
    "POSITION_UNKNOWN": PositionUnknown,
    "BATCH_TOO_LARGE": BatchTooLarge,
    "RATE_EXCEEDED": RateExceeded,
    "STORE_UNAVAILABLE": ConsentUnavailable,
    "SHUTTING_DOWN": ConsentUnavailable,
}


async def _requested(client: AsyncConsentClient) -> str:
    updated = await client.give("ann", RESELLER_NEWSLETTER, NOTICE, channel="panel")
    token = updated.outcomes[0].confirmation_token
    assert token is not None
    return token


async def _invalid_field(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.check("with space", NEWSLETTER)


async def _unknown_purpose(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.check("ann", "nothing")


async def _unknown_notice(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.give("ann", NEWSLETTER, NoticeRef("1", "en", bytes(32)), channel="panel")


async def _link_unknown(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.confirm("made up")


async def _notice_not_published(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.get_notice(NEWSLETTER, "99", "en")


async def _confirmation_expired(client: AsyncConsentClient, clock: FakeClock) -> None:
    token = await _requested(client)
    clock.advance(timedelta(days=30))
    await client.confirm(token)


async def _confirmation_void(client: AsyncConsentClient, clock: FakeClock) -> None:
    token = await _requested(client)
    await client.refuse("ann", RESELLER_NEWSLETTER, NOTICE, channel="panel")
    await client.confirm(token)


async def _confirmation_used(client: AsyncConsentClient, clock: FakeClock) -> None:
    token = await _requested(client)
    await client.confirm(token)
    await client.confirm(token)


async def _request_id_reused(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.withdraw("ann", NEWSLETTER, channel="panel", request_id="mine")
    await client.withdraw("bob", NEWSLETTER, channel="panel", request_id="mine")


async def _position_conflict(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.give("ann", NEWSLETTER, NOTICE, channel="panel", expected_position=5)


async def _position_unknown(client: AsyncConsentClient, clock: FakeClock) -> None:
    token = await token_of_another_log(clock)
    await client.check("ann", NEWSLETTER, at_least_as_fresh=token)


async def _batch_too_large(client: AsyncConsentClient, clock: FakeClock) -> None:
    changes = [Change(NEWSLETTER, Action.WITHDRAW) for _ in range(101)]
    await client.update("ann", changes, channel="panel")


async def _purpose_to_revoke(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.revoke(
        "ann",
        ["nothing"],
        reason=RevocationReason.INVALID,
        actor=Actor(ActorKind.SYSTEM),
        channel="job",
    )


async def _event_unknown(client: AsyncConsentClient, clock: FakeClock) -> None:
    await client.receipt("ann", 1)


async def _cursor_unknown(client: AsyncConsentClient, clock: FakeClock) -> None:
    async for _ in client.watch(start_position=1_000):
        pass


async def _subject_in_history(client: AsyncConsentClient, clock: FakeClock) -> None:
    async for _ in client.history(""):
        pass


@pytest.mark.parametrize(
    ("provoke", "expected", "fields"),
    [
        (_invalid_field, InvalidRequest, ["subject_id"]),
        (_subject_in_history, InvalidRequest, ["subject_id"]),
        (_unknown_purpose, UnknownPurpose, ["purpose_id"]),
        (_purpose_to_revoke, UnknownPurpose, ["purpose_ids[0]"]),
        (_unknown_notice, UnknownNotice, ["changes[0].notice.sha256"]),
        (_event_unknown, EventUnknown, []),
        (_notice_not_published, NoticeNotPublished, []),
        (_link_unknown, LinkUnknown, []),
        (_confirmation_expired, ConfirmationExpired, []),
        (_confirmation_void, ConfirmationVoid, []),
        (_confirmation_used, ConfirmationUsed, []),
        (_request_id_reused, RequestIdReused, []),
        (_position_conflict, PositionConflict, []),
        (_position_unknown, PositionUnknown, []),
        (_cursor_unknown, PositionUnknown, []),
        (_batch_too_large, BatchTooLarge, []),
    ],
)
async def test_error_arrives_as_its_class(
    client: AsyncConsentClient,
    clock: FakeClock,
    provoke: Callable[[AsyncConsentClient, FakeClock], Awaitable[None]],
    expected: type[ConsentError],
    fields: list[str],
) -> None:
    """Each error of a real server arrives as the class of its reason, with what is wrong."""
    with pytest.raises(ConsentError) as caught:
        await provoke(client, clock)

    error = caught.value
    assert type(error) is expected
    assert CLASSES[error.reason or ""] is expected
    assert [one.field for one in error.violations] == fields
    assert str(error) == error.message != ""
    assert error.__cause__ is None


async def test_rate_exceeded_says_when(
    store: HeldStore, catalogue: Catalogue, clock: FakeClock, kind: str
) -> None:
    """A caller that is too fast is told how long to wait."""
    async with (
        Service(store, catalogue, clock, rate=1) as service,
        opened(kind, service.target) as client,
    ):
        with pytest.raises(RateExceeded) as caught:
            await _hurry(client)

    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 1


async def _hurry(client: AsyncConsentClient) -> None:
    for _ in range(10_000):
        await client.check("ann", NEWSLETTER)


async def test_conflict_carries_the_facts(client: AsyncConsentClient) -> None:
    """What a program needs to go on is in the metadata."""
    with pytest.raises(PositionConflict) as caught:
        await client.give("ann", NEWSLETTER, NOTICE, channel="panel", expected_position=5)

    assert caught.value.metadata == {
        "purpose_id": NEWSLETTER,
        "expected_position": "5",
        "current_position": "0",
    }


def test_every_reason_of_the_contract_is_known() -> None:
    """There is a class for every reason in the proto."""
    names = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118

    assert names - {"UNSPECIFIED"} == set(CLASSES)


@pytest.mark.parametrize(("reason", "expected"), CLASSES.items())
def test_reason_decides(reason: str, expected: type[ConsentError]) -> None:
    """The class follows from the reason, whatever the code and the text."""
    error = from_call(_failed(grpc.StatusCode.UNKNOWN, _info(reason, {"a": "b"})))

    assert type(error) is expected
    assert (error.reason, error.metadata, error.message) == (reason, {"a": "b"}, "words")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.UNAUTHENTICATED, AccessDenied),
        (grpc.StatusCode.PERMISSION_DENIED, AccessDenied),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.UNAVAILABLE, ConsentUnavailable),
        (grpc.StatusCode.UNKNOWN, ConsentUnavailable),
        (grpc.StatusCode.INTERNAL, ConsentUnavailable),
        (grpc.StatusCode.CANCELLED, ConsentUnavailable),
        (grpc.StatusCode.DATA_LOSS, ConsentUnavailable),
        (grpc.StatusCode.UNIMPLEMENTED, ConsentUnavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ConsentUnavailable),
        (grpc.StatusCode.NOT_FOUND, ConsentError),
        (grpc.StatusCode.FAILED_PRECONDITION, ConsentError),
    ],
)
@pytest.mark.parametrize("reason", [None, "OF_THE_FUTURE"])
def test_without_a_known_reason_the_code_decides(
    code: grpc.StatusCode, expected: type[ConsentError], reason: str | None
) -> None:
    """A status without details, or with a reason newer than the client, goes by its code."""
    failed = _failed(code, *([_info(reason)] if reason else []))

    error = from_call(failed)

    assert type(error) is expected
    assert error.reason == reason


def test_reason_of_somebody_else_is_not_ours() -> None:
    """An ErrorInfo of another domain says nothing about consent."""
    info = error_details_pb2.ErrorInfo(reason="LINK_UNKNOWN", domain="proxy.example")

    assert type(from_call(_failed(grpc.StatusCode.UNAVAILABLE, info))) is ConsentUnavailable


def test_broken_details() -> None:
    """Details that are no status do no harm."""
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    failed = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), trailers, "internal error"
    )

    assert from_call(failed).message == "internal error"


def test_violations() -> None:
    """Each field that is wrong is told with what is asked of it."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="channel", description="must not be empty")

    error = from_call(_failed(grpc.StatusCode.INVALID_ARGUMENT, bad, _info("INVALID_FIELD")))

    assert error.violations == (Violation("channel", "must not be empty"),)


def test_item_of_the_future() -> None:
    """A pair's error with an unheard-of reason and code is still "could not find out"."""
    reason: Any = 99

    error = from_item(messages.CheckError(code=99, reason=reason))

    assert type(error) is ConsentUnavailable


def test_item_names_its_field() -> None:
    """A pair's error is told as that of a single check would be."""
    item = messages.CheckError(
        code=3,
        reason=error_reason_pb2.ERROR_REASON_UNKNOWN_PURPOSE,
        field="batch.purpose_ids[3]",
        message="there is no such purpose",
    )

    error = from_item(item)

    assert type(error) is UnknownPurpose
    assert error.reason == "UNKNOWN_PURPOSE"
    assert error.violations == (Violation("batch.purpose_ids[3]", "there is no such purpose"),)


@pytest.mark.parametrize(
    ("metadata", "seconds"), [({"retry_after_ms": "40"}, 0.04), ({}, None), ({"x": "y"}, None)]
)
def test_retry_after(metadata: dict[str, str], seconds: float | None) -> None:
    """How long to wait is read from the metadata, or unknown."""
    assert RateExceeded("slow down", "RATE_EXCEEDED", metadata).retry_after == seconds


def test_errors_survive_pickling() -> None:
    """A worker process can hand an error on whole."""
    error = UnknownPurpose("no", "UNKNOWN_PURPOSE", {"a": "b"}, [Violation("x", "y")])

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is UnknownPurpose
    assert vars(copy) == vars(error)


async def test_nobody_listens(kind: str) -> None:
    """No connection is "could not find out"."""
    async with opened(kind, "127.0.0.1:1", retry=Retry(sleep=Sleeps())) as client:
        with pytest.raises(ConsentUnavailable):
            await client.check("ann", NEWSLETTER)


async def test_bytes_that_are_no_message(kind: str) -> None:
    """Bytes that cannot be parsed are "could not find out", in a call and in a stream."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "CheckConsent": grpc.unary_unary_rpc_method_handler(_garbage),
        "StreamCheckConsents": grpc.stream_stream_rpc_method_handler(_much_garbage),
    }
    handler = grpc.method_handlers_generic_handler("consentsvc.v1.ConsentQueryService", handlers)
    async with (
        made_up(lambda server: server.add_generic_rpc_handlers([handler])) as target,
        opened(kind, target) as client,
    ):
        with pytest.raises(AnswerNotUnderstood):
            await client.check("ann", NEWSLETTER)
        with pytest.raises(AnswerNotUnderstood):
            [one async for one in client.check_stream(["ann"], NEWSLETTER)]


async def _garbage(request: bytes, context: Any) -> bytes:
    return b"\xff\xff\xff"


async def _much_garbage(requests: Any, context: Any) -> Any:
    async for _ in requests:
        yield b"\xff\xff\xff"


def _info(reason: str, metadata: dict[str, str] | None = None) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="consentsvc", metadata=metadata or {})


def _failed(code: grpc.StatusCode, *details: Any) -> grpc.aio.AioRpcError:
    packed = []
    for detail in details:
        one = any_pb2.Any()
        one.Pack(detail)
        packed.append(one)
    status = status_pb2.Status(code=code.value[0], message="words", details=packed)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, "other words")
