"""Subjects, their pseudonyms and their keys: the file that is kept, backed up and lost apart.

Keys lie wrapped under the master key, bound to the name that they belong to, so that two of them
cannot be exchanged unnoticed.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.encoding import PSEUDONYM_BYTES
from consentsvc.domain.identifiers import Pseudonym, SubjectId
from consentsvc.storage.codec import KEY_BYTES, NONCE_BYTES
from consentsvc.storage.database import writing

_CHECK = b"consentsvc master key"


class Keyring:
    """Reads and makes keys, through any connection to which the key file is attached as `keys`."""

    def __init__(self, master_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._master = AESGCM(master_key)
        self._random_bytes = random_bytes

    def ensure(
        self, connection: sqlite3.Connection, subjects: Collection[SubjectId]
    ) -> dict[SubjectId, Pseudonym]:
        """Tells the pseudonyms of subjects, giving a durable key to those that have none.

        Runs in a transaction of its own, committed before the first event that needs the key: a
        key without events is harmless, an event without its key would be lost.
        """
        known = self.pseudonyms(connection, subjects)
        if len(known) == len(subjects):
            return known
        with writing(connection):
            for subject in subjects:
                if subject not in known:
                    pseudonym = Pseudonym(self._random_bytes(PSEUDONYM_BYTES))
                    key = self._random_bytes(KEY_BYTES)
                    connection.execute(
                        "INSERT INTO keys.subject (subject_id, pseudonym, wrapped_key)"
                        " VALUES (?, ?, ?) ON CONFLICT (subject_id) DO NOTHING",
                        (subject, pseudonym, self._wrap(key, _subject_label(pseudonym, subject))),
                    )
        return self.pseudonyms(connection, subjects)

    @staticmethod
    def pseudonyms(
        connection: sqlite3.Connection, subjects: Collection[SubjectId]
    ) -> dict[SubjectId, Pseudonym]:
        """Tells the pseudonyms of those subjects that have one."""
        found = {}
        for subject in subjects:
            row = connection.execute(
                "SELECT pseudonym FROM keys.subject WHERE subject_id = ?", (subject,)
            ).fetchone()
            if row is not None:
                found[subject] = Pseudonym(row[0])
        return found

    def open(
        self, connection: sqlite3.Connection, pseudonym: Pseudonym
    ) -> tuple[SubjectId, bytes] | None:
        """Tells who is behind a pseudonym, and their key; None if there is no key."""
        row = connection.execute(
            "SELECT subject_id, wrapped_key FROM keys.subject WHERE pseudonym = ?", (pseudonym,)
        ).fetchone()
        if row is None:
            return None
        subject = SubjectId(row[0])
        return subject, self.open_key(subject, pseudonym, row[1])

    def key(self, connection: sqlite3.Connection, pseudonym: Pseudonym) -> bytes:
        """Opens the key of the subject behind a pseudonym; raises `Damaged` if there is none."""
        found = self.open(connection, pseudonym)
        if found is None:
            raise Damaged("a subject's key is gone")
        return found[1]

    def make_identity(self, connection: sqlite3.Connection) -> None:
        """Names a new store, and leaves something that only the right master key opens."""
        connection.execute(
            "INSERT INTO identity (store_id, master_check) VALUES (?, ?)",
            (self._random_bytes(16), self._wrap(self._random_bytes(KEY_BYTES), _CHECK)),
        )

    def check_master(self, wrapped: bytes) -> None:
        """Raises `Damaged` if the master key is not the one that the keys were made with."""
        self._unwrap(wrapped, _CHECK)

    def make_secrets(self, connection: sqlite3.Connection, names: Sequence[str]) -> None:
        """Makes the secrets of a new store."""
        for name in names:
            connection.execute(
                "INSERT INTO secret (name, wrapped) VALUES (?, ?)",
                (name, self._wrap(self._random_bytes(KEY_BYTES), name.encode())),
            )

    def secrets(self, connection: sqlite3.Connection) -> dict[str, bytes]:
        """Reads the store's own secrets."""
        rows = connection.execute("SELECT name, wrapped FROM secret").fetchall()
        return {name: self.open_secret(name, wrapped) for name, wrapped in rows}

    def open_secret(self, name: str, wrapped: bytes) -> bytes:
        """Opens one of the store's own secrets."""
        return self._unwrap(wrapped, name.encode())

    def open_key(self, subject: SubjectId, pseudonym: Pseudonym, wrapped: bytes) -> bytes:
        """Opens a subject's key."""
        return self._unwrap(wrapped, _subject_label(pseudonym, subject))

    def _wrap(self, key: bytes, label: bytes) -> bytes:
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, label)

    def _unwrap(self, wrapped: bytes, label: bytes) -> bytes:
        try:
            return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], label)
        except (InvalidTag, ValueError, TypeError) as error:
            raise Damaged("a key does not open with the master key") from error


def _subject_label(pseudonym: Pseudonym, subject: SubjectId) -> bytes:
    return pseudonym + subject.encode()
