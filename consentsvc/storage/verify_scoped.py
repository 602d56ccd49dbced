"""What was said at each reach held against the log: opened, folded anew and compared."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.encoding import read_header
from consentsvc.domain.events import Event
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach
from consentsvc.storage.codec import unseal
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.scoped_codec import Owner, decode, encode, reach_digest
from consentsvc.storage.scoped_codec import unseal as unseal_row
from consentsvc.storage.scopes import Running, last_position, running, take
from consentsvc.storage.sqlite_states import notice_position

Tell = Callable[[int | None, str, str], None]


class _Row(NamedTuple):
    digest: bytes
    sealed: bytes
    since: Running


class ScopedStates:
    """Compares the rows of one subject after the other, with that subject's key.

    `purposes` are those whose events are known to have a scope. Without a keyring nothing can be
    looked at, and that is told.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        keyring: Keyring | None,
        purposes: Iterable[PurposeId],
        tell: Tell,
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._purposes = purposes
        self._tell = partial(_told, tell)
        if keyring is None:
            self._tell(None, "was not looked at: no key was opened")

    def check(self, pseudonym: Pseudonym) -> None:
        """Compares all rows of a subject."""
        if self._keyring is None:
            return
        stored = self._stored(pseudonym)
        for purpose in {*self._purposes, *stored}:
            self._check(self._keyring, pseudonym, purpose, stored.get(purpose, []))

    def _stored(self, pseudonym: Pseudonym) -> dict[PurposeId, list[_Row]]:
        found: dict[PurposeId, list[_Row]] = {}
        for purpose, digest, sealed, *since in self._connection.execute(
            "SELECT purpose, reach, sealed, given_at, requested_at FROM scoped_consent"
            " WHERE pseudonym = ?",
            (pseudonym,),
        ).fetchall():
            found.setdefault(purpose, []).append(_Row(digest, sealed, Running(*since)))
        return found

    def _check(
        self, keyring: Keyring, pseudonym: Pseudonym, purpose: PurposeId, rows: list[_Row]
    ) -> None:
        events = self._connection.execute(
            "SELECT header, sealed FROM event LEFT JOIN personal_part USING (position)"
            " WHERE pseudonym = ? AND purpose = ? ORDER BY position",
            (pseudonym, purpose),
        ).fetchall()
        if not events and not rows:
            return
        try:
            owner = Owner(keyring.key(self._connection, pseudonym), pseudonym, purpose)
        except Damaged:
            self._tell(None, "was not looked at: its subject's key does not open")
            return
        sayings: dict[Reach, Sayings] = {}
        for data, sealed in events:
            event = _opened(owner, data, sealed)
            if event is None:
                return  # told where the events are looked at
            take(sayings, event)
        self._compare(owner, sayings, rows)

    def _compare(self, owner: Owner, sayings: dict[Reach, Sayings], rows: list[_Row]) -> None:
        missing = {reach_digest(owner.key, reach): reach for reach in sayings}
        for row in rows:
            reach = missing.pop(row.digest, None)
            position = None if reach is None else last_position(sayings[reach])
            try:
                plain = unseal_row(owner, row.digest, row.sealed)
            except Damaged as error:
                self._tell(position, str(error))
                continue
            if reach is None:
                self._stray(owner, row, plain)
                continue
            try:
                expected = encode(
                    reach,
                    sayings[reach],
                    partial(notice_position, self._connection, owner.purpose),
                )
            except LookupError:
                self._tell(position, "its notice was never published")
                continue
            if plain != expected:
                self._tell(position, "is not what follows from the events")
            elif row.since != running(sayings, reach):
                self._tell(position, "does not tell since when it waits to run out")
        for reach in missing.values():
            self._tell(last_position(sayings[reach]), "is missing")

    def _stray(self, owner: Owner, row: _Row, plain: bytes) -> None:
        try:
            # What the notices say is of no interest here, nor whether they are there.
            reach, said = decode(plain, lambda _: None)
            position = last_position(said)
            digest = reach_digest(owner.key, reach)
        except (Damaged, ValueError):
            self._tell(None, "cannot be read")
            return
        elsewhere = digest != row.digest
        self._tell(
            position, "lies where another reach is kept" if elsewhere else "follows from no event"
        )


def _told(tell: Tell, position: Position | None, what: str) -> None:
    tell(position, "scoped_consent", what)


def _opened(owner: Owner, data: bytes, sealed: object) -> Event | None:
    try:
        header = read_header(data)
        if not isinstance(sealed, bytes) or header.commitment is None:
            return None
        personal = unseal(sealed, owner.key, owner.pseudonym, owner.purpose, header.commitment)
    except Damaged:
        return None
    return replace(header.event, personal=personal)
