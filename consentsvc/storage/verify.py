"""Everything that a store can be held to by looking at it: for an auditor, and after a restore.

What was never written cannot be missed: that the end of the log was not cut off shows only
against a position that somebody kept elsewhere.
"""

import sqlite3
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.catalogue import Notice
from consentsvc.domain.encoding import Header, read_header
from consentsvc.domain.events import Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.merkle import leaf_hash
from consentsvc.storage import (
    sqlite_files,
    sqlite_withheld,
    verify_checkpoints,
    verify_erasures,
    verify_states,
)
from consentsvc.storage.codec import sealed_hash, unseal
from consentsvc.storage.database import attach_keys, connect, reading
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.migrations import expected_schema, schema_of
from consentsvc.storage.scopes import scope_of
from consentsvc.storage.sqlite_remains import Suppressions
from consentsvc.storage.sqlite_requests import COLUMNS, Requests
from consentsvc.storage.verify_scoped import ScopedStates
from consentsvc.storage.verify_tree import Tree

# Problems that are kept. A store that is wrong in one way is often wrong in that way everywhere.
_OUT_OF_REACH = (
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_PERM",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
)

KEPT = 100

# Events looked at in one view of the log: short, so that a server that writes meanwhile can go on
# reusing its write-ahead log.
_AT_ONCE = 1_000


class Problem(NamedTuple):
    """Something that is not as it was written, told without personal data.

    `position` is that of the event concerned, None if it cannot be told.
    """

    position: Position | None
    table: str
    what: str


class Report(NamedTuple):
    """What was looked at, and what was found.

    The first problems, the log before what follows from it and each by position; `more` is the
    number of those that are not listed. `unsealed` is the number of answered requests of which
    nothing can be told but their position: they are older than the seal that all others have.
    """

    events: int
    subjects: int
    problems: tuple[Problem, ...]
    more: int = 0
    unsealed: int = 0


