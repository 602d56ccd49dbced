"""How much one caller may ask for."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from consentsvc.domain.errors import BatchTooLarge, InvalidRequest, RateExceeded

# A batch of this many is answered in a fraction of a second and fits, both ways, into a message of
# MAX_MESSAGE_BYTES with ids of the longest kind.
MAX_BATCH = 10_000
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_CHANGES = 100
MAX_PURPOSES = 100
MAX_IMPORTED = 100

# A registrar's service holds a watch or two for each of its processes.
MAX_STREAMS = 100
# Health and reflection are for probes and people: a client that checks health on its own holds one
# stream for each of its connections. Few, because they are let in beside all that is counted.
MAX_STREAMS_BESIDE = 32
_STREAM_RETRY_MS = 1_000

# More callers than this at once are not a registrar's services; the one not heard for longest is
# forgotten, which can only give it a fresh share.
_CALLERS = 10_000


def page_size(asked: int, usual: int, largest: int) -> int:
    """What a page holds: 0 leaves it to the server."""
    if not 0 <= asked <= largest:
        raise InvalidRequest.field("page_size", f"must be 0 to {largest}")
    return asked or usual


def refuse_large(items: int, limit: int, field: str) -> None:
    """Refuses more items than a message may hold, and none at all."""
    if items == 0:
        raise InvalidRequest.field(field, "must not be empty")
    if items > limit:
        raise BatchTooLarge(
            f"{field}: {items} where {limit} fit", items=str(items), limit=str(limit)
        )


def refuse_repeats(purpose_ids: Sequence[str], field: str) -> None:
    """Refuses a purpose that is named twice: one of the two may have been meant to be another."""
    if len(set(purpose_ids)) != len(purpose_ids):
        raise InvalidRequest.field(field, "must not name a purpose twice")


class StreamLimit:
    """Lets each caller hold so many streams at once: they last, and each costs a place."""

    def __init__(self, most: int = MAX_STREAMS) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def admit(self, share: str) -> Iterator[None]:
        """Takes a place for as long as the block runs; raises `RateExceeded` if none is left."""
        if self._open[share] >= self._most:
            raise RateExceeded(
                f"{self._most} streams are open already", retry_after_ms=str(_STREAM_RETRY_MS)
            )
        self._open[share] += 1
        try:
            yield
        finally:
            self._open[share] -= 1
            if not self._open[share]:
                del self._open[share]


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


class RateLimit:
    """Lets each caller send so many messages a second, and as many at once after a second's rest.

    A message of a batch or a stream counts once: what a batch costs is bounded by its size.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, share: str) -> None:
        """Takes one message from a caller's share; raises `RateExceeded` if nothing is left."""
        now = self._clock()
        bucket = self._buckets.get(share)
        if bucket is None:
            bucket = self._buckets[share] = _Bucket(self._per_second, now)
            if len(self._buckets) > _CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(share)
        refill = (now - bucket.filled_at) * self._per_second
        bucket.left = min(self._per_second, bucket.left + refill)
        bucket.filled_at = now
        if bucket.left < 1:
            wait_ms = math.ceil((1 - bucket.left) / self._per_second * 1000)
            raise RateExceeded("slow down", retry_after_ms=str(wait_ms))
        bucket.left -= 1
