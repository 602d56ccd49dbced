"""Requests that were answered, on SQLite: found by keyed digest, and answered from only if whole.

A repeat gets what the row says, and nothing else in the store tells what that was. So each row is
sealed whole, by a keyed hash.
"""

import hashlib
import hmac
import sqlite3
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.encoding import PSEUDONYM_BYTES
from consentsvc.domain.identifiers import Position, Pseudonym
from consentsvc.service.ports import Remembered, Request

COLUMNS = "id_digest, content_digest, pseudonym, position, answer, mac"
"""What `Requests.check` looks at, in that order."""

_DIGEST = 32
_POSITION = 8


class Requests:
    """Reads and writes answered requests, under the store's secret of that name."""

    def __init__(self, secret: bytes) -> None:
        self._digests = secret
        self._rows = _derived(secret, b"consentsvc answered request 1")
        self._number = _derived(secret, b"consentsvc unsealed requests 1")

    def recall(self, connection: sqlite3.Connection, request: Request) -> Remembered | None:
        """Looks a request up; raises `Damaged` for a row that is not as it was written."""
        row = connection.execute(
            f"SELECT {COLUMNS} FROM request WHERE id_digest = ?",  # noqa: S608 - a constant
            (self._id_digest(request),),
        ).fetchone()
        if row is None:
            return None
        if row[-1] is None:
            self.check_number(connection)
        self.check(row)
        return Remembered(hmac.compare_digest(row[1], self._keyed(request.content)), row[4])

    def remember(
        self,
        connection: sqlite3.Connection,
        request: Request,
        pseudonym: Pseudonym,
        position: Position,
        answer: bytes,
    ) -> None:
        """Keeps an answer, sealed."""
        row = (self._id_digest(request), self._keyed(request.content), pseudonym, position, answer)
        connection.execute(
            f"INSERT INTO request ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            (*row, self._mac(*row)),
        )

    def check(self, row: tuple[Any, ...]) -> None:
        """Raises `Damaged` for a row that is not as it was written, as far as it is sealed."""
        *columns, mac = row
        if mac is not None and not _same(mac, self._mac(*columns)):
            raise Damaged("an answered request is not as it was written")

    def number(self, connection: sqlite3.Connection) -> None:
        """Counts the requests that are not sealed, once: there must never be another one."""
        counted, sealed = connection.execute(
            "SELECT unsealed_requests IS NOT NULL,"
            " EXISTS (SELECT 1 FROM request WHERE mac IS NOT NULL) FROM identity"
        ).fetchone()
        if counted or sealed:
            self._counted(connection)
            return
        (unsealed,) = connection.execute("SELECT count(*) FROM request").fetchone()
        connection.execute(
            "UPDATE identity SET unsealed_requests = ?, unsealed_mac = ?",
            (unsealed, self._number_mac(unsealed)),
        )

    def check_number(self, connection: sqlite3.Connection) -> int:
        """Tells how many requests are not sealed; raises `Damaged` for more than there were."""
        most = self._counted(connection)
        (unsealed,) = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM request WHERE mac IS NULL LIMIT ?)", (most + 1,)
        ).fetchone()
        if unsealed > most:
            raise Damaged("an answered request has lost its seal")
        return int(unsealed)

    def _counted(self, connection: sqlite3.Connection) -> int:
        number, mac = connection.execute(
            "SELECT unsealed_requests, unsealed_mac FROM identity"
        ).fetchone()
        if not isinstance(number, int) or not _same(mac, self._number_mac(number)):
            raise Damaged("how many requests are not sealed is not what was written")
        return number

    def _number_mac(self, number: int) -> bytes:
        return hmac.digest(self._number, str(number).encode(), "sha256")

    def _mac(self, *columns: Any) -> bytes:
        try:
            id_digest, content_digest, pseudonym, position, answer = columns
            # Fixed lengths before the one part of free length: no two rows have one encoding.
            if (len(id_digest), len(content_digest), len(pseudonym)) != (
                _DIGEST,
                _DIGEST,
                PSEUDONYM_BYTES,
            ):
                raise ValueError("a digest or pseudonym of another length")
            place = position.to_bytes(_POSITION, "big")
            data = b"".join((id_digest, content_digest, pseudonym, place, answer))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Damaged("an answered request is not as it was written") from error
        return hmac.digest(self._rows, data, "sha256")

    def _id_digest(self, request: Request) -> bytes:
        # The lengths stand apart: no two pairs of caller and id run into each other.
        caller = hashlib.sha256(request.caller.encode()).digest()
        return self._keyed(caller + request.id.encode())

    def _keyed(self, data: bytes) -> bytes:
        return hmac.digest(self._digests, data, "sha256")


def _same(mac: object, expected: bytes) -> bool:
    return isinstance(mac, bytes) and hmac.compare_digest(mac, expected)


def _derived(secret: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), _DIGEST, salt=None, info=use).derive(secret)
