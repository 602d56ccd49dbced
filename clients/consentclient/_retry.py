"""When to try again, and how long to wait before."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc

from consentclient import _statuses as statuses

# Doubling further would only overflow; the largest delay was reached long before.
_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Retry:
    """How often UNAVAILABLE is tried again: exponential delays with full jitter.

    Nothing but UNAVAILABLE is, and never past a call's deadline. A stream's attempts count anew
    whenever something arrives. `jitter` and `sleep` are there for tests.
    """

    attempts: int = 4
    first_delay: float = 0.05
    largest_delay: float = 2.0
    jitter: Callable[[], float] = field(default=random.random, kw_only=True, repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(
        default=asyncio.sleep, kw_only=True, repr=False
    )

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be 1 or more")
        if not 0 <= self.first_delay <= self.largest_delay:
            raise ValueError("delays must not be negative, nor the first one the largest")

    def delay(self, failed: int) -> float:
        """How long to wait after so many attempts have failed."""
        longest = self.first_delay * 2.0 ** min(failed - 1, _DOUBLINGS)
        return self.jitter() * min(longest, self.largest_delay)


USUAL = Retry()


class Attempts:
    """The attempts that one call has left."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._failed = 0

    def renew(self) -> None:
        """Something arrived: what failed before does not count any more."""
        self._failed = 0

    async def pause(self, error: grpc.aio.AioRpcError, deadline: float | None = None) -> None:
        """Waits before the next attempt, or raises the error if there is to be none."""
        self._failed += 1
        if error.code() is not grpc.StatusCode.UNAVAILABLE or self._failed >= self._retry.attempts:
            raise statuses.from_call(error) from None
        delay = self._retry.delay(self._failed)
        if deadline is not None and asyncio.get_running_loop().time() + delay >= deadline:
            raise statuses.from_call(error) from None
        await self._retry.sleep(delay)
