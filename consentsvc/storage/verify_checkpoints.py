"""Holds what was signed against what the log is."""

import sqlite3
from collections.abc import Callable

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.identifiers import Position
from consentsvc.domain.notes import Checkpoint, Note, NoteInvalid
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage import sqlite_tree
from consentsvc.storage.database import reading

Problem = Callable[[int | None, str, str], None]
Row = tuple[int, bytes, str]

_OF_KEYS = "SELECT size, root, note FROM keys.last_checkpoint"


def check(connection: sqlite3.Connection, seed: bytes | None, problem: Problem) -> None:
    """Checks every checkpoint: its tree, its text, and its signature if the key was opened."""
    # A server may sign meanwhile. What the keys have now, the log has when it is looked at; what
    # the log has then, the keys have when they are looked at again.
    of_keys = connection.execute(_OF_KEYS).fetchall()
    with reading(connection):
        _check_all(connection, seed, of_keys, problem)


def _check_all(
    connection: sqlite3.Connection, seed: bytes | None, of_keys: list[Row], problem: Problem
) -> None:
    try:
        size = sqlite_tree.frontier(connection).size
    except Damaged:
        return  # told where the tree is looked at
    public_key = None if seed is None else Signer("", seed).public_key
    origins = set[str]()
    last: Row | None = None
    for row in connection.execute("SELECT size, root, note FROM checkpoint ORDER BY size"):
        last = row
        try:
            origins.add(_check(connection, row, size, public_key))
        except (Damaged, NoteInvalid) as error:
            problem(row[0], "checkpoint", str(error))
    _check_ancestors(connection, size, public_key, problem)
    if len(origins) > 1:
        problem(None, "checkpoint", "the log has signed under several names")
    _check_keys(connection, of_keys, last, size, problem)


def _check(
    connection: sqlite3.Connection,
    row: Row,
    tree: int,
    public_key: bytes | None,
) -> str:
    size, root, _ = row
    if not 0 < size <= tree:
        raise Damaged("is of more events than there are")
    if sqlite_tree.root(connection, Position(size)) != root:
        raise Damaged("is not of these events")
    return read(row, public_key).origin


def read(row: Row, public_key: bytes | None) -> Checkpoint:
    """Reads a checkpoint as it is kept, and checks its signature if there is a key for it.

    Raises `NoteInvalid` for one that was not signed, `Damaged` for another than what was.
    """
    size, root, text = row
    checkpoint = _signed(text, public_key)
    if (checkpoint.size, checkpoint.root) != (size, root):
        raise Damaged("is not the one that was signed")
    return checkpoint


def _signed(text: str, public_key: bytes | None) -> Checkpoint:
    note = Note.parse(text)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.text() != note.text:
        raise NoteInvalid("is not a checkpoint of ours")
    if public_key is not None:
        note.check(Verifier(checkpoint.origin, public_key))
    return checkpoint


def _check_ancestors(
    connection: sqlite3.Connection, tree: int, public_key: bytes | None, problem: Problem
) -> None:
    """What a log had signed that this one is a copy of: it has all that was taken over from it."""
    origins: dict[bytes, set[str]] = {}
    for store_id, taken, *row in connection.execute(
        "SELECT ancestor.store_id, ancestor.size, kept.size, kept.root, kept.note"
        " FROM ancestor_checkpoint AS kept JOIN ancestor USING (store_id)"
        " ORDER BY ancestor.size, kept.size"
    ):
        try:
            origin = _check(connection, (row[0], row[1], row[2]), min(tree, taken), public_key)
            origins.setdefault(store_id, set()).add(origin)
        except (Damaged, NoteInvalid) as error:
            problem(row[0], "ancestor_checkpoint", str(error))
    for store_id, size, root, text in connection.execute(
        "SELECT store_id, signed, root, note FROM ancestor WHERE note IS NOT NULL"
    ):
        try:
            checkpoint = _signed(text, public_key)
        except NoteInvalid as error:
            problem(None, "ancestor", str(error))
            continue
        origins.setdefault(store_id, set()).add(checkpoint.origin)
        named = checkpoint.origin.endswith(f"/{store_id.hex()}")
        if (checkpoint.size, checkpoint.root) != (size, root) or not named:
            problem(None, "ancestor", "is not what was signed")
    if any(len(one) > 1 for one in origins.values()):
        problem(None, "ancestor_checkpoint", "a log has signed under several names")
    strays = (
        "SELECT 1 FROM ancestor_checkpoint WHERE store_id NOT IN (SELECT store_id FROM ancestor)"
    )
    if connection.execute(strays).fetchone() is not None:
        problem(None, "ancestor_checkpoint", "is of no log that is named")


def _check_keys(
    connection: sqlite3.Connection,
    before: list[Row],
    last: Row | None,
    tree: int,
    problem: Problem,
) -> None:
    rows = connection.execute(_OF_KEYS).fetchall()
    # Whoever signs keeps it with the keys first.
    if len(rows) > 1 or (last is not None and (not rows or rows[0][0] < last[0])):
        problem(None, "keys.last_checkpoint", "is not there")
    elif rows and last is not None and rows[0][0] == last[0] and rows[0] != last:
        problem(last[0], "keys.last_checkpoint", "is not the one that the log has")
    elif before and not _has_grown_from(connection, before[0], tree):
        problem(before[0][0], "keys.last_checkpoint", "is not of this log")


def _has_grown_from(connection: sqlite3.Connection, row: Row, tree: int) -> bool:
    size, root, _ = row
    try:
        return 0 < size <= tree and sqlite_tree.root(connection, Position(size)) == root
    except Damaged:
        return False
