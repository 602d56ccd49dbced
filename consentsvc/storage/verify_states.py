"""The states held against the log: each is what the fold of its subject's events gives."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Consent,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.encoding import read_header
from consentsvc.domain.events import STANDINGS
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId
from consentsvc.storage.database import reading
from consentsvc.storage.scopes import STATELESS
from consentsvc.storage.sqlite_erasure import erased_at
from consentsvc.storage.sqlite_states import CONSENT_COLUMNS, columns_of
from consentsvc.storage.verify_scoped import ScopedStates

# Subjects looked at in one view of the log; see `verify`.
_AT_ONCE = 200

Tell = Callable[[int | None, str, str], None]


class _Folded(NamedTuple):
    """What a subject's events give. `standing` is None if none of them is about it."""

    events: int
    last: Position
    consents: dict[PurposeId, Consent]
    standing: Standing | None


def check(
    connection: sqlite3.Connection,
    tell: Tell,
    advance: Callable[[int], None],
    scoped: ScopedStates,
) -> None:
    """Compares the states of all subjects, in the order of their pseudonyms."""
    last: Pseudonym | None = None
    while True:
        with reading(connection):
            pseudonyms = _pseudonyms(connection, last)
            events = sum(_subject(connection, one, tell, scoped) for one in pseudonyms)
        advance(events)
        if not pseudonyms:
            return
        if last is not None and pseudonyms[0] <= last:
            # A damaged index can lead back to where it came from, and for ever.
            raise sqlite3.DatabaseError("the rows are not in the order of their pseudonyms")
        last = pseudonyms[-1]


def _pseudonyms(connection: sqlite3.Connection, last: Pseudonym | None) -> list[Pseudonym]:
    following = ">= X''" if last is None else "> ?1"
    found: set[Pseudonym] = set()
    for table in ("event", "consent", "standing", "scoped_consent"):
        rows = connection.execute(
            f"SELECT DISTINCT pseudonym FROM {table} WHERE pseudonym {following}"  # noqa: S608 - constants
            f" ORDER BY pseudonym LIMIT {_AT_ONCE}",
            () if last is None else (last,),
        )
        found.update(row[0] for row in rows)
    return sorted(found)[:_AT_ONCE]


def _subject(
    connection: sqlite3.Connection, pseudonym: Pseudonym, tell: Tell, scoped: ScopedStates
) -> int:
    if erased_at(connection, pseudonym) is not None:
        return 0  # there is to be nothing, which is told where erasures are looked at
    try:
        folded = _fold(connection, pseudonym)
    except Damaged:
        return 0  # told where the events are looked at
    _consents(connection, pseudonym, folded, tell)
    _standing(connection, pseudonym, folded, tell)
    scoped.check(pseudonym)
    return folded.events


def _fold(connection: sqlite3.Connection, pseudonym: Pseudonym) -> _Folded:
    events, last = 0, START
    consents: dict[PurposeId, Consent] = {}
    standing: Standing | None = None
    query = "SELECT header FROM event WHERE pseudonym = ? ORDER BY position"
    with closing(connection.execute(query, (pseudonym,))) as rows:
        for (data,) in rows:
            event = read_header(data).event
            events, last = events + 1, event.position
            if event.kind in STANDINGS:
                standing = fold_standing(standing or NOTHING_STANDS, event)
            elif event.purpose is not None and event.kind not in STATELESS:
                consents[event.purpose] = fold(consents.get(event.purpose, NOTHING_KNOWN), event)
    return _Folded(events, last, consents, standing)


def _consents(
    connection: sqlite3.Connection, pseudonym: Pseudonym, folded: _Folded, tell: Tell
) -> None:
    missing = dict(folded.consents)
    rows = connection.execute(
        f"SELECT purpose, {CONSENT_COLUMNS} FROM consent WHERE pseudonym = ?",  # noqa: S608 - a constant
        (pseudonym,),
    )
    for purpose, *stored in rows.fetchall():
        consent = missing.pop(purpose, None)
        if consent is None:
            tell(stored[0], "consent", "follows from no event")
            continue
        try:
            expected = columns_of(connection, purpose, consent)
        except LookupError:
            tell(consent.position, "consent", "its notice was never published")
            continue
        if tuple(stored) != expected:
            tell(consent.position, "consent", "is not what follows from the events")
    for consent in missing.values():
        tell(consent.position, "consent", "is missing")


def _standing(
    connection: sqlite3.Connection, pseudonym: Pseudonym, folded: _Folded, tell: Tell
) -> None:
    row = connection.execute(
        "SELECT restriction, death FROM standing WHERE pseudonym = ?", (pseudonym,)
    ).fetchone()
    if row == folded.standing:
        return
    if row is None:
        tell(folded.last, "standing", "is missing")
    elif folded.standing is None:
        tell(row[0] or row[1], "standing", "follows from no event")
    else:
        tell(folded.last, "standing", "is not what follows from the events")
