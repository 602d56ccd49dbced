"""Queries on SQLite, each a whole unit of work inside one read transaction."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.encoding import read_header
from consentsvc.domain.events import Event, NoticeRef
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import (
    History,
    Leaf,
    Page,
    Published,
    Question,
    Record,
    Records,
    Stretch,
    SubjectRecord,
)
from consentsvc.storage import codec, sqlite_erasure, sqlite_withheld
from consentsvc.storage.database import reading
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.scoped_codec import Owner
from consentsvc.storage.sqlite_remains import LAST, Suppressions
from consentsvc.storage.sqlite_scoped import purposes_of, read_all
from consentsvc.storage.sqlite_states import (
    CONSENT_COLUMNS,
    Notices,
    consent_of,
    last_event,
    read_consents,
    read_standing,
)

# One statement for a whole list: json_each hands SQLite the subjects in one go, and the two joins
# are look-ups by key. A statement for each subject would cost several times as much.
_RECORDS = f"""
SELECT asked.key, subject.pseudonym, standing.restriction, standing.death,
       {", ".join("consent." + column.strip() for column in CONSENT_COLUMNS.split(","))}
FROM json_each(?1) AS asked
CROSS JOIN keys.subject AS subject ON subject.subject_id = asked.value
LEFT JOIN consent ON consent.pseudonym = subject.pseudonym AND consent.purpose = ?2
LEFT JOIN standing ON standing.pseudonym = subject.pseudonym
"""  # noqa: S608 - column names, all constants


def records(
    connection: sqlite3.Connection,
    notices: Notices,
    suppressions: Suppressions,
    questions: Sequence[Question],
) -> Records:
    """Reads states at the head."""
    with reading(connection):
        head, _ = last_event(connection)
        answers = [_records(connection, notices, one) for one in questions]
        _take_remains(connection, suppressions, questions, answers)
        return Records(head, answers)


def _take_remains(
    connection: sqlite3.Connection,
    suppressions: Suppressions,
    questions: Sequence[Question],
    answers: Sequence[list[Record]],
    until: Position = LAST,
) -> None:
    """Puts what remains of erased subjects into the answers that would know nothing of them."""
    for question, records in zip(questions, answers, strict=True):
        silent = [
            at
            for at, (_, consent, standing) in enumerate(records)
            if consent is NOTHING_KNOWN and standing is NOTHING_STANDS
        ]
        subjects = [question.subjects[at] for at in silent]
        left = suppressions.read(connection, subjects, until) if subjects else {}
        for at in silent if left else ():
            one = left.get(question.subjects[at])
            if one is not None:
                consent = one.consent(question.purpose)
                records[at] = records[at]._replace(consent=consent, standing=one.standing)


def _records(connection: sqlite3.Connection, notices: Notices, question: Question) -> list[Record]:
    found = [_UNKNOWN] * len(question.subjects)
    asked = json.dumps(list(question.subjects))
    for row in connection.execute(_RECORDS, (asked, question.purpose)).fetchall():
        key, pseudonym, restriction, death, position = row[:5]
        standing = (
            NOTHING_STANDS
            if restriction is None and death is None
            else Standing(restriction, death)
        )
        consent = NOTHING_KNOWN if position is None else consent_of(connection, notices, row[4:])
        found[key] = Record(pseudonym, consent, standing)
    return found


_UNKNOWN = Record()


def records_as_of(
    connection: sqlite3.Connection,
    suppressions: Suppressions,
    questions: Sequence[Question],
    moment: Instant,
) -> Records:
    """Folds states from the events recorded at or before a moment."""
    with reading(connection):
        read_at = last_by(connection, moment)
        answers = [
            [
                _folded(connection, question.purpose, subject, read_at)
                for subject in question.subjects
            ]
            for question in questions
        ]
        _take_remains(connection, suppressions, questions, answers, read_at)
    return Records(read_at, answers)


def last_by(connection: sqlite3.Connection, moment: Instant) -> Position:
    """Tells the last event that was recorded at or before a moment."""
    row = connection.execute(
        "SELECT position FROM event WHERE recorded_at <= ?"
        " ORDER BY recorded_at DESC, position DESC LIMIT 1",
        (moment,),
    ).fetchone()
    return START if row is None else Position(row[0])


def _folded(
    connection: sqlite3.Connection, purpose: PurposeId, subject: SubjectId, until: Position
) -> Record:
    pseudonym = Keyring.pseudonyms(connection, [subject]).get(subject)
    consent, standing = NOTHING_KNOWN, NOTHING_STANDS
    if pseudonym is not None:
        rows = connection.execute(
            "SELECT header FROM event WHERE pseudonym = ? AND position <= ? ORDER BY position",
            (pseudonym, until),
        ).fetchall()
        for (header,) in rows:
            event = read_header(header).event
            standing = fold_standing(standing, event)
            if event.purpose == purpose:
                consent = fold(consent, event)
    return Record(pseudonym, consent, standing)


def subject_record(
    connection: sqlite3.Connection, keyring: Keyring, notices: Notices, subject: SubjectId
) -> tuple[Position, SubjectRecord | None]:
    """Reads all states of one subject."""
    with reading(connection):
        head, _ = last_event(connection)
        pseudonym = Keyring.pseudonyms(connection, [subject]).get(subject)
        if pseudonym is None:
            return head, None
        return head, _subject_record(connection, keyring, notices, subject, pseudonym)


def subject_records(
    connection: sqlite3.Connection,
    keyring: Keyring,
    notices: Notices,
    after: Pseudonym | None,
    limit: int,
) -> tuple[Position, list[SubjectRecord]]:
    """Reads the states of subjects in the order of their pseudonyms."""
    with reading(connection):
        head, _ = last_event(connection)
        rows = connection.execute(
            "SELECT subject_id, pseudonym FROM keys.subject WHERE pseudonym > ?"
            " ORDER BY pseudonym LIMIT ?",
            (after or b"", limit),
        ).fetchall()
        return head, [_subject_record(connection, keyring, notices, *row) for row in rows]


def subjects_of(
    connection: sqlite3.Connection,
    keyring: Keyring,
    notices: Notices,
    pseudonyms: Collection[Pseudonym],
) -> tuple[Position, list[SubjectRecord]]:
    """Reads all states of the subjects behind pseudonyms."""
    found = []
    with reading(connection):
        head, _ = last_event(connection)
        for pseudonym in pseudonyms:
            row = connection.execute(
                "SELECT subject_id FROM keys.subject WHERE pseudonym = ?", (pseudonym,)
            ).fetchone()
            if row is not None:
                found.append(_subject_record(connection, keyring, notices, row[0], pseudonym))
    return head, found


def _subject_record(
    connection: sqlite3.Connection,
    keyring: Keyring,
    notices: Notices,
    subject: SubjectId,
    pseudonym: Pseudonym,
) -> SubjectRecord:
    sayings = {}
    for purpose in purposes_of(connection, pseudonym):
        owner = Owner(keyring.key(connection, pseudonym), pseudonym, purpose)
        sayings[purpose] = read_all(connection, notices, owner)
    return SubjectRecord(
        subject,
        pseudonym,
        read_standing(connection, pseudonym),
        read_consents(connection, notices, pseudonym),
        sayings,
    )


# A position that a caller made up may be larger than SQLite's integers: hence `min(after, head)`.
_EVENTS = """
SELECT event.header, personal_part.sealed
FROM event LEFT JOIN personal_part ON personal_part.position = event.position
"""


def events(connection: sqlite3.Connection, keyring: Keyring, after: Position, limit: int) -> Page:
    """Reads the events past a position."""
    with reading(connection):
        head, _ = last_event(connection)
        rows = connection.execute(
            _EVENTS + "WHERE event.position > ? ORDER BY event.position LIMIT ?",
            (min(after, head), limit),
        ).fetchall()
        return Page(_opened(connection, keyring, rows), head)


def subject_events(
    connection: sqlite3.Connection, keyring: Keyring, subject: SubjectId, stretch: Stretch
) -> History:
    """Reads a stretch of one subject's events."""
    limit, past, skip, newest_first = stretch
    if past is None:
        past = LAST if newest_first else START
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    # What is passed over is so by the index alone.
    positions = (
        f"SELECT position FROM event WHERE pseudonym = ?1 AND position {beyond} ?2"  # noqa: S608 - constants
        f" ORDER BY position {order} LIMIT ?3 OFFSET ?4"
    )
    with reading(connection):
        head, _ = last_event(connection)
        pseudonym = Keyring.pseudonyms(connection, [subject]).get(subject)
        rows = connection.execute(
            f"{_EVENTS} WHERE event.position IN ({positions}) ORDER BY event.position {order}",
            (pseudonym, min(past, LAST), limit, skip),
        ).fetchall()
        total = connection.execute(
            "SELECT count(*) FROM event WHERE pseudonym = ?", (pseudonym,)
        ).fetchone()[0]
        return History(_opened(connection, keyring, rows), total, head)


