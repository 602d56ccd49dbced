"""Erasures held against the log: whoever was forgotten stays so, and nobody else was."""

import sqlite3
import time
from collections.abc import Callable, Iterator

from consentsvc.domain.canonical import Damaged
from consentsvc.storage.sqlite_erasure import STATES
from consentsvc.storage.sqlite_remains import Suppressions

Tell = Callable[[int | None, str, str], None]

# What a server beside us is just destroying is gone by then.
_DESTROYING_SECONDS = 1.0

_ERASED = "SELECT pseudonym FROM event WHERE kind = 'subject_erased'"

# Each finds the positions of what is wrong.
_WRONG = (
    (
        "keys.erased",
        "names somebody whom the log does not say to be erased",
        "SELECT min(position) FROM event JOIN keys.erased USING (pseudonym)"  # noqa: S608 - constants
        f" WHERE pseudonym NOT IN ({_ERASED}) GROUP BY pseudonym",
    ),
    (
        "keys.erased",
        "does not name somebody who was erased",
        "SELECT position FROM event WHERE kind = 'subject_erased'"
        " AND pseudonym NOT IN (SELECT pseudonym FROM keys.erased)"
        " AND pseudonym NOT IN (SELECT pseudonym FROM keys.subject)",
    ),
    (
        "pending_erasure",
        "is of nobody who is known",
        "SELECT begun FROM pending_erasure"
        " WHERE pseudonym NOT IN (SELECT pseudonym FROM keys.subject)",
    ),
    (
        "kept_proof",
        "is of no event of somebody who was erased",
        "SELECT kept_proof.position FROM kept_proof LEFT JOIN event USING (position)"  # noqa: S608 - constants
        f" WHERE event.purpose IS NOT kept_proof.purpose OR event.pseudonym NOT IN ({_ERASED})",
    ),
)
_SEALED = {
    "keys.suppressed": "SELECT NULL, subject, kind, purpose, mac FROM keys.suppressed",
    "kept_proof": "SELECT position, subject, purpose, position, until, mac FROM kept_proof",
}


def check(connection: sqlite3.Connection, suppressions: Suppressions | None, tell: Tell) -> None:
    """Compares keys and states, and what is still to be done, with the erasures of the log.

    Without the secret, what is sealed under it is not looked at.
    """
    left = set(_left(connection))
    if left:
        time.sleep(_DESTROYING_SECONDS)
    for position, table in sorted(left & set(_left(connection))):
        tell(position, table, "is of somebody who was erased")
    for table, what, query in _WRONG:
        for (position,) in connection.execute(query):
            tell(position, table, what)
    if suppressions is not None:
        _check_seals(connection, suppressions, tell)


def _left(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    for table in ("keys.subject", *STATES, "request"):
        rows = connection.execute(
            "SELECT DISTINCT erased.position FROM event AS erased"  # noqa: S608 - constants
            f" JOIN {table} AS kept ON kept.pseudonym = erased.pseudonym"
            " WHERE erased.kind = 'subject_erased'"
        )
        for (position,) in rows.fetchall():
            yield position, table


def _check_seals(connection: sqlite3.Connection, suppressions: Suppressions, tell: Tell) -> None:
    for table, query in _SEALED.items():
        for position, *row in connection.execute(query):
            try:
                suppressions.check(row)
            except Damaged:
                tell(position, table, "is not as it was written")
