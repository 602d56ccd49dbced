"""One request's unit of work on SQLite, between a savepoint and its release."""

import sqlite3
from collections.abc import Callable, Mapping

from consentsvc.domain.consent import Consent, Standing, fold, fold_standing
from consentsvc.domain.encoding import SALT_BYTES
from consentsvc.domain.events import STANDINGS, Event, EventKind, NewEvent, NoticeRef
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import leaf_hash
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.remains import Remains, carried_over, erased
from consentsvc.domain.scope import Reach
from consentsvc.service.ports import PendingErasure, Published, Remembered, Request
from consentsvc.storage import codec, sqlite_erasure, sqlite_reads, sqlite_scoped, sqlite_states
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.scoped_codec import Owner
from consentsvc.storage.scopes import STATELESS, scope_of
from consentsvc.storage.sqlite_remains import Suppressions
from consentsvc.storage.sqlite_requests import Requests
from consentsvc.storage.sqlite_states import Notices


class SqliteTransaction:
    """See `Transaction`. The connection holds the append lock; keys were made before."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keyring: Keyring,
        pseudonyms: dict[SubjectId, Pseudonym],
        requests: Requests,
        suppressions: Suppressions,
        returning: dict[SubjectId, Remains],
        *,
        random_bytes: Callable[[int], bytes],
        clock_now: Instant,
    ) -> None:
        self._connection = connection
        self._notices = Notices()
        self._keyring = keyring
        self._pseudonyms = pseudonyms
        self._requests = requests
        self._suppressions = suppressions
        self.returning = returning
        """Erased subjects of whom nothing has been appended since, and what remains of them."""
        self._random_bytes = random_bytes
        self._head, last = sqlite_states.last_event(connection)
        self._now = max(clock_now, Instant(last))
        self._keys: dict[Pseudonym, bytes] = {}
        # What was read of every reach, kept up to date by what is appended: an account may have
        # thousands, and a request up to a hundred changes.
        self._sayings: dict[Owner, dict[Reach, Sayings]] = {}

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
        if subject in self.returning:
            return self.returning[subject].consent(purpose)
        return sqlite_states.read_consent(
            self._connection, self._notices, self._pseudonyms[subject], purpose
        )

    def standing(self, subject: SubjectId) -> Standing:
        """See `Transaction.standing`."""
        if subject in self.returning:
            return self.returning[subject].standing
        return sqlite_states.read_standing(self._connection, self._pseudonyms[subject])

    def pseudonym(self, subject: SubjectId) -> Pseudonym:
        """See `Transaction.pseudonym`."""
        return self._pseudonyms[subject]

    def sayings(self, subject: SubjectId, purpose: PurposeId) -> dict[Reach, Sayings]:
        """See `Transaction.sayings`."""
        return dict(self._all_sayings(self._owner(self._pseudonyms[subject], purpose)))

    def history(
        self, subject: SubjectId, purpose: PurposeId | None, after: Position
    ) -> list[Event]:
        """See `Transaction.history`."""
        return sqlite_reads.history(
            self._connection, self._keyring, self._pseudonyms[subject], purpose, after
        )

    def append(self, event: NewEvent) -> Position:
        """See `Transaction.append`."""
        personal = event.personal
        if personal is not None and personal.subject in self.returning:
            for one in carried_over(personal.subject, self.returning.pop(personal.subject)):
                self.append(one)
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
            event.signal,
            since=None if event.since is None else min(event.since, self._now),
        )
        # What can be refused comes first: a scope that is none, a notice that was never published.
        # Whatever the work does with the exception, there is neither an event nor a state then.
        sealed = self._sealed(placed)
        if personal is not None and pseudonym is not None:
            self._fold(personal.subject, pseudonym, placed)
        self._insert(placed, sealed)
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

    def is_erased(self, subject: SubjectId) -> bool:
        """See `Transaction.is_erased`."""
        return subject in self.returning

    def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """See `Transaction.pending_erasure`."""
        return sqlite_erasure.read_pending(self._connection, self._pseudonyms[subject])

    def plan_erasure(self, subject: SubjectId, pending: PendingErasure | None) -> None:
        """See `Transaction.plan_erasure`."""
        sqlite_erasure.write_pending(self._connection, self._pseudonyms[subject], pending)

    def erase(self, subject: SubjectId, proofs: Mapping[PurposeId, Instant]) -> Position:
        """See `Transaction.erase`."""
        pseudonym = self._pseudonyms[subject]
        position = self.append(erased(subject))
        sqlite_erasure.empty(self._connection, pseudonym)
        sqlite_erasure.keep_proofs(self._connection, self._suppressions, subject, pseudonym, proofs)
        return position

    def erase_again(self, pseudonym: Pseudonym) -> Position:
        """Appends that somebody was erased, of whom there is neither a key nor an id any more."""
        nobody = SubjectId("")
        self._pseudonyms[nobody] = pseudonym
        # What it seals is not kept, whatever under.
        self._keys[pseudonym] = self._random_bytes(codec.KEY_BYTES)
        position = self.append(erased(nobody))
        sqlite_erasure.empty(self._connection, pseudonym)
        return position

    def recall(self, request: Request) -> Remembered | None:
        """See `Transaction.recall`."""
        return self._requests.recall(self._connection, request)

    def remember(self, request: Request, subject: SubjectId, answer: bytes) -> None:
        """See `Transaction.remember`."""
        if subject in self.returning:
            return  # nobody is made by what records nothing
        pseudonym = self._pseudonyms[subject]
        self._requests.remember(self._connection, request, pseudonym, self._head, answer)

    def _sealed(self, event: Event) -> codec.Sealed | None:
        if event.personal is None or event.pseudonym is None:
            return None
        return codec.seal(
            event.personal,
            self._key(event.pseudonym),
            event.pseudonym,
            event.purpose,
            self._random_bytes(SALT_BYTES),
            self._random_bytes(codec.NONCE_BYTES),
        )

    def _insert(self, event: Event, sealed: codec.Sealed | None) -> None:
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
                leaf_hash(header),
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
        elif event.purpose is not None and event.kind not in STATELESS:
            consent = fold(self.consent(subject, event.purpose), event)
            self._fold_scoped(self._owner(pseudonym, event.purpose), event)
            sqlite_states.write_consent(self._connection, pseudonym, event.purpose, consent)

    def _fold_scoped(self, owner: Owner, event: Event) -> None:
        scope = scope_of(event)
        if scope is None:
            return
        reaches = sqlite_scoped.affected(event, scope)
        if reaches is None or owner in self._sayings:
            sayings = self._all_sayings(owner)
        else:
            sayings = sqlite_scoped.read(self._connection, self._notices, owner, reaches)
        sqlite_scoped.fold(self._connection, sayings, owner, event, scope, self._random_bytes)

    def _all_sayings(self, owner: Owner) -> dict[Reach, Sayings]:
        if owner not in self._sayings:
            self._sayings[owner] = sqlite_scoped.read_all(self._connection, self._notices, owner)
        return self._sayings[owner]

    def _owner(self, pseudonym: Pseudonym, purpose: PurposeId) -> Owner:
        return Owner(self._key(pseudonym), pseudonym, purpose)

    def _key(self, pseudonym: Pseudonym) -> bytes:
        if pseudonym not in self._keys:
            self._keys[pseudonym] = self._keyring.key(self._connection, pseudonym)
        return self._keys[pseudonym]
