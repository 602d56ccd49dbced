"""The one door of every method: what comes in is parsed, admitted and answered, or refused.

Nothing else may send an error: grpc would put an exception's text on the wire.
"""

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any, NoReturn, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from consentsvc.domain.errors import Error, MalformedMessage, RateExceeded
from consentsvc.rpc import errors
from consentsvc.rpc.callers import caller
from consentsvc.rpc.limits import MAX_STREAMS_BESIDE, RateLimit, StreamLimit

_log = structlog.get_logger(__name__)

# A caller without a deadline must not hold a worker for ever; a caller with one decides itself.
UNARY_SECONDS = 60.0

# Far longer than it takes to throw away what a caller has under way, and short for one that waits
# for the answer before it goes on.
_HEARING_OUT = 2.0

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class _Malformed:
    """Stands for bytes that are not the message that the method takes."""


class Door(grpc.aio.ServerInterceptor):
    """Parses, limits, answers errors in the contract's form, and lets nothing else out.

    The methods of other services, health and reflection, are left as they are, but for the number
    of streams that a caller may hold of them: each takes a place that all callers share.
    """

    def __init__(self, rate: RateLimit | None, services: frozenset[str]) -> None:
        self._rate = rate
        self._services = services
        self._streams = StreamLimit()
        self._beside = StreamLimit(MAX_STREAMS_BESIDE)
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Returns when no call to our own services is under way."""
        await self._idle.wait()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Puts the door in front of the methods of our own services, and a limit to all streams."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        if method.rpartition("/")[0].strip("/") not in self._services:
            return self._limited(handler, method)
        parse = _tolerant(handler.request_deserializer)
        if handler.request_streaming and not handler.response_streaming:
            answer = self._gathering(handler.stream_unary, method)
            return grpc.stream_unary_rpc_method_handler(answer, parse, handler.response_serializer)
        if handler.request_streaming:
            answer = self._streaming(handler.stream_stream, method, both=True)
            return grpc.stream_stream_rpc_method_handler(answer, parse, handler.response_serializer)
        if handler.response_streaming:
            answer = self._streaming(handler.unary_stream, method, both=False)
            return grpc.unary_stream_rpc_method_handler(answer, parse, handler.response_serializer)
        answer = self._unary(handler.unary_unary, method)
        return grpc.unary_unary_rpc_method_handler(answer, parse, handler.response_serializer)

    def _unary(self, behaviour: Any, method: str) -> Any:
        async def answer(request: Any, context: Context) -> Any:
            try:
                self._admit(context)
                limit = UNARY_SECONDS if context.time_remaining() is None else None
                with self._under_way():
                    async with asyncio.timeout(limit):
                        return await behaviour(_known(request), context)
            except Exception as error:  # noqa: BLE001 - the last place that can hold it back
                await _refuse(context, error, method)

        return answer

    def _streaming(self, behaviour: Any, method: str, *, both: bool) -> Any:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                if not both:
                    self._admit(context)
                incoming = self._admitted(request, context) if both else _known(request)
                with self._under_way(), self._streams.admit(caller(context).share):
                    async with aclosing(behaviour(incoming, context)) as responses:
                        async for response in responses:
                            yield response
            except Exception as error:  # noqa: BLE001 - the last place that can hold it back
                await _refuse(context, error, method)

        return answer

    def _gathering(self, behaviour: Any, method: str) -> Any:
        async def answer(requests: Any, context: Context) -> Any:
            try:
                with self._under_way(), self._streams.admit(caller(context).share):
                    return await behaviour(self._admitted(requests, context), context)
            except Exception as error:  # noqa: BLE001 - the last place that can hold it back
                await _hear_out(requests)
                await _refuse(context, error, method)

        return answer

    def _limited(self, handler: "Handler", method: str) -> "Handler":
        if not handler.response_streaming:
            return handler
        behaviour: Any = handler.stream_stream or handler.unary_stream
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )

        async def answer(request: Any, context: Context) -> None:
            try:
                with self._beside.admit(caller(context).share):
                    responses = behaviour(request, context)
                    if inspect.isawaitable(responses):
                        await responses  # it writes by itself
                        return
                    async with aclosing(responses):
                        async for response in responses:
                            await context.write(response)
            except RateExceeded as error:
                await _refuse(context, error, method)

        return make(answer, handler.request_deserializer, handler.response_serializer)

    async def _admitted(self, requests: Any, context: Context) -> AsyncIterator[Any]:
        async for request in requests:
            self._admit(context)
            yield _known(request)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._idle.set()

    def _admit(self, context: Context) -> None:
        if self._rate is not None:
            self._rate.admit(caller(context).share)


async def _hear_out(requests: Any) -> None:
    """Takes what is still being sent, for a while.

    A caller's library that is writing when the call ends puts INTERNAL in the place of the status
    (grpc/grpc#36066), and nobody would know what was wrong with which message.
    """
    with suppress(Exception):
        async with asyncio.timeout(_HEARING_OUT):
            async for _ in requests:
                pass


def _tolerant(parse: Any) -> Any:
    def parsed(data: bytes) -> Message | _Malformed:
        # grpc would answer INTERNAL for bytes that the caller got wrong.
        try:
            message: Message = parse(data)
        except (DecodeError, UnicodeDecodeError):
            return _Malformed()
        return message

    return parsed


def _known(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise MalformedMessage.field("", "the bytes are not a message of the expected type")
    return request


async def _refuse(context: Context, error: Exception, method: str) -> NoReturn:
    if isinstance(error, Error):
        if error.__cause__ is not None and errors.code(error) is grpc.StatusCode.UNAVAILABLE:
            _log.warning(
                "request_failed",
                method=method,
                reason=error.reason,
                cause=type(error.__cause__).__name__,
            )
        await context.abort(errors.code(error), error.message, errors.trailers(error))
    if isinstance(error, TimeoutError):
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the server's own limit is over")
    if isinstance(error, grpc.aio.AbortError):
        raise error
    _log.error("unforeseen_error", method=method, error=type(error).__name__, stack=_stack(error))
    await context.abort(grpc.StatusCode.INTERNAL, "internal error")


def _stack(error: Exception) -> list[str]:
    """Where it happened, all the way down, without the values: those could be personal."""
    chain: BaseException | None = error
    stack = []
    while chain is not None:
        stack.append(type(chain).__name__)
        stack += [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(chain.__traceback__)
        ]
        chain = chain.__cause__ or chain.__context__
    return stack