def history(
    connection: sqlite3.Connection,
    keyring: Keyring,
    pseudonym: Pseudonym,
    purpose: PurposeId | None,
    after: Position,
) -> list[Event]:
    """Reads the events of one subject and purpose past a position, inside a transaction."""
    head, _ = last_event(connection)
    rows = connection.execute(
        _EVENTS + "WHERE event.pseudonym = ? AND event.position > ? AND event.purpose IS ?"
        " ORDER BY event.position",
        (pseudonym, min(after, head), purpose),
    ).fetchall()
    return _opened(connection, keyring, rows)


def history_until(
    connection: sqlite3.Connection,
    keyring: Keyring,
    pseudonym: Pseudonym,
    purpose: PurposeId,
    until: Position,
) -> list[Event]:
    """Reads a subject's events on one purpose or none up to a position, inside a transaction."""
    rows = connection.execute(
        _EVENTS + "WHERE event.pseudonym = ? AND event.position <= ?"
        " AND (event.purpose = ? OR event.purpose IS NULL) ORDER BY event.position",
        (pseudonym, until, purpose),
    ).fetchall()
    return _opened(connection, keyring, rows)


def _opened(
    connection: sqlite3.Connection, keyring: Keyring, rows: Iterable[tuple[bytes, bytes | None]]
) -> list[Event]:
    keys: dict[Pseudonym, bytes] = {}
    opened = []
    for data, sealed in rows:
        header = read_header(data)
        event = header.event
        if event.pseudonym is not None and sealed is None:
            why = sqlite_withheld.why(connection, event.pseudonym, event.position)
            event = replace(event, withheld=why)
        elif event.pseudonym is not None and sealed is not None:
            if event.pseudonym not in keys:
                keys[event.pseudonym] = keyring.key(connection, event.pseudonym)
            if header.commitment is None:
                raise Damaged(f"no personal part belongs to position {event.position}")
            personal = codec.unseal(
                sealed, keys[event.pseudonym], event.pseudonym, event.purpose, header.commitment
            )
            event = replace(event, personal=personal)
        opened.append(event)
    return opened


