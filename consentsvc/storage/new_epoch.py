"""A new name for a log that was restored from an older copy, so that it can sign again.

What the old log signed is known to whoever was shown it, and this one lacks some of it. Under its
old name it would contradict that; so it gets another store id, and with it another origin. Tokens
and cursors of the old one are refused from then on, and followers begin anew.
"""

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.identifiers import Position
from consentsvc.storage import sqlite_checkpoints, sqlite_files, sqlite_tree
from consentsvc.storage.database import attach_keys, connect, writing
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.migrations import migrate


class NewEpoch(NamedTuple):
    """The old log and the new one by their ids, the events taken over, and what had been signed."""

    ancestor: bytes
    store_id: bytes
    events: Position
    signed: int | None


def begin_epoch(
    log: Path,
    master_key_file: Path | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> NewEpoch:
    """Gives a log and its keys a new id. Nobody may serve it meanwhile.

    Everything that was signed is kept, the last that is lost included. May be done again if it was
    cut off in between. Raises `StoreRefused` if these are not a log and its keys, or if the log has
    all that it signed: then there is nothing to give up.
    """
    keyring = sqlite_files.read_only(log, master_key_file)
    keys = sqlite_files.key_file(log)
    try:
        with closing(connect(keys)) as connection:
            migrate(connection, "sqlite_keys")
            (check,) = connection.execute("SELECT master_check FROM identity").fetchone()
            keyring.check_master(check)
        with closing(connect(log)) as connection:
            migrate(connection, "sqlite")
            attach_keys(connection, keys, "rw")
            with writing(connection):
                ancestor = _ancestor(connection)
            with writing(connection):
                _name_in_keys(connection, ancestor, random_bytes)
            # The keys are durable first: a log of a name that they do not know would be nobody's.
            with writing(connection):
                return _name_in_log(connection, ancestor)
    except (sqlite3.Error, Damaged, TypeError) as error:
        raise StoreRefused(f"{log}: {error}") from error


def _ancestor(connection: sqlite3.Connection) -> bytes:
    """The id of the log as it is; makes sure that the keys are its own."""
    (of_log,) = connection.execute("SELECT store_id FROM main.identity").fetchone()
    (of_keys,) = connection.execute("SELECT store_id FROM keys.identity").fetchone()
    if of_log == of_keys:
        sqlite_tree.grow(connection)
        if not _lacks_what_was_signed(connection):
            raise StoreRefused("the log has all that it has signed: no new epoch is needed")
    elif not _has_begun(connection, of_keys, of_log):
        raise StoreRefused("the log and its keys belong to different stores: restore both of one")
    return bytes(of_log)


def _lacks_what_was_signed(connection: sqlite3.Connection) -> bool:
    """Whether the log would be refused, by the very check that refuses it."""
    try:
        sqlite_checkpoints.reconcile(connection)
    except StoreRefused:
        return True
    return False


def _has_begun(connection: sqlite3.Connection, store_id: bytes, ancestor: bytes) -> bool:
    return (
        connection.execute(
            "SELECT 1 FROM keys.epoch WHERE (store_id, ancestor) = (?, ?)", (store_id, ancestor)
        ).fetchone()
        is not None
    )


def _name_in_keys(
    connection: sqlite3.Connection, ancestor: bytes, random_bytes: Callable[[int], bytes]
) -> None:
    (known,) = connection.execute("SELECT store_id FROM keys.identity").fetchone()
    if known != ancestor:
        return  # it was cut off after this
    store_id = random_bytes(len(ancestor))
    connection.execute(
        "INSERT INTO keys.epoch (store_id, ancestor, signed, root, note)"
        " SELECT ?, ?, size, root, note FROM keys.last_checkpoint",
        (store_id, ancestor),
    )
    connection.execute("DELETE FROM keys.last_checkpoint")
    connection.execute("UPDATE keys.identity SET store_id = ?", (store_id,))


def _name_in_log(connection: sqlite3.Connection, ancestor: bytes) -> NewEpoch:
    store_id, signed, root, note = connection.execute(
        "SELECT store_id, signed, root, note FROM keys.epoch WHERE ancestor = ?", (ancestor,)
    ).fetchone()
    size = sqlite_tree.frontier(connection).size
    connection.execute(
        "INSERT INTO ancestor (store_id, size, signed, root, note) VALUES (?, ?, ?, ?, ?)",
        (ancestor, size, signed, root, note),
    )
    connection.execute(
        "INSERT INTO ancestor_checkpoint (store_id, size, root, note)"
        " SELECT ?, size, root, note FROM checkpoint",
        (ancestor,),
    )
    # They are kept where they were just written; the trigger is for everybody else.
    (trigger,) = connection.execute(
        "SELECT sql FROM main.sqlite_schema WHERE name = 'checkpoint_no_delete'"
    ).fetchone()
    connection.execute("DROP TRIGGER checkpoint_no_delete")
    connection.execute("DELETE FROM checkpoint")
    connection.execute(trigger)
    connection.execute("UPDATE main.identity SET store_id = ?", (store_id,))
    return NewEpoch(ancestor, store_id, Position(size), signed)
