"""What outlives erasures on SQLite: found by a keyed hash of the subject's id.

Nothing else in the store tells what it was, so each row is sealed whole by a keyed hash.
"""

import hmac
import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import Any

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.remains import NOTHING_REMAINS, Remains

# The largest position that SQLite can hold.
LAST = Position(2**63 - 1)

_EVENTS = """
SELECT 1 FROM keys.subject JOIN event ON event.pseudonym = subject.pseudonym
WHERE subject.subject_id = ? AND event.position <= ? LIMIT 1
"""

# JSON holds no bytes: hence the hashes in hex.
_SUPPRESSED = """
SELECT asked.key, suppressed.subject, suppressed.kind, suppressed.purpose, suppressed.mac
FROM json_each(?) AS asked CROSS JOIN keys.suppressed ON suppressed.subject = asked.value
"""


class Suppressions:
    """Reads and writes what remains, under the store's secret of that name."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._rows = hmac.digest(secret, b"consentsvc remaining row 1", "sha256")

    def digest(self, subject: SubjectId) -> str:
        """What stands for a subject's id."""
        return hmac.digest(self._secret, subject.encode(), "sha256").hex()

    def read(
        self,
        connection: sqlite3.Connection,
        subjects: Collection[SubjectId],
        until: Position = LAST,
    ) -> dict[SubjectId, Remains]:
        """Reads what remains of subjects without events up to a position; leaves out all others.

        Whoever has events has it among them.
        """
        if connection.execute("SELECT 1 FROM keys.suppressed LIMIT 1").fetchone() is None:
            return {}
        asked = list(subjects)
        rows = connection.execute(_SUPPRESSED, (json.dumps(list(map(self.digest, asked))),))
        found: dict[SubjectId, Remains] = {}
        for key, *row in rows.fetchall():
            self.check(row)
            subject, (_, kind, purpose, _) = asked[key], row
            found[subject] = _with(found.get(subject, NOTHING_REMAINS), kind, purpose)
        return {
            subject: one
            for subject, one in found.items()
            if connection.execute(_EVENTS, (subject, until)).fetchone() is None
        }

    def write(self, connection: sqlite3.Connection, subject: SubjectId, remains: Remains) -> None:
        """Keeps what remains of a subject, in the place of what did before."""
        digest = self.digest(subject)
        connection.execute("DELETE FROM keys.suppressed WHERE subject = ?", (digest,))
        rows = [(EventKind.OBJECTION_RAISED, purpose) for purpose in sorted(remains.objected)]
        if remains.erased:
            rows.append((EventKind.SUBJECT_ERASED, _EVERY_PURPOSE))
        if remains.restricted:
            rows.append((EventKind.PROCESSING_RESTRICTED, _EVERY_PURPOSE))
        if remains.deceased:
            rows.append((EventKind.DEATH_REPORTED, _EVERY_PURPOSE))
        connection.executemany(
            "INSERT INTO keys.suppressed (subject, kind, purpose, mac) VALUES (?, ?, ?, ?)",
            [self.sealed(digest, kind.value, purpose) for kind, purpose in rows],
        )

    def sealed(self, *columns: str | int) -> tuple[str | int | bytes, ...]:
        """A row with its seal."""
        return *columns, hmac.digest(self._rows, json.dumps(columns).encode(), "sha256")

    def check(self, row: Iterable[Any]) -> None:
        """Raises `Damaged` for a row that is not as it was written."""
        *columns, mac = row
        try:
            expected = hmac.digest(self._rows, json.dumps(columns).encode(), "sha256")
        except TypeError as error:
            raise Damaged("a row of an erased subject is not as it was written") from error
        if not isinstance(mac, bytes) or not hmac.compare_digest(mac, expected):
            raise Damaged("a row of an erased subject is not as it was written")


_EVERY_PURPOSE = PurposeId("")


def _with(remains: Remains, kind: str, purpose: str) -> Remains:
    match EventKind(kind):
        case EventKind.PROCESSING_RESTRICTED:
            return remains._replace(restricted=True)
        case EventKind.DEATH_REPORTED:
            return remains._replace(deceased=True)
        case EventKind.SUBJECT_ERASED:
            return remains._replace(erased=True)
        case _:
            return remains._replace(objected=remains.objected | {PurposeId(purpose)})
