"""Forgetting people on SQLite.

That a subject was erased is in the log before anything is destroyed, so that a crash in between
leaves work that is found and done: `finish` destroys what the log says is to be destroyed. The
other way round, a log that was restored from a copy of before lacks the event, and the key file
knows: it is recorded once more.
"""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path

from consentsvc.domain.encoding import read_header
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.remains import remains
from consentsvc.service.ports import KeptProof, PendingErasure
from consentsvc.storage.database import reading, writing
from consentsvc.storage.sqlite_remains import Suppressions

STATES = ("consent", "scoped_consent", "standing")
"""The tables of what follows from a subject's events."""


def erased_at(connection: sqlite3.Connection, pseudonym: Pseudonym) -> Position | None:
    """Tells where the log says that a subject was erased."""
    row = connection.execute(
        "SELECT position FROM event WHERE kind = 'subject_erased' AND pseudonym = ?", (pseudonym,)
    ).fetchone()
    return None if row is None else Position(row[0])


def empty(connection: sqlite3.Connection, pseudonym: Pseudonym) -> None:
    """Deletes what an erased subject's events had sealed, and what was answered them."""
    connection.execute(
        "DELETE FROM personal_part"
        " WHERE position IN (SELECT position FROM event WHERE pseudonym = ?)",
        (pseudonym,),
    )
    for table in ("request", "pending_erasure"):
        connection.execute(f"DELETE FROM {table} WHERE pseudonym = ?", (pseudonym,))  # noqa: S608 - a constant


def finish(
    connection: sqlite3.Connection, suppressions: Suppressions, after: Position = START
) -> tuple[Position, set[bytes]]:
    """Destroys the keys and states of all whose erasure was recorded past a position.

    Returns the position up to which nothing is left to do, and what must be in no file any more.
    What remains of a subject is readable the moment that their key is not: both are one commit of
    the key file.
    """
    gone: set[bytes] = set()
    # The plus signs keep SQLite from looking through all later events instead of the erasures.
    rows = connection.execute(
        "SELECT position, pseudonym FROM event WHERE kind = 'subject_erased' AND +position > ?"
        " ORDER BY +position",
        (after,),
    ).fetchall()
    for position, pseudonym in rows:
        gone |= _destroy_key(connection, suppressions, Pseudonym(pseudonym))
        with writing(connection):
            for table in (*STATES, "request"):
                connection.execute(f"DELETE FROM {table} WHERE pseudonym = ?", (pseudonym,))  # noqa: S608 - constants
        after = Position(position)
    return after, gone


def truncate(connection: sqlite3.Connection) -> bool:
    """Empties the write-ahead logs, which hold what was deleted; False if it has to wait."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")  # nobody who writes waits for one who reads
    try:
        busy = [
            connection.execute(f"PRAGMA {schema}.wal_checkpoint(TRUNCATE)").fetchone()[0]
            for schema in ("main", "keys")
        ]
    except sqlite3.OperationalError:  # another process writes
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    return not any(busy)


def still_there(file: Path, gone: Collection[bytes]) -> bool:
    """Whether a file holds any of these."""
    data = file.read_bytes()
    return any(one in data for one in gone)


def rewrite_keys(connection: sqlite3.Connection) -> None:
    """Writes the key file anew, with nothing in it but what it is to hold."""
    connection.execute("VACUUM keys")


def unrecorded(connection: sqlite3.Connection) -> list[Pseudonym]:
    """Names those whose key was destroyed, and of whose erasure the log knows nothing."""
    rows = connection.execute(
        "SELECT pseudonym FROM keys.erased"
        " WHERE EXISTS (SELECT 1 FROM event WHERE event.pseudonym = erased.pseudonym)"
        " AND NOT EXISTS (SELECT 1 FROM event WHERE event.kind = 'subject_erased'"
        " AND event.pseudonym = erased.pseudonym)"
    ).fetchall()
    return [Pseudonym(row[0]) for row in rows]


def read_pending(connection: sqlite3.Connection, pseudonym: Pseudonym) -> PendingErasure | None:
    """Reads whether a subject is to be forgotten."""
    row = connection.execute(
        "SELECT due_at, begun, begun_at FROM pending_erasure WHERE pseudonym = ?", (pseudonym,)
    ).fetchone()
    return None if row is None else PendingErasure(*row)


def write_pending(
    connection: sqlite3.Connection, pseudonym: Pseudonym, pending: PendingErasure | None
) -> None:
    """Keeps that a subject is to be forgotten, or not any more."""
    connection.execute("DELETE FROM pending_erasure WHERE pseudonym = ?", (pseudonym,))
    if pending is not None:
        connection.execute(
            "INSERT INTO pending_erasure (pseudonym, due_at, begun, begun_at) VALUES (?, ?, ?, ?)",
            (pseudonym, *pending),
        )


def pending(
    connection: sqlite3.Connection, due: Instant, limit: int
) -> list[tuple[SubjectId, PendingErasure]]:
    """Finds subjects who are to be forgotten by a moment."""
    rows = connection.execute(
        "SELECT subject_id, due_at, begun, begun_at"
        " FROM pending_erasure JOIN keys.subject USING (pseudonym)"
        " WHERE due_at <= ? ORDER BY due_at LIMIT ?",
        (due, limit),
    ).fetchall()
    return [(SubjectId(subject), PendingErasure(*row)) for subject, *row in rows]


def keep_proofs(
    connection: sqlite3.Connection,
    suppressions: Suppressions,
    subject: SubjectId,
    pseudonym: Pseudonym,
    proofs: Mapping[PurposeId, Instant],
) -> None:
    """Keeps which events on these purposes were a subject's."""
    digest = suppressions.digest(subject)
    for purpose, until in proofs.items():
        positions = connection.execute(
            "SELECT position FROM event WHERE pseudonym = ? AND purpose = ? ORDER BY position",
            (pseudonym, purpose),
        ).fetchall()
        connection.executemany(
            "INSERT INTO kept_proof (subject, purpose, position, until, mac)"
            " VALUES (?, ?, ?, ?, ?)",
            [suppressions.sealed(digest, purpose, position, until) for (position,) in positions],
        )


