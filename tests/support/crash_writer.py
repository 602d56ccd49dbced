"""A program that writes until it is killed: `python -m tests.support.crash_writer LOG RUN`.

Many requests at once, each of two events that belong together. What is printed has been
acknowledged: the request's id and its positions.
"""

import asyncio
import itertools
import json
import os
import sys
import time
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


async def update(store: EventStore, name: str, number: int) -> list[Position]:
    """Gives or withdraws two consents in one request; a repeat gets the first answer."""
    subject = SubjectId(f"customer:{number % _SUBJECTS}")
    kind = (EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN)[number % 2]
    personal = Personal(subject, THE_SUBJECT, "panel", Evidence(session_reference=name))
    request = Request(CallerId("crash"), RequestId(name), name.encode())

    def work(transaction: Transaction) -> list[Position]:
        before = transaction.recall(request)
        if before is not None:
            return [Position(one) for one in json.loads(before.answer)]
        positions = [transaction.append(NewEvent(kind, one, personal)) for one in PAIR]
        transaction.remember(request, subject, json.dumps(positions).encode())
        return positions

    return await store.write(work, {subject})


async def _work(store: EventStore, run: str, worker: int) -> None:
    for number in itertools.count():
        name = f"{run}.{worker}.{number}"
        first, second = await update(store, name, number)
        os.write(sys.stdout.fileno(), f"{name} {first} {second}\n".encode())


async def _main(log: Path, run: str) -> None:
    async with open_sqlite(log, clock=lambda: Instant(time.time_ns() // 1_000)) as store:
        await asyncio.gather(*(_work(store, run, worker) for worker in range(_AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