def verify(
    log: Path,
    master_key_file: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Checks the whole store and changes nothing. May run beside a server.

    `progress` is told how much of how much is done: every event counts once in the log and once in
    its subject's states. Raises `StoreRefused` if files are not there; what is wrong inside them
    is a problem of the report.
    """
    keyring = sqlite_files.read_only(log, master_key_file)
    found = Found()
    work = Work(progress)
    with closing(_open(log)) as connection:
        with found.unreadable("keys"):
            attach_keys(connection, sqlite_files.key_file(log), "ro")
        for schema, folder, name in (("main", "sqlite", "log"), ("keys", "sqlite_keys", "keys")):
            with found.unreadable(name):
                _check_file(connection, schema, folder, name, found)
        opens = False
        secrets: dict[str, bytes | None] = {}
        with found.unreadable("identity"):
            opens = _check_identity(connection, keyring, found)
            secrets = _check_secrets(connection, keyring, found) if opens else {}
        events = _Events(connection, keyring if opens else None, found, work)
        with found.unreadable("event", lambda: Position(events.last + 1)):
            events.check()
        with found.unreadable("personal_part"):
            _check_orphans(connection, "personal_part", found)
            _check_orphans(connection, "emptied", found)
        with found.unreadable("notice"):
            _check_orphans(connection, "notice", found)
            _check_notices(connection, found)
        with found.unreadable("checkpoint"):
            seed = secrets.get(sqlite_files.CHECKPOINT)
            verify_checkpoints.check(connection, seed, found.state)
        with found.unreadable("consent"):
            scoped = ScopedStates(
                connection, keyring if opens else None, events.scoped, found.state
            )
            verify_states.check(connection, found.state, work.advance, scoped)
        with found.unreadable("keys.erased"):
            secret = secrets.get(sqlite_files.REMAINS)
            suppressions = None if secret is None else Suppressions(secret)
            verify_erasures.check(connection, suppressions, found.state)
        unsealed = 0
        with found.unreadable("request"):
            unsealed = _check_requests(connection, secrets.get("requests"), found)
        subjects = 0
        with found.unreadable("keys.subject"):
            for row in connection.execute(_SUBJECTS):
                subjects += 1
                if opens:
                    _check_subject(keyring, row, found)
    return Report(events.count, subjects, found.problems, found.more, unsealed)


class Found:
    """Keeps the first problems and counts the rest: a ruined store must not fill the memory."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, float, int, Problem]] = []
        self._number = 0
        self.more = 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is kept, in the order of the report."""
        return tuple(problem for _, _, _, problem in self._kept)

    def log(self, position: int | None, table: str, what: str) -> None:
        """Notes a problem of the log itself."""
        self._add(0, position, table, what)

    def state(self, position: int | None, table: str, what: str) -> None:
        """Notes a problem of what is kept beside the log."""
        self._add(1, position, table, what)

    @contextmanager
    def unreadable(
        self, table: str, position: Callable[[], Position | None] = lambda: None
    ) -> Iterator[None]:
        """Notes that a table cannot be read on, instead of ending there."""
        try:
            yield
        # SQLite keeps types, but damaged bytes can make any value one of another type.
        except (sqlite3.DatabaseError, TypeError, AttributeError, ValueError) as error:
            # Not its message: some of them quote what could not be read.
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            if name.startswith(_OUT_OF_REACH):
                # Nothing was found out about what the file holds.
                raise StoreRefused(f"the store cannot be read now ({name})") from error
            self.log(position(), table, f"cannot be read ({name})")

    def _add(self, rank: int, position: object, table: str, what: str) -> None:
        problem = Problem(Position(position) if isinstance(position, int) else None, table, what)
        order = position if isinstance(position, int) else float("inf")
        self._number += 1
        insort(self._kept, (rank, order, self._number, problem))
        if len(self._kept) > KEPT:
            self._kept.pop()
            self.more += 1


class Work:
    """Tells how far the work has come."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress
        self._done = 0
        self.total = 0

    def advance(self, by: int) -> None:
        """Counts what has been done."""
        self._done += by
        if self._progress is not None:
            # A live log grows while it is being looked at.
            self._progress(self._done, max(self._done, self.total))


def _open(log: Path) -> sqlite3.Connection:
    try:
        connection = connect(log, read_only=True)
    except sqlite3.OperationalError as error:
        raise StoreRefused(f"{log}: {error}") from error
    # Damaged text is to be compared, not to end the work.
    connection.text_factory = lambda data: data.decode(errors="replace")
    return connection


def _check_file(
    connection: sqlite3.Connection, schema: str, folder: str, name: str, found: Found
) -> None:
    for (message,) in connection.execute(f"PRAGMA {schema}.integrity_check({KEPT})"):
        if message != "ok":
            found.log(None, name, f"SQLite finds: {message}")
    expected, migrations = expected_schema(folder)
    made, applied = schema_of(connection, schema)
    for kind, made_name, _ in sorted(expected - made):
        found.log(None, name, f"{kind} {made_name} is missing or changed")
    known = {made_name for _, made_name, _ in expected}
    for kind, made_name, _ in sorted(made):
        if kind == "trigger" and made_name not in known:
            found.log(None, name, "a trigger was added")
    if applied != migrations:
        found.log(None, name, "was not brought up to date by this release")


def _check_identity(connection: sqlite3.Connection, keyring: Keyring, found: Found) -> bool:
    """Checks that log, keys and master key belong together; tells whether keys can be opened."""
    logs = connection.execute("SELECT store_id FROM main.identity").fetchall()
    keys = connection.execute("SELECT store_id, master_check FROM keys.identity").fetchall()
    if len(logs) != 1 or len(keys) != 1 or logs[0][0] != keys[0][0]:
        found.log(None, "identity", "the log and the key file belong to different stores")
    try:
        for _, check in keys:
            keyring.check_master(check)
    except Damaged:
        found.log(None, "keys.identity", "the master key is another one: no key was opened")
        return False
    return True


def _check_secrets(
    connection: sqlite3.Connection, keyring: Keyring, found: Found
) -> dict[str, bytes | None]:
    """Checks that every secret is there and opens; returns them, None for one that does not."""
    opened: dict[str, bytes | None] = {}
    for name, wrapped in connection.execute("SELECT name, wrapped FROM keys.secret"):
        try:
            opened[name] = keyring.open_secret(name, wrapped)
        except Damaged as error:
            opened[name] = None
            found.log(None, "keys.secret", str(error))
    for name in sqlite_files.ALL_SECRETS:
        if name not in opened:
            found.log(None, "keys.secret", f"the {name} secret is missing")
    return opened


class _Events:
    """The events one by one, each with its personal part and its notice."""

    _ROWS = """
    SELECT event.position, event.recorded_at, event.kind, event.purpose, event.pseudonym,
           event.header, event.leaf_hash, personal_part.sealed, notice.position
    FROM event
    LEFT JOIN personal_part ON personal_part.position = event.position
    LEFT JOIN notice ON notice.position = event.position
    WHERE event.position > ? ORDER BY event.position LIMIT ?
    """

    def __init__(
        self, connection: sqlite3.Connection, keyring: Keyring | None, found: Found, work: Work
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._found = found
        self._work = work
        self._tree = Tree(connection, found.log)
        self._recorded_at = 0
        self.last = START
        self.count = 0
        self.scoped: set[PurposeId] = set()
        """The purposes whose events have a scope; of all others no event is opened again."""

    def check(self) -> None:
        """Checks all events that there are."""
        stray = "SELECT position FROM event WHERE position < 1"
        for (position,) in self._connection.execute(stray):
            self._found.log(position, "event", "is before the first position")
        while self._stretch():
            pass

    def _stretch(self) -> bool:
        keys: dict[Pseudonym, tuple[SubjectId, bytes] | None] = {}
        before = self.count
        with reading(self._connection):
            row = self._connection.execute("SELECT max(position) FROM event").fetchone()
            self._work.total = 2 * (row[0] or 0)
            with closing(self._connection.execute(self._ROWS, (self.last, _AT_ONCE))) as rows:
                for row in rows:
                    self._row(row, keys)
            with self._found.unreadable("tree"):
                self._tree.check(self.last)
        self._work.advance(self.count - before)
        return self.count > before

    def _row(
        self, row: tuple[Any, ...], keys: dict[Pseudonym, tuple[SubjectId, bytes] | None]
    ) -> None:
        position, recorded_at, *columns, data, leaf, sealed, notice_row = row
        if position <= self.last:
            # A damaged tree can lead back to where it came from, and for ever.
            raise sqlite3.DatabaseError("the rows are not in the order of their positions")
        if position != self.last + 1:
            number = position - self.last - 1
            what = "is missing" if number == 1 else f"is missing, the first of {number}"
            self._found.log(self.last + 1, "event", what)
        self.last = position
        self.count += 1
        if not isinstance(data, bytes) or not isinstance(recorded_at, int):
            self._found.log(position, "event", "holds a value of another type")
            return
        if recorded_at < self._recorded_at:
            self._found.log(position, "event", "was recorded before the one before it")
        self._recorded_at = recorded_at
        self._tree.add(position, leaf_hash(data))
        if leaf != leaf_hash(data):
            self._found.log(position, "event", "the leaf hash is not that of the header")
        try:
            header = read_header(data)
        except Damaged as error:
            self._found.log(position, "event", str(error))
            return
        if header.encode() != data:
            self._found.log(position, "event", "the header is not in its canonical form")
        self._columns(header.event, [position, recorded_at, *columns])
        self._notice(header.event, notice_row)
        self._personal_part(header, position, sealed, keys)

    def _columns(self, event: Event, columns: list[object]) -> None:
        for name, said, stands in (
            ("position", event.position, columns[0]),
            ("recorded_at", event.recorded_at, columns[1]),
            ("kind", event.kind.value, columns[2]),
            ("purpose", event.purpose, columns[3]),
            ("pseudonym", event.pseudonym, columns[4]),
        ):
            if said != stands:
                self._found.log(
                    self.last, "event", f"the column {name} is not what the header says"
                )

    def _notice(self, event: Event, row: int | None) -> None:
        publishes = event.kind is EventKind.NOTICE_PUBLISHED
        if publishes and row is None:
            self._found.log(self.last, "notice", "the text of what was published is missing")

    def _personal_part(
        self,
        header: Header,
        position: Position,
        sealed: object,
        keys: dict[Pseudonym, tuple[SubjectId, bytes] | None],
    ) -> None:
        pseudonym, commitment = header.event.pseudonym, header.commitment
        if pseudonym is None or commitment is None:
            if sealed is not None:
                self._found.log(position, "personal_part", "belongs to no person")
        elif (sealed is None) != sqlite_withheld.is_withheld(
            self._connection, pseudonym, header.event.position
        ):
            what = "is missing" if sealed is None else "is there though it was destroyed"
            self._found.log(position, "personal_part", what)
        elif sealed is None:
            pass
        elif not isinstance(sealed, bytes) or sealed_hash(sealed) != header.sealed_sha256:
            self._found.log(position, "personal_part", "is not the one that the header names")
        elif self._keyring is not None:
            try:
                self._open(self._keyring, header, sealed, keys)
            except Damaged as error:
                self._found.log(position, "personal_part", str(error))

    def _open(
        self,
        keyring: Keyring,
        header: Header,
        sealed: bytes,
        keys: dict[Pseudonym, tuple[SubjectId, bytes] | None],
    ) -> None:
        pseudonym, purpose = header.event.pseudonym, header.event.purpose
        if pseudonym is None or header.commitment is None:
            return
        if pseudonym not in keys:
            keys[pseudonym] = keyring.open(self._connection, pseudonym)
        owner = keys[pseudonym]
        if owner is None:
            raise Damaged("there is no key for it")
        subject, key = owner
        personal = unseal(sealed, key, pseudonym, purpose, header.commitment)
        if personal.subject != subject:
            raise Damaged("is about another person than the one whose key it is")
        if purpose and scope_of(replace(header.event, personal=personal)):
            self.scoped.add(purpose)


def _check_orphans(connection: sqlite3.Connection, table: str, found: Found) -> None:
    for (position,) in connection.execute(
        f"SELECT position FROM {table} LEFT JOIN event USING (position)"  # noqa: S608 - a constant
        " WHERE event.header IS NULL ORDER BY position"
    ):
        found.log(position, table, "belongs to no event")


def _check_notices(connection: sqlite3.Connection, found: Found) -> None:
    for position, purpose, version, locale, title, text, sha256, data in connection.execute(
        "SELECT position, notice.purpose, version, locale, title, text, sha256, header"
        " FROM notice JOIN event USING (position)"
    ):
        try:
            event = read_header(data).event
        except Damaged:
            continue  # told where the events are looked at
        if Notice(purpose, version, locale, title, text).sha256 != sha256:
            found.log(position, "notice", "the text is not the one whose hash was stored")
        said = (event.kind, event.purpose, event.notice)
        if said != (EventKind.NOTICE_PUBLISHED, purpose, NoticeRef(version, locale, sha256)):
            found.log(position, "notice", "is not the one that the event says was published")


def _check_requests(connection: sqlite3.Connection, secret: bytes | None, found: Found) -> int:
    """Checks the answered requests; returns how many are older than the seal."""
    unsealed = 0
    if secret is None:
        found.state(None, "request", "was not looked at: its key was not opened")
    else:
        unsealed = _check_seals(connection, Requests(secret), found)
    for (position,) in connection.execute(
        "SELECT position FROM request WHERE length(id_digest) <> 32 OR length(content_digest) <> 32"
        " OR position NOT BETWEEN 0 AND (SELECT coalesce(max(position), 0) FROM event)"
    ):
        found.state(position, "request", "was answered at a position that is not in the log")
    for (position,) in connection.execute(
        "SELECT position FROM request WHERE NOT EXISTS"
        " (SELECT 1 FROM keys.subject WHERE subject.pseudonym = request.pseudonym)"
    ):
        found.state(position, "request", "is of nobody who is known")
    return unsealed


def _check_seals(connection: sqlite3.Connection, requests: Requests, found: Found) -> int:
    for row in connection.execute(f"SELECT {COLUMNS} FROM request"):  # noqa: S608 - a constant
        try:
            requests.check(row)
        except Damaged:
            found.state(row[3], "request", "is not as it was written")
    unsealed = connection.execute("SELECT min(position), count(*) FROM request WHERE mac IS NULL")
    position, number = unsealed.fetchone()
    try:
        requests.check_number(connection)
    except Damaged as error:
        # Which of them it is nobody can tell any more: the first one that it may be.
        found.state(position, "request", str(error))
    return int(number)


_SUBJECTS = "SELECT subject_id, pseudonym, wrapped_key FROM keys.subject"


def _check_subject(keyring: Keyring, row: tuple[Any, ...], found: Found) -> None:
    try:
        keyring.open_key(*row)
    except Damaged as error:
        found.log(None, "keys.subject", str(error))
