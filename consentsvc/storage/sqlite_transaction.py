"""One request's unit of work on SQLite, between a savepoint and its release."""

import hashlib
import hmac
import sqlite3
from collections.abc import Callable

from consentsvc.domain.consent import Consent, Standing, fold, fold_standing
from consentsvc.domain.events import STANDINGS, Event, EventKind, NewEvent, NoticeRef
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import Published, Remembered, Request
from consentsvc.storage import codec, sqlite_reads, sqlite_states
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.sqlite_states import Notices


class SqliteTransaction:
    """See `Transaction`. The connection holds the append lock; keys were made before."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keyring: Keyring,
        pseudonyms: dict[SubjectId, Pseudonym],
        request_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock_now: Instant,
    ) -> None:
        self._connection = connection
        self._notices = Notices()
        self._keyring = keyring
        self._pseudonyms = pseudonyms
        self._request_key = request_key
        self._random_bytes = random_bytes
        self._head, last = sqlite_states.last_event(connection)
        self._now = max(clock_now, Instant(last))

    @property
    def now(self) -> Instant:
        """See `Transaction.now`."""
        return self._now

    @property
    def head(self) -> Position:
        """See `Transaction.head`."""
        return self._head

    def consent(self, subject: SubjectId, purpose: PurposeId) -> Consent:
        """See `Transaction.consent`."""
        return sqlite_states.read_consent(
            self._connection, self._notices, self._pseudonyms[subject], purpose
        )

    def standing(self, subject: SubjectId) -> Standing:
        """See `Transaction.standing`."""
        return sqlite_states.read_standing(self._connection, self._pseudonyms[subject])

    def pseudonym(self, subject: SubjectId) -> Pseudonym:
        """See `Transaction.pseudonym`."""
        return self._pseudonyms[subject]

    def history(self, subject: SubjectId, purpose: PurposeId, after: Position) -> list[Event]:
        """See `Transaction.history`."""
        rows = self._connection.execute(
            "SELECT header FROM event WHERE pseudonym = ? AND position > ? AND purpose = ?"
            " ORDER BY position",
            (self._pseudonyms[subject], after, purpose),
        )
        return [codec.read_header(row[0]).event for row in rows]

    def append(self, event: NewEvent) -> Position:
        """See `Transaction.append`."""
        personal = event.personal
        pseudonym = None if personal is None else self._pseudonyms[personal.subject]
        placed = Event(
            Position(self._head + 1),
            self._now,
            event.kind,
            event.purpose,
            pseudonym,
            event.notice,
            event.refers_to,
            personal,
        )
        # States first: if they refuse a notice that was never published, there is no event either.
        if personal is not None and pseudonym is not None:
            self._fold(personal.subject, pseudonym, placed)
        self._insert(placed)
        self._head = placed.position
        return placed.position

    def published(self) -> list[Published]:
        """See `Transaction.published`."""
        return sqlite_reads.published(self._connection)

    def publish(self, purpose: PurposeId, notice: NoticeRef, title: str, text: str) -> Position:
        """See `Transaction.publish`."""
        position = self.append(NewEvent(EventKind.NOTICE_PUBLISHED, purpose, notice=notice))
        self._connection.execute(
            "INSERT INTO notice (position, purpose, version, locale, title, text, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (position, purpose, notice.version, notice.locale, title, text, notice.sha256),
        )
        return position

    def recall(self, request: Request) -> Remembered | None:
        """See `Transaction.recall`."""
        row = self._connection.execute(
            "SELECT content_digest, answer FROM request WHERE id_digest = ?",
            (self._id_digest(request),),
        ).fetchone()
        if row is None:
            return None
        same = hmac.compare_digest(row[0], self._keyed(request.content))
        return Remembered(same, row[1])

    def remember(self, request: Request, subject: SubjectId, answer: bytes) -> None:
        """See `Transaction.remember`."""
        self._connection.execute(
            "INSERT INTO request (id_digest, content_digest, pseudonym, position, answer)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                self._id_digest(request),
                self._keyed(request.content),
                self._pseudonyms[subject],
                self._head,
                answer,
            ),
        )

    def _insert(self, event: Event) -> None:
        sealed = None
        if event.personal is not None and event.pseudonym is not None:
            opened = self._keyring.open(self._connection, event.pseudonym)
            if opened is None:
                raise codec.Damaged("the subject's key is gone")
            sealed = codec.seal(
                event.personal,
                opened[1],
                event.pseudonym,
                event.purpose,
                self._random_bytes(codec.SALT_BYTES),
                self._random_bytes(codec.NONCE_BYTES),
            )
        header = codec.header(event, sealed)
        self._connection.execute(
            "INSERT INTO event (position, recorded_at, kind, purpose, pseudonym, header, leaf_hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event.position,
                event.recorded_at,
                event.kind.value,
                event.purpose,
                event.pseudonym,
                header,
                codec.leaf_hash(header),
            ),
        )
        if sealed is not None:
            self._connection.execute(
                "INSERT INTO personal_part (position, sealed) VALUES (?, ?)",
                (event.position, sealed.data),
            )

    def _fold(self, subject: SubjectId, pseudonym: Pseudonym, event: Event) -> None:
        if event.kind in STANDINGS:
            standing = fold_standing(self.standing(subject), event)
            sqlite_states.write_standing(self._connection, pseudonym, standing)
        elif event.purpose is not None:
            consent = fold(self.consent(subject, event.purpose), event)
            sqlite_states.write_consent(self._connection, pseudonym, event.purpose, consent)

    def _id_digest(self, request: Request) -> bytes:
        # The lengths stand apart: no two pairs of caller and id run into each other.
        caller = hashlib.sha256(request.caller.encode()).digest()
        return self._keyed(caller + request.id.encode())

    def _keyed(self, data: bytes) -> bytes:
        return hmac.digest(self._request_key, data, "sha256")
