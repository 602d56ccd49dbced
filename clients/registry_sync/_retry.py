"""When to try again, and how long to wait before."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

# Doubling further would only overflow; the largest delay was reached long before.
_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a command is sent: exponential delays with full jitter between the attempts.

    `jitter` and `sleep` are there for tests.
    """

    attempts: int = 5
    first_delay: float = 0.5
    largest_delay: float = 30.0
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
