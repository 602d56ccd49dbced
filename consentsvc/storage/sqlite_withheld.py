"""Why an event on SQLite has no personal part any more."""

import sqlite3

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.events import Withheld
from consentsvc.domain.identifiers import Position, Pseudonym
from consentsvc.storage.sqlite_erasure import erased_at


def why(connection: sqlite3.Connection, pseudonym: Pseudonym, position: Position) -> Withheld:
    """Tells the reason; raises `Damaged` if there is none."""
    if erased_at(connection, pseudonym) is not None:
        return Withheld.ERASED
    query = "SELECT 1 FROM emptied WHERE position = ?"
    if connection.execute(query, (position,)).fetchone() is not None:
        return Withheld.RETENTION
    raise Damaged(f"no personal part at position {position}")


def is_withheld(connection: sqlite3.Connection, pseudonym: Pseudonym, position: Position) -> bool:
    """Whether there is a reason."""
    try:
        why(connection, pseudonym, position)
    except Damaged:
        return False
    return True
