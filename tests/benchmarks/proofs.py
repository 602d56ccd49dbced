"""What proof costs: appends with and without it, and a proof in a log of a million events."""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from consentsvc.domain.encoding import SALT_BYTES, Header, personal_part
from consentsvc.domain.events import (
    THE_SUBJECT,
    Event,
    EventKind,
    NewEvent,
    Personal,
)
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import leaf_hash
from consentsvc.server import system_clock
from consentsvc.service.ports import EventStore, Transaction
from consentsvc.storage import codec, sqlite_tree
from consentsvc.storage.opening import open_store
from consentsvc.v1 import proof_service_pb2 as messages
from consentsvc.v1.proof_service_pb2_grpc import ProofServiceStub
from tests.benchmarks.load import Figure, measure, middle
from tests.benchmarks.setting import server, subject

EVENTS = 1_000_000
GOAL_MS = 5.0
APPEND_RATIO = "appends with sealing and tree : without both"
_APPENDS = 6_000
_IN_FLIGHT = 64
_SUBJECTS = 2_000
_PROOFS = 500
_ROUNDS = 5


async def appends(folder: Path) -> tuple[list[Figure], float]:
    """Durable appends, 64 in flight, with everything and with neither; and their ratio.

    In turns, so that a machine that becomes slower meanwhile slows down both.
    """
    rounds: list[tuple[Figure, Figure]] = []
    async with _store(folder / "sealed.db") as sealed, _store(folder / "plain.db") as plain:
        for number in range(_ROUNDS):
            with_both = await _measured("appends, sealed and in the tree", sealed, number)
            with _neither():
                without = await _measured("appends with neither", plain, number)
            rounds.append((with_both, without))
    figures = [middle(list(same)) for same in zip(*rounds, strict=True)]
    return figures, figures[0].per_second / figures[1].per_second


async def proofs(folder: Path) -> Figure:
    """Inclusion proofs of random events, over the wire."""
    store_url = f"sqlite:///{folder}/million.db"
    async with open_store(store_url, clock=system_clock):
        pass
    await asyncio.to_thread(_fill, folder / "million.db")
    rng = random.Random(8213)
    async with server(store_url, folder) as running:
        stub = ProofServiceStub(running.channel)
        last = await stub.GetCheckpoint(messages.GetCheckpointRequest(covering_position=EVENTS))
        asked = [rng.randint(1, EVENTS) for _ in range(_PROOFS)]
        return await measure(
            f"inclusion proofs in a log of {EVENTS:,}",
            _PROOFS,
            1,
            lambda number: stub.GetInclusionProof(
                messages.GetInclusionProofRequest(position=asked[number], tree_size=last.tree_size)
            ),
        )


@asynccontextmanager
async def _store(path: Path) -> AsyncIterator[EventStore]:
    async with open_store(f"sqlite:///{path}", clock=system_clock) as store:
        await store.pseudonyms([SubjectId(subject(one)) for one in range(_SUBJECTS)])
        yield store


async def _measured(name: str, store: EventStore, turn: int) -> Figure:
    async def append(number: int) -> None:
        who = SubjectId(subject((turn * _APPENDS + number) % _SUBJECTS))
        await store.write(partial(_appended, who), {who})

    return await measure(name, _APPENDS, _IN_FLIGHT, append)


def _appended(who: SubjectId, transaction: Transaction) -> None:
    personal = Personal(who, THE_SUBJECT, "panel")
    transaction.append(NewEvent(EventKind.CONSENT_WITHDRAWN, PurposeId("newsletter"), personal))


@contextmanager
def _neither() -> Iterator[None]:
    def plain(personal: Personal, *_: Any) -> codec.Sealed:
        return codec.Sealed(bytes(32), bytes(SALT_BYTES) + personal_part(personal))

    with ExitStack() as stack:
        stack.enter_context(patch.object(codec, "seal", plain))
        stack.enter_context(patch.object(sqlite_tree, "grow", lambda _connection: None))
        yield


def _fill(path: Path) -> None:
    """Writes events of nobody's, which make the same tree; the next opening grows it."""
    now = Instant(time.time_ns() // 1_000)

    def rows() -> Iterator[tuple[object, ...]]:
        for position in range(1, EVENTS + 1):
            event = Event(
                Position(position), now, EventKind.CONSENT_WITHDRAWN, PurposeId("newsletter"),
                None, None, None, None,
            )  # fmt: skip
            header = Header(event).encode()
            yield position, now, event.kind.value, event.purpose, None, header, leaf_hash(header)

    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
        connection.commit()
