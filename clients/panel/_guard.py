"""What every request passes first: host, size, rate; and what every answer carries."""

import ipaddress
import logging
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("panel")

_BODY_BYTES = 64 * 1024
_CLIENTS = 50_000

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_YEAR = "max-age=31536000; includeSubDomains"

Answer = Callable[[int], ASGIApp]

_FAILED = PlainTextResponse("Something went wrong on our side. Please try again later.\n", 500)


class Guard:
    """Stands outermost. What goes wrong inside is logged without what people sent."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        rate: int,
        spared: Callable[[Scope], bool],
        answer: Answer,
        *,
        secure: bool,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._rate = Rate(rate)
        self._spared = spared
        self._answer = answer
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._complete(MutableHeaders(scope=message))
            await send(message)

        refused = self._refusal(scope)
        if refused is not None:
            await self._answer(refused)(scope, receive, with_headers)
            return
        try:
            await self._app(scope, _limited(receive), with_headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody outside is told what
            # A message may hold what somebody sent; where it happened is enough to find it.
            where = " < ".join(
                f"{one.filename.rpartition('/')[2]}:{one.lineno}"
                for one in reversed(traceback.extract_tb(error.__traceback__)[-4:])
            )
            _log.error("unforeseen %s at %s", type(error).__name__, where)
            if not started:
                # A page could fail for the same reason.
                await _FAILED(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> int | None:
        headers = Headers(scope=scope)
        if _name(headers.get("host", "")) not in self._hosts or len(headers.getlist("host")) != 1:
            return 421
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _BODY_BYTES:
            return 413
        if not self._spared(scope) and not self._rate.admits(_client(scope)):
            return 429
        return None

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers["Strict-Transport-Security"] = _YEAR


class Rate:
    """A bucket for each client: so many requests a minute, half of them at once."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, per_minute / 2)
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, client: str) -> bool:
        """Takes one request from the client's bucket, if it is not empty."""
        if not self._per_second:
            return True
        now = self._now()
        level, at = self._buckets.pop(client, (self._most, now))
        level = min(self._most, level + (now - at) * self._per_second)
        admitted = level >= 1
        self._buckets[client] = (level - 1 if admitted else level, now)
        # Whoever has not come for longest has a full bucket again, or soon.
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return admitted


def _limited(receive: Receive) -> Receive:
    left = _BODY_BYTES

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
        return message

    return counted


def _name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _client(scope: Scope) -> str:
    """The client's address; of IPv6 the network that one household has."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    # Where it listens on both, an address of IPv4 comes in the form of one of IPv6.
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
