"""The Merkle tree of a log on SQLite: grown with every append, and read for proofs."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from consentsvc.domain import merkle
from consentsvc.domain.canonical import Damaged
from consentsvc.domain.identifiers import Position
from consentsvc.domain.merkle import Frontier, Node

_HASH_BYTES = 32

# Leaves that are taken into the tree at once, where it has to catch up with a log of before it.
_AT_ONCE = 10_000


def frontier(connection: sqlite3.Connection) -> Frontier:
    """Reads the right edge of the tree; raises `Damaged` if it is none."""
    rows = connection.execute("SELECT size, frontier FROM tree").fetchall()
    if len(rows) != 1:
        raise Damaged("the tree's right edge is not there")
    size, data = rows[0]
    hashes = tuple(data[start : start + _HASH_BYTES] for start in range(0, len(data), _HASH_BYTES))
    try:
        return Frontier(size, hashes)
    except ValueError as error:
        raise Damaged("the tree's right edge is none") from error


def grow(connection: sqlite3.Connection) -> None:
    """Takes every event that is not in the tree yet into it, inside the append's transaction.

    These are the events that were just appended; and all of those that were there before the tree.
    """
    before = edge = frontier(connection)
    while leaves := connection.execute(
        "SELECT leaf_hash FROM event WHERE position > ? ORDER BY position LIMIT ?",
        (edge.size, _AT_ONCE),
    ).fetchall():
        edge, completed = edge.appended(leaf for (leaf,) in leaves)
        connection.executemany(
            "INSERT INTO tree_node (level, number, hash) VALUES (?, ?, ?)",
            ((*node, one) for node, one in completed.items()),
        )
    if edge.size > before.size:
        connection.execute(
            "UPDATE tree SET size = ?, frontier = ?", (edge.size, b"".join(edge.hashes))
        )


def header(connection: sqlite3.Connection, position: Position) -> bytes:
    """The bytes of which an event's leaf is the hash."""
    row = connection.execute("SELECT header FROM event WHERE position = ?", (position,)).fetchone()
    if row is None:
        raise Damaged("the log has a hole")
    return bytes(row[0])


def root(connection: sqlite3.Connection, size: Position) -> bytes:
    """The root of the tree over the events up to a position, which must be in it."""
    if size == 0:
        return merkle.EMPTY_ROOT
    named = merkle.frontier_nodes(size)
    return Frontier(size, tuple(_hash(connection, one) for one in named)).root()


def inclusion_proof(
    connection: sqlite3.Connection, position: Position, size: Position
) -> list[bytes]:
    """Proves that an event is in the tree over the events up to a position."""
    return _proof(connection, merkle.inclusion_nodes(position - 1, size))


def consistency_proof(connection: sqlite3.Connection, old: Position, new: Position) -> list[bytes]:
    """Proves that the tree up to a position begins with the one up to an earlier position."""
    return _proof(connection, merkle.consistency_nodes(old, new))


def _proof(connection: sqlite3.Connection, named: Sequence[Sequence[Node]]) -> list[bytes]:
    return merkle.proof(named, _hashes(connection, (node for one in named for node in one)))


def _hashes(connection: sqlite3.Connection, nodes: Iterable[Node]) -> Mapping[Node, bytes]:
    return {node: _hash(connection, node) for node in nodes}


def _hash(connection: sqlite3.Connection, node: Node) -> bytes:
    if node.level == 0:
        row = connection.execute(
            "SELECT leaf_hash FROM event WHERE position = ?", (node.number + 1,)
        ).fetchone()
    else:
        row = connection.execute(
            "SELECT hash FROM tree_node WHERE (level, number) = (?, ?)", node
        ).fetchone()
    if row is None:
        raise Damaged("the tree has a hole")
    return bytes(row[0])