def leaf(
    connection: sqlite3.Connection,
    keyring: Keyring,
    suppressions: Suppressions,
    subject: SubjectId,
    position: Position,
    now: Instant,
) -> Leaf | None:
    """Reads one event of a subject as the tree has it."""
    position = min(position, LAST)
    with reading(connection):
        pseudonym = Keyring.pseudonyms(connection, [subject]).get(subject)
        row = connection.execute(f"{_EVENTS} WHERE event.position = ?", (position,)).fetchone()
        if row is None:
            return None
        data, sealed = row
        header = read_header(data)
        purpose = header.event.purpose
        if pseudonym is None or header.event.pseudonym != pseudonym:
            kept = sqlite_erasure.kept_proofs(connection, suppressions, subject, now)
            theirs = any(position in one.positions for one in kept)
            return Leaf(data, None) if theirs else None
        if sealed is None or header.commitment is None:
            sqlite_withheld.why(connection, pseudonym, position)
            return Leaf(data, None)
        key = keyring.key(connection, pseudonym)
        return Leaf(data, codec.open_sealed(sealed, key, pseudonym, purpose, header.commitment))


def published(connection: sqlite3.Connection) -> list[Published]:
    """Reads every notice ever published."""
    rows = connection.execute(
        "SELECT position, recorded_at, notice.purpose, version, locale, sha256, title, text"
        " FROM notice JOIN event USING (position) ORDER BY position"
    ).fetchall()
    return [
        Published(position, recorded_at, purpose, NoticeRef(version, locale, sha256), title, text)
        for position, recorded_at, purpose, version, locale, sha256, title, text in rows
    ]


def data_version(connection: sqlite3.Connection) -> int:
    """Tells whether another connection has committed since the last look."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
