"""The rows of `scoped_consent`: what was said at each reach, readable with a subject's key only."""

import sqlite3
from collections.abc import Callable, Collection
from functools import partial

from consentsvc.domain.events import DENIALS, Event
from consentsvc.domain.identifiers import Pseudonym, PurposeId
from consentsvc.domain.publication import choices
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach, Scope, covering
from consentsvc.storage.codec import NONCE_BYTES
from consentsvc.storage.scoped_codec import (
    Owner,
    decode,
    decode_sayings,
    encode,
    reach_digest,
    seal,
    unseal,
)
from consentsvc.storage.scopes import Running, running
from consentsvc.storage.sqlite_states import Notices, notice_position


def read(
    connection: sqlite3.Connection, notices: Notices, owner: Owner, reaches: Collection[Reach]
) -> dict[Reach, Sayings]:
    """Reads what was said at some reaches; those where nothing was said are left out."""
    found: dict[Reach, Sayings] = {}
    ref = partial(notices.ref, connection)
    for reach in reaches:
        digest = reach_digest(owner.key, reach)
        row = connection.execute(
            "SELECT sealed FROM scoped_consent WHERE pseudonym = ? AND purpose = ? AND reach = ?",
            (owner.pseudonym, owner.purpose, digest),
        ).fetchone()
        if row is not None:
            found[reach] = decode_sayings(unseal(owner, digest, row[0]), ref)
    return found


def read_all(
    connection: sqlite3.Connection, notices: Notices, owner: Owner
) -> dict[Reach, Sayings]:
    """Reads what was said at every reach."""
    rows = connection.execute(
        "SELECT reach, sealed FROM scoped_consent WHERE pseudonym = ? AND purpose = ?",
        (owner.pseudonym, owner.purpose),
    ).fetchall()
    ref = partial(notices.ref, connection)
    return dict(decode(unseal(owner, digest, sealed), ref) for digest, sealed in rows)


def purposes_of(connection: sqlite3.Connection, pseudonym: Pseudonym) -> list[PurposeId]:
    """Tells for which purposes anything was said at a reach."""
    rows = connection.execute(
        "SELECT DISTINCT purpose FROM scoped_consent WHERE pseudonym = ?", (pseudonym,)
    ).fetchall()
    return [PurposeId(row[0]) for row in rows]


def fold(
    connection: sqlite3.Connection,
    sayings: dict[Reach, Sayings],
    owner: Owner,
    event: Event,
    scope: Scope,
    random_bytes: Callable[[int], bytes],
) -> None:
    """Takes an event into account, in `sayings` and in the rows.

    `sayings` hold what `affected` names. What can be refused is refused before anything changes.
    """
    reach = scope.reach
    said = choices.fold(sayings.get(reach, {}), event, scope.fields)
    if not said:
        return  # the end of something that never was
    plain = encode(reach, said, partial(notice_position, connection, owner.purpose))
    digest = reach_digest(owner.key, reach)
    inside = []
    if event.kind in DENIALS:
        inside = [
            (one, running(sayings, one)) for one in sayings if one != reach and reach.covers(one)
        ]
    sayings[reach] = said
    connection.execute(
        "INSERT OR REPLACE INTO scoped_consent"
        " (pseudonym, purpose, reach, sealed, given_at, requested_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            owner.pseudonym,
            owner.purpose,
            digest,
            seal(owner, digest, plain, random_bytes(NONCE_BYTES)),
            *running(sayings, reach),
        ),
    )
    for one, was in inside:
        _redate(connection, owner, one, was, running(sayings, one))


def affected(event: Event, scope: Scope) -> tuple[Reach, ...] | None:
    """The reaches that an event's fold has to know: None for every one there is.

    A no ends what was given inside its reach, and only who has opened a row knows whether it is.
    """
    if event.kind in DENIALS and scope.reach.role is None:
        return None
    return covering(scope.reach)


def _redate(
    connection: sqlite3.Connection, owner: Owner, reach: Reach, was: Running, now: Running
) -> None:
    if was != now:
        connection.execute(
            "UPDATE scoped_consent SET given_at = ?, requested_at = ?"
            " WHERE pseudonym = ? AND purpose = ? AND reach = ?",
            (*now, owner.pseudonym, owner.purpose, reach_digest(owner.key, reach)),
        )
