"""A program that writes until it is killed: `python -m tests.support.crash_writer LOG RUN [LAST]`.

Many requests at once, each of two events that belong together. What is printed has been
acknowledged: the request's id and its positions. With LAST it kills itself in the midst of the
request of that number, between the two events: from outside, that moment is hardly ever hit.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from consentsvc.domain.events import (
    THE_SUBJECT,
    EventKind,
    Evidence,
    NewEvent,
    Personal,
)
from consentsvc.domain.identifiers import CallerId, Position, PurposeId, RequestId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import EventStore, Request, Transaction
from consentsvc.storage.sqlite import open_sqlite

PAIR = (PurposeId("newsletter"), PurposeId("profiling"))

_AT_ONCE = 16
_SUBJECTS = 40


async def update(
    store: EventStore, name: str, number: int, between: Callable[[], None] = lambda: None
) -> list[Position]:
    """Gives or withdraws two consents in one request; a repeat gets the first answer."""
    subject = SubjectId(f"customer:{number % _SUBJECTS}")
    kind = (EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN)[number % 2]
    personal = Personal(subject, THE_SUBJECT, "panel", Evidence(session_reference=name))
    request = Request(CallerId("crash"), RequestId(name), name.encode())

    def work(transaction: Transaction) -> list[Position]:
        before = transaction.recall(request)
        if before is not None:
            return [Position(one) for one in json.loads(before.answer)]
        positions = [transaction.append(NewEvent(kind, PAIR[0], personal))]
        between()
        positions.append(transaction.append(NewEvent(kind, PAIR[1], personal)))
        transaction.remember(request, subject, json.dumps(positions).encode())
        return positions

    return await store.write(work, {subject})


async def _work(store: EventStore, run: str, worker: int, between: Callable[[], None]) -> None:
    for number in itertools.count():
        name = f"{run}.{worker}.{number}"
        first, second = await update(store, name, number, between)
        os.write(sys.stdout.fileno(), f"{name} {first} {second}\n".encode())


async def _main(log: Path, run: str, last: int | None) -> None:
    begun = itertools.count(1)

    def between() -> None:
        if next(begun) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_sqlite(log, clock=lambda: Instant(time.time_ns() // 1_000)) as store:
        await asyncio.gather(*(_work(store, run, worker, between) for worker in range(_AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else None))