def kept_proofs(
    connection: sqlite3.Connection, suppressions: Suppressions, subject: SubjectId, now: Instant
) -> list[KeptProof]:
    """Reads which events are kept as an erased subject's, but for those whose time is over."""
    rows = connection.execute(
        "SELECT subject, purpose, position, until, mac FROM kept_proof"
        " WHERE subject = ? AND until > ? ORDER BY purpose, until, position",
        (suppressions.digest(subject), now),
    ).fetchall()
    found: dict[tuple[PurposeId, Instant], list[Position]] = {}
    for row in rows:
        suppressions.check(row)
        _, purpose, position, until, _ = row
        found.setdefault((purpose, until), []).append(position)
    return [KeptProof(purpose, tuple(at), until) for (purpose, until), at in found.items()]


def drop_proofs(connection: sqlite3.Connection, now: Instant) -> int:
    """Forgets the proofs whose time is over."""
    with writing(connection):
        return connection.execute("DELETE FROM kept_proof WHERE until <= ?", (now,)).rowcount


def acknowledge(connection: sqlite3.Connection, follower: str, position: Position) -> Position:
    """Keeps how far a follower has acted."""
    with writing(connection):
        (through,) = connection.execute(
            "INSERT INTO follower (name, through) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET through = max(through, excluded.through)"
            " RETURNING through",
            (follower, position),
        ).fetchone()
    return Position(through)


def acknowledged(connection: sqlite3.Connection) -> dict[str, Position]:
    """Reads how far each follower has acted."""
    return dict(connection.execute("SELECT name, through FROM follower").fetchall())


def _destroy_key(
    connection: sqlite3.Connection, suppressions: Suppressions, pseudonym: Pseudonym
) -> set[bytes]:
    gone: set[bytes] = set()
    with reading(connection):
        headers = connection.execute(
            "SELECT header FROM event WHERE pseudonym = ? ORDER BY position", (pseudonym,)
        ).fetchall()
    left = remains(read_header(header).event for (header,) in headers)
    with writing(connection):
        row = connection.execute(
            "SELECT subject_id, wrapped_key FROM keys.subject WHERE pseudonym = ?", (pseudonym,)
        ).fetchone()
        if row is not None:
            # The id alone may be part of another's. In the file it stands beside the pseudonym.
            name = row[0].encode()
            gone = {name + pseudonym, pseudonym + name, row[1]}
            suppressions.write(connection, SubjectId(row[0]), left)
            connection.execute("DELETE FROM keys.subject WHERE pseudonym = ?", (pseudonym,))
        connection.execute(
            "INSERT INTO keys.erased (pseudonym) VALUES (?) ON CONFLICT DO NOTHING", (pseudonym,)
        )
    return gone
