"""What accounts have said about publication, for any number of them at once."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from functools import partial

from consentsvc.domain.consent import NOTHING_STANDS, Consent, Standing, fold, fold_standing
from consentsvc.domain.encoding import PSEUDONYM_BYTES
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import SILENT, Choices, Sayings
from consentsvc.domain.scope import Reach
from consentsvc.service.ports import ChoiceRecords, Inquiry
from consentsvc.storage import sqlite_reads
from consentsvc.storage.database import reading
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.scoped_codec import (
    REACH_BYTES,
    Owner,
    decode,
    decode_sayings,
    reach_digests,
    unseal,
)
from consentsvc.storage.scopes import refuse_not_kept, take
from consentsvc.storage.sqlite_remains import LAST, Suppressions
from consentsvc.storage.sqlite_states import Notices, last_event

# Most people have spoken at one or two reaches: to read these takes less than to look for the four
# that cover a contact in its role. Of who spoke at more than this, only what is asked for is read.
_FEW = 4

_ACCOUNTS = f"""
SELECT asked.value, subject.pseudonym, subject.wrapped_key,
       standing.restriction, standing.death, consent.objection,
       (SELECT count(*) FROM (
            SELECT 1 FROM scoped_consent AS scoped
            WHERE scoped.pseudonym = subject.pseudonym AND scoped.purpose = ?2 LIMIT {_FEW + 1}))
FROM json_each(?1) AS asked
CROSS JOIN keys.subject AS subject ON subject.subject_id = asked.value
LEFT JOIN standing ON standing.pseudonym = subject.pseudonym
LEFT JOIN consent ON consent.pseudonym = subject.pseudonym AND consent.purpose = ?2
"""  # noqa: S608 - a length

# One statement for a whole list, as for records; but JSON holds no bytes, and not every SQLite can
# read them from hex. So what is looked for comes end to end in two values, and is counted off.
_ROWS = f"""
WITH RECURSIVE asked (number) AS (
    VALUES (0) UNION ALL SELECT number + 1 FROM asked WHERE number + 1 < ?4
)
SELECT asked.number, scoped.sealed
FROM asked CROSS JOIN scoped_consent AS scoped
    ON scoped.pseudonym = substr(?1, {PSEUDONYM_BYTES} * asked.number + 1, {PSEUDONYM_BYTES})
    AND scoped.purpose = ?2
    AND scoped.reach = substr(?3, {REACH_BYTES} * asked.number + 1, {REACH_BYTES})
"""  # noqa: S608 - lengths, all constants


_FEW_ROWS = f"""
WITH RECURSIVE asked (number) AS (
    VALUES (0) UNION ALL SELECT number + 1 FROM asked WHERE number + 1 < ?3
)
SELECT asked.number, scoped.reach, scoped.sealed
FROM asked CROSS JOIN scoped_consent AS scoped
    ON scoped.pseudonym = substr(?1, {PSEUDONYM_BYTES} * asked.number + 1, {PSEUDONYM_BYTES})
    AND scoped.purpose = ?2
"""  # noqa: S608 - a length


def choices(
    connection: sqlite3.Connection,
    keyring: Keyring,
    notices: Notices,
    suppressions: Suppressions,
    purpose: PurposeId,
    inquiries: Sequence[Inquiry],
) -> ChoiceRecords:
    """Reads choices at the head."""
    reaches: dict[SubjectId, frozenset[Reach]] = {}
    for subject, asked in inquiries:
        reaches[subject] = reaches[subject] | asked if subject in reaches else asked
    with reading(connection):
        head, _ = last_event(connection)
        accounts = connection.execute(_ACCOUNTS, (json.dumps(list(reaches)), purpose)).fetchall()
        found: dict[SubjectId, Choices] = {}
        terse: list[tuple[Owner, dict[Reach, Sayings]]] = []
        # Of each row that is looked for, by its number.
        whose: list[tuple[Owner, dict[Reach, Sayings]]] = []
        where: list[Reach] = []
        digests: list[bytes] = []
        for subject, pseudonym, wrapped, restriction, death, objection, rows in accounts:
            owner = Owner(keyring.open_key(subject, pseudonym, wrapped), pseudonym, purpose)
            sayings: dict[Reach, Sayings] = {}
            standing = NOTHING_STANDS
            if restriction is not None or death is not None:
                standing = Standing(restriction, death)
            found[subject] = Choices(sayings, standing, objection)
            if rows <= _FEW:
                terse.append((owner, sayings))
                continue
            whose += [(owner, sayings)] * len(reaches[subject])
            where += reaches[subject]
            digests += reach_digests(owner.key, reaches[subject])
        ref = partial(notices.ref, connection)
        names = b"".join(owner.pseudonym for owner, _ in terse)
        few = connection.execute(_FEW_ROWS, (names, purpose, len(terse)))
        for number, digest, sealed in few.fetchall():
            owner, sayings = terse[number]
            reach, said = decode(unseal(owner, digest, sealed), ref)
            sayings[reach] = said
        names = b"".join(owner.pseudonym for owner, _ in whose)
        asked_rows = (names, purpose, b"".join(digests), len(digests))
        for number, sealed in connection.execute(_ROWS, asked_rows).fetchall():
            owner, sayings = whose[number]
            plain = unseal(owner, digests[number], sealed)
            sayings[where[number]] = decode_sayings(plain, ref)
        silent = [subject for subject in reaches if found.get(subject, SILENT) == SILENT]
        found |= _remaining(connection, suppressions, purpose, silent)
    return ChoiceRecords(head, [found.get(one.subject, SILENT) for one in inquiries])


def _remaining(
    connection: sqlite3.Connection,
    suppressions: Suppressions,
    purpose: PurposeId,
    subjects: Collection[SubjectId],
    until: Position = LAST,
) -> dict[SubjectId, Choices]:
    """What remains of subjects who were erased, as choices."""
    left = suppressions.read(connection, subjects, until) if subjects else {}
    return {
        subject: Choices({}, one.standing, one.consent(purpose).objection_position)
        for subject, one in left.items()
    }


def choices_as_of(
    connection: sqlite3.Connection,
    keyring: Keyring,
    suppressions: Suppressions,
    purpose: PurposeId,
    inquiries: Sequence[Inquiry],
    moment: Instant,
) -> ChoiceRecords:
    """Folds choices from the events recorded at or before a moment."""
    with reading(connection):
        read_at = sqlite_reads.last_by(connection, moment)
        found = {
            subject: _folded(connection, keyring, purpose, subject, read_at)
            for subject in dict.fromkeys(one.subject for one in inquiries)
        }
        silent = [subject for subject, one in found.items() if one == SILENT]
        found |= _remaining(connection, suppressions, purpose, silent, read_at)
    return ChoiceRecords(read_at, [found[one.subject] for one in inquiries])


def _folded(
    connection: sqlite3.Connection,
    keyring: Keyring,
    purpose: PurposeId,
    subject: SubjectId,
    until: Position,
) -> Choices:
    pseudonym = Keyring.pseudonyms(connection, [subject]).get(subject)
    standing, consent = NOTHING_STANDS, Consent()
    sayings: dict[Reach, Sayings] = {}
    if pseudonym is None:
        return SILENT
    for event in sqlite_reads.history_until(connection, keyring, pseudonym, purpose, until):
        refuse_not_kept(event)
        standing = fold_standing(standing, event)
        if event.purpose == purpose:
            consent = fold(consent, event)
            take(sayings, event)
    return Choices(sayings, standing, consent.objection_position)
