"""The signed states of a log on SQLite: kept with the log, and the last of them with the keys too.

With the keys first: whoever signs shows nothing that is not there, so that a log which is restored
from an older copy is found to lack what was signed, whatever else was lost.
"""

import sqlite3

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.identifiers import Position
from consentsvc.service.ports import SignedCheckpoint
from consentsvc.storage import sqlite_tree
from consentsvc.storage.database import writing
from consentsvc.storage.errors import StoreRefused

_OF_LOG = "SELECT size, root, note FROM main.checkpoint"
_OF_KEYS = "SELECT size, root, note FROM keys.last_checkpoint"


def keep(connection: sqlite3.Connection, checkpoint: SignedCheckpoint) -> None:
    """Keeps a checkpoint, in two commits: if only the first happens, `reconcile` does the second.

    Raises `Damaged` for one that contradicts another of the same size.
    """
    with writing(connection):
        _keep_with_keys(connection, checkpoint)
    with writing(connection):
        _keep_with_log(connection, checkpoint)


def last(connection: sqlite3.Connection) -> SignedCheckpoint | None:
    """Reads the largest checkpoint that is kept with the log."""
    return _one(connection, f"{_OF_LOG} ORDER BY size DESC LIMIT 1")


def covering(connection: sqlite3.Connection, position: Position) -> SignedCheckpoint | None:
    """Reads the smallest checkpoint that has the event at a position."""
    return _one(connection, f"{_OF_LOG} WHERE size >= ? ORDER BY size LIMIT 1", position)


def reconcile(connection: sqlite3.Connection) -> None:
    """Makes sure that the log has all that was signed, as far as log and keys can tell.

    Raises `StoreRefused`: it would sign something else for a size that it has signed already.
    """
    of_keys, of_log = _one(connection, _OF_KEYS), last(connection)
    for signed in (of_keys, of_log):
        if signed is not None:
            _refuse_unless_grown_from(connection, signed)
    if of_keys is not None:
        _keep_with_log(connection, of_keys)
    if of_log is not None:
        _keep_with_keys(connection, of_log)


def _refuse_unless_grown_from(connection: sqlite3.Connection, signed: SignedCheckpoint) -> None:
    size = sqlite_tree.frontier(connection).size
    if size < signed.size:
        raise StoreRefused(
            f"the log ends at event {size}, but one of {signed.size} events was signed: it is older"
            " than its keys. Restore a newer copy of it, or give up what it lacks:"
            " consentsvc restore --new-epoch"
        )
    if sqlite_tree.root(connection, signed.size) != signed.root:
        raise StoreRefused(
            f"the first {signed.size} events of the log are not those that were signed: restore"
            " the right copy of it, or give up what it lacks: consentsvc restore --new-epoch"
        )


def _keep_with_keys(connection: sqlite3.Connection, checkpoint: SignedCheckpoint) -> None:
    known = _one(connection, _OF_KEYS)
    if known is None:
        connection.execute(
            "INSERT INTO keys.last_checkpoint (size, root, note) VALUES (?, ?, ?)", checkpoint
        )
    elif known.size < checkpoint.size:
        connection.execute(
            "UPDATE keys.last_checkpoint SET size = ?, root = ?, note = ?", checkpoint
        )
    elif known.size == checkpoint.size and known.root != checkpoint.root:
        raise Damaged("another state of the log was signed at this size")


def _keep_with_log(connection: sqlite3.Connection, checkpoint: SignedCheckpoint) -> None:
    known = covering(connection, checkpoint.size)
    if known is None:
        connection.execute(
            "INSERT INTO main.checkpoint (size, root, note) VALUES (?, ?, ?)", checkpoint
        )
    elif known.size == checkpoint.size and known.root != checkpoint.root:
        raise Damaged("another state of the log was signed at this size")


def _one(connection: sqlite3.Connection, query: str, *given: object) -> SignedCheckpoint | None:
    row = connection.execute(query, given).fetchone()
    return None if row is None else SignedCheckpoint(*row)
