"""Roots and proofs take few reads, however large the log is."""

import sqlite3
from contextlib import closing
from pathlib import Path

from consentsvc.domain.identifiers import Position
from consentsvc.storage import sqlite_tree
from consentsvc.storage.sqlite import open_sqlite
from tests.storage.making import given, record
from tests.support.clock import FakeClock

SIZE = 511
"""As many complete subtrees at the right edge as a log of this size can have: 9."""


async def test_reads(tmp_path: Path, clock: FakeClock) -> None:
    """At most two of every level. Once, a root read its whole right edge for each part of it."""
    path = tmp_path / "log.db"
    async with open_sqlite(path, clock=clock) as store:
        await record(store, *(given() for _ in range(SIZE)))
    size = Position(SIZE)
    most = 0
    with closing(sqlite3.connect(path)) as connection:
        read: list[str] = []
        connection.set_trace_callback(read.append)
        sqlite_tree.root(connection, size)
        assert len(read) == SIZE.bit_length()
        for position in map(Position, range(1, SIZE + 1)):
            for prove in (sqlite_tree.inclusion_proof, sqlite_tree.consistency_proof):
                read.clear()
                prove(connection, position, size)
                most = max(most, len(read))

    assert 0 < most <= 2 * SIZE.bit_length()
