"""Retention on SQLite: personal parts go for good, their events stay."""

import sqlite3
from collections.abc import Collection

from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.domain.instants import Instant
from consentsvc.storage import sqlite_erasure, sqlite_reads
from consentsvc.storage.database import reading, writing
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.retention import ended
from consentsvc.storage.sqlite_remains import LAST

_SUBJECTS = """
SELECT DISTINCT event.pseudonym FROM event JOIN personal_part USING (position)
WHERE event.pseudonym > ? AND event.purpose = ? AND event.recorded_at <= ?
ORDER BY event.pseudonym LIMIT ?
"""


def due(
    connection: sqlite3.Connection,
    keyring: Keyring,
    purpose: PurposeId,
    before: Instant,
    after: Pseudonym | None,
    limit: int,
) -> tuple[Pseudonym | None, list[Position]]:
    """Finds personal parts of events on a purpose that had ended by a moment.

    Looks at so many subjects past one, and tells the last of them; None if there were none.
    """
    with reading(connection):
        rows = connection.execute(_SUBJECTS, (after or b"", purpose, before, limit)).fetchall()
        found: list[Position] = []
        for (pseudonym,) in rows:
            history = sqlite_reads.history_until(connection, keyring, pseudonym, purpose, LAST)
            events = [one for one in history if one.purpose == purpose]
            emptied = {one.position for one in events if one.withheld is not None}
            over = (at for at, when in ended(events).items() if when <= before)
            found += (at for at in over if at not in emptied)
        return (Pseudonym(rows[-1][0]) if rows else None), found


def empty(connection: sqlite3.Connection, positions: Collection[Position], now: Instant) -> None:
    """Deletes personal parts, and what a write-ahead log still has of them if nobody reads it."""
    with writing(connection):
        for position in positions:
            connection.execute(
                "INSERT INTO emptied (position, emptied_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (position, now),
            )
            connection.execute("DELETE FROM personal_part WHERE position = ?", (position,))
    sqlite_erasure.truncate(connection)
