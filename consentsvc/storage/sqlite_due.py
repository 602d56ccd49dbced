"""What may have run out, found by its age alone: nothing is opened for it."""

import heapq
import sqlite3
from collections.abc import Iterable
from itertools import islice

from consentsvc.domain.identifiers import PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import Due
from consentsvc.storage.database import reading

_Row = tuple[Instant, SubjectId, PurposeId]

_CONSENTS = """
SELECT chosen_at, subject_id, purpose FROM consent JOIN keys.subject USING (pseudonym)
WHERE choice_kind = 'consent_given' AND choice_expired = 0 AND purpose = ? AND chosen_at <= ?
ORDER BY chosen_at LIMIT ?
"""
_REQUESTS = """
SELECT requested_at, subject_id, purpose FROM consent JOIN keys.subject USING (pseudonym)
WHERE request_position IS NOT NULL AND request_expired = 0 AND requested_at <= ?
ORDER BY requested_at LIMIT ?
"""
# Grouped, so that one account's thousands of domains do not use up the limit of all.
_SCOPED_CONSENTS = """
SELECT min(given_at), subject_id, purpose FROM scoped_consent JOIN keys.subject USING (pseudonym)
WHERE given_at IS NOT NULL AND purpose = ? AND given_at <= ?
GROUP BY pseudonym ORDER BY min(given_at) LIMIT ?
"""
_SCOPED_REQUESTS = """
SELECT min(requested_at), subject_id, purpose
FROM scoped_consent JOIN keys.subject USING (pseudonym)
WHERE requested_at IS NOT NULL AND requested_at <= ?
GROUP BY pseudonym, purpose ORDER BY min(requested_at) LIMIT ?
"""


def due(
    connection: sqlite3.Connection,
    given_before: dict[PurposeId, Instant],
    requested_before: Instant,
    limit: int,
) -> list[Due]:
    """Finds consents and requests that may have run out, the oldest of each kind first."""
    found: list[Due] = []
    with reading(connection):
        for purpose, before in given_before.items():
            asked = (purpose, before, limit)
            found += _oldest(
                connection.execute(_CONSENTS, asked).fetchall(),
                connection.execute(_SCOPED_CONSENTS, asked).fetchall(),
                limit,
            )
        found += _oldest(
            connection.execute(_REQUESTS, (requested_before, limit)).fetchall(),
            connection.execute(_SCOPED_REQUESTS, (requested_before, limit)).fetchall(),
            limit,
        )
    return list(dict.fromkeys(found))


def _oldest(plain: Iterable[_Row], scoped: Iterable[_Row], limit: int) -> list[Due]:
    rows = heapq.merge(plain, scoped, key=lambda row: row[0])
    return list(islice(dict.fromkeys(Due(subject, purpose) for _, subject, purpose in rows), limit))
