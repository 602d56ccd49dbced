"""The log on SQLite: one file for events and states, one for the keys, one for the master key."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.errors import PositionUnknown, StoreUnavailable, SubjectUnknown
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.remains import NOTHING_REMAINS, Remains
from consentsvc.service.ports import (
    ChoiceRecords,
    Clock,
    Due,
    History,
    Inquiry,
    KeptProof,
    Leaf,
    Page,
    PendingErasure,
    Published,
    Question,
    Records,
    SignedCheckpoint,
    Stretch,
    SubjectRecord,
    Transaction,
)
from consentsvc.storage import (
    sqlite_checkpoints,
    sqlite_choices,
    sqlite_due,
    sqlite_erasure,
    sqlite_reads,
    sqlite_retention,
    sqlite_states,
    sqlite_tree,
)
from consentsvc.storage.database import Database, reading, writing
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.group_commit import Failed, GroupCommit
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.sqlite_files import REMAINS, Files, prepare
from consentsvc.storage.sqlite_remains import Suppressions
from consentsvc.storage.sqlite_requests import Requests
from consentsvc.storage.sqlite_states import Notices
from consentsvc.storage.sqlite_transaction import SqliteTransaction

T = TypeVar("T")

# How soon a write by another process is noticed. One cheap look at the file's data version each
# time, so that a follower's delay stays well below what a person notices.
_LOOK_EVERY_SECONDS = 0.05


class _Unit(NamedTuple):
    work: Callable[[Transaction], object]
    subjects: frozenset[SubjectId]
    only_known: bool = False
    keeps_keys: bool = False


@dataclass(slots=True)
class Statistics:
    """What the store has written since it was opened."""

    commits: int = 0
    requests: int = 0
    events: int = 0


class SqliteEventStore:
    """See `EventStore`. Made by `open_sqlite`."""

    def __init__(
        self,
        files: Files,
        keyring: Keyring,
        writer: Database,
        checks: Database,
        pages: Database,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._files = files
        self._keyring = keyring
        self._writer = writer
        # Two readers, so that a follower paging through years of events is not in front of a
        # mailer's check.
        self._checks = checks
        self._pages = pages
        self._clock = clock
        self._random_bytes = random_bytes
        self._inodes = _inodes(files)
        self._requests = Requests(files.secrets["requests"])
        self._suppressions = Suppressions(files.secrets[REMAINS])
        # Up to where the keys of the erased are destroyed; what must be in no file any more; and
        # whether a write-ahead log may still hold it.
        self._finished = START
        self._gone: set[bytes] = set()
        self._unclean = True
        self._notices = Notices()
        self._commits = GroupCommit(self._commit)
        self._known_head = Position(0)
        self._grown = asyncio.Event()
        self.statistics = Statistics()

    @property
    def store_id(self) -> bytes:
        """See `EventStore.store_id`."""
        return self._files.store_id

    async def head(self) -> Position:
        """See `EventStore.head`."""
        return await self._read(self._checks, lambda raw: sqlite_states.last_event(raw)[0])

    async def write(
        self,
        work: Callable[[Transaction], T],
        subjects: Collection[SubjectId] = (),
        *,
        only_known: bool = False,
    ) -> T:
        """See `EventStore.write`."""
        unit = _Unit(work, frozenset(subjects), only_known)
        return cast(T, await self._commits.submit(unit))

    async def records(self, questions: Sequence[Question], as_of: Instant | None = None) -> Records:
        """See `EventStore.records`."""
        if as_of is None:
            return await self._read(
                self._checks,
                lambda raw: sqlite_reads.records(raw, self._notices, self._suppressions, questions),
            )
        moment = as_of
        return await self._read(
            self._pages,
            lambda raw: sqlite_reads.records_as_of(raw, self._suppressions, questions, moment),
        )

    async def choices(
        self, purpose: PurposeId, inquiries: Sequence[Inquiry], as_of: Instant | None = None
    ) -> ChoiceRecords:
        """See `EventStore.choices`."""
        if as_of is None:
            return await self._read(
                self._checks,
                lambda raw: sqlite_choices.choices(
                    raw, self._keyring, self._notices, self._suppressions, purpose, inquiries
                ),
            )
        moment = as_of
        return await self._read(
            self._pages,
            lambda raw: sqlite_choices.choices_as_of(
                raw, self._keyring, self._suppressions, purpose, inquiries, moment
            ),
        )

    async def remains(self, subject: SubjectId) -> Remains:
        """See `EventStore.remains`."""

        def read(raw: sqlite3.Connection) -> Remains:
            with reading(raw):
                return self._suppressions.read(raw, [subject]).get(subject, NOTHING_REMAINS)

        return await self._read(self._checks, read)

    async def subject_record(self, subject: SubjectId) -> tuple[Position, SubjectRecord | None]:
        """See `EventStore.subject_record`."""
        return await self._read(
            self._checks,
            lambda raw: sqlite_reads.subject_record(raw, self._keyring, self._notices, subject),
        )

    async def subject_records(
        self, after: Pseudonym | None, limit: int
    ) -> tuple[Position, list[SubjectRecord]]:
        """See `EventStore.subject_records`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_reads.subject_records(
                raw, self._keyring, self._notices, after, limit
            ),
        )

    async def subjects_of(
        self, pseudonyms: Collection[Pseudonym]
    ) -> tuple[Position, list[SubjectRecord]]:
        """See `EventStore.subjects_of`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_reads.subjects_of(raw, self._keyring, self._notices, pseudonyms),
        )

    async def events(self, after: Position, limit: int) -> Page:
        """See `EventStore.events`."""
        return await self._read(
            self._pages, lambda raw: sqlite_reads.events(raw, self._keyring, after, limit)
        )

    async def subject_events(self, subject: SubjectId, stretch: Stretch) -> History:
        """See `EventStore.subject_events`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_reads.subject_events(raw, self._keyring, subject, stretch),
        )

    async def header(self, position: Position) -> bytes:
        """See `EventStore.header`."""
        return await self._read_tree(lambda raw: sqlite_tree.header(raw, position), position)

    async def tree_root(self, size: Position) -> bytes:
        """See `EventStore.tree_root`."""
        return await self._read_tree(lambda raw: sqlite_tree.root(raw, size), size)

    async def inclusion_proof(self, position: Position, size: Position) -> list[bytes]:
        """See `EventStore.inclusion_proof`."""
        return await self._read_tree(
            lambda raw: sqlite_tree.inclusion_proof(raw, position, size), size
        )

    async def consistency_proof(self, old: Position, new: Position) -> list[bytes]:
        """See `EventStore.consistency_proof`."""
        return await self._read_tree(lambda raw: sqlite_tree.consistency_proof(raw, old, new), new)

    async def leaf(self, subject: SubjectId, position: Position) -> Leaf | None:
        """See `EventStore.leaf`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_reads.leaf(
                raw, self._keyring, self._suppressions, subject, position, self._clock()
            ),
        )

    async def keep_checkpoint(self, checkpoint: SignedCheckpoint) -> None:
        """See `EventStore.keep_checkpoint`."""
        await self._write_alone(lambda raw: sqlite_checkpoints.keep(raw, checkpoint))

    async def last_checkpoint(self) -> SignedCheckpoint | None:
        """See `EventStore.last_checkpoint`."""
        return await self._read(self._checks, sqlite_checkpoints.last)

    async def covering_checkpoint(self, position: Position) -> SignedCheckpoint | None:
        """See `EventStore.covering_checkpoint`."""
        return await self._read(
            self._checks, lambda raw: sqlite_checkpoints.covering(raw, position)
        )

    async def published(self) -> list[Published]:
        """See `EventStore.published`."""
        return await self._read(self._pages, sqlite_reads.published)

    async def due(
        self, given_before: dict[PurposeId, Instant], requested_before: Instant, limit: int
    ) -> list[Due]:
        """See `EventStore.due`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_due.due(raw, given_before, requested_before, limit),
        )

    async def pending_erasure(self, subject: SubjectId) -> PendingErasure | None:
        """See `EventStore.pending_erasure`."""

        def read(raw: sqlite3.Connection) -> PendingErasure | None:
            with reading(raw):
                known = Keyring.pseudonyms(raw, [subject])
                return sqlite_erasure.read_pending(raw, known[subject]) if known else None

        return await self._read(self._checks, read)

    async def pending_erasures(
        self, due: Instant, limit: int
    ) -> list[tuple[SubjectId, PendingErasure]]:
        """See `EventStore.pending_erasures`."""
        return await self._read(self._pages, lambda raw: sqlite_erasure.pending(raw, due, limit))

    async def erased_at(self, pseudonym: Pseudonym) -> Position | None:
        """See `EventStore.erased_at`."""
        return await self._read(self._checks, lambda raw: sqlite_erasure.erased_at(raw, pseudonym))

    async def finish_erasures(self) -> bool:
        """See `EventStore.finish_erasures`."""

        def finish(raw: sqlite3.Connection) -> bool:
            if self._finished < (head := sqlite_states.last_event(raw)[0]):
                last, gone = sqlite_erasure.finish(raw, self._suppressions, self._finished)
                self._gone |= gone
                self._unclean = self._unclean or last > self._finished
                self._finished = head
            if self._unclean:
                self._unclean = not sqlite_erasure.truncate(raw)
            return not self._unclean

        clean = await self._write_alone(finish)
        if clean and self._gone:
            # SQLite zeroes what is deleted, but not every copy that it made when it split a page.
            gone = frozenset(self._gone)
            found = await asyncio.to_thread(sqlite_erasure.still_there, self._files.keys, gone)
            if found:
                await self._write_alone(sqlite_erasure.rewrite_keys)
                self._unclean = True
                return False
            self._gone -= gone
        return clean

    async def record_erasures(self) -> None:
        """Appends that subjects were erased whose key is gone, to a log that was restored."""

        def record(raw: sqlite3.Connection) -> None:
            unrecorded = sqlite_erasure.unrecorded(raw)
            if unrecorded:
                with writing(raw):
                    for pseudonym in unrecorded:
                        self._transaction(raw, {}, {}).erase_again(pseudonym)
                    sqlite_tree.grow(raw)

        await self._write_alone(record)

    async def empty_ended(
        self, purpose: PurposeId, before: Instant, after: Pseudonym | None, limit: int
    ) -> tuple[Pseudonym | None, int]:
        """See `EventStore.empty_ended`."""
        last, positions = await self._read(
            self._pages,
            lambda raw: sqlite_retention.due(raw, self._keyring, purpose, before, after, limit),
        )
        if positions:
            now = self._clock()
            await self._write_alone(lambda raw: sqlite_retention.empty(raw, positions, now))
        return last, len(positions)

    async def drop_proofs(self, now: Instant) -> int:
        """See `EventStore.drop_proofs`."""
        return await self._write_alone(lambda raw: sqlite_erasure.drop_proofs(raw, now))

    async def kept_proofs(self, subject: SubjectId) -> list[KeptProof]:
        """See `EventStore.kept_proofs`."""
        return await self._read(
            self._pages,
            lambda raw: sqlite_erasure.kept_proofs(raw, self._suppressions, subject, self._clock()),
        )

    async def acknowledge(self, follower: str, position: Position) -> Position:
        """See `EventStore.acknowledge`."""
        return await self._write_alone(
            lambda raw: sqlite_erasure.acknowledge(raw, follower, position)
        )

    async def acknowledged(self) -> dict[str, Position]:
        """See `EventStore.acknowledged`."""
        return await self._read(self._checks, sqlite_erasure.acknowledged)

    async def pseudonyms(self, subjects: Collection[SubjectId]) -> dict[SubjectId, Pseudonym]:
        """See `EventStore.pseudonyms`."""
        wanted = frozenset(subjects)
        known = await self._read(self._checks, lambda raw: self._keyring.pseudonyms(raw, wanted))
        if len(known) == len(wanted):
            return known
        unit = _Unit(
            lambda transaction: {one: transaction.pseudonym(one) for one in wanted},
            wanted,
            keeps_keys=True,
        )
        return cast(dict[SubjectId, Pseudonym], await self._commits.submit(unit))

    async def past(self, position: Position) -> None:
        """See `EventStore.past`."""
        while self._known_head <= position:
            await self._grown.wait()

    def secret(self, name: str) -> bytes:
        """See `EventStore.secret`."""
        return self._files.secrets[name]

    async def refresh(self) -> None:
        """Looks at the head, so that followers start from what is there."""
        self._grow_to(await self.head())

    async def close(self) -> None:
        """Commits what is waiting and takes nothing more. The connections are the opener's."""
        await self._commits.close()

    async def look_for_others(self) -> None:
        """Notices what other processes append to the file, until it is cancelled."""
        version = 0
        while True:
            with suppress(StoreUnavailable):  # the next look may succeed; readers tell meanwhile
                now = await self._read(self._pages, sqlite_reads.data_version)
                if now != version:
                    await self.refresh()
                    version = now
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    def _grow_to(self, head: Position) -> None:
        if head > self._known_head:
            self._known_head = head
            self._grown.set()
            self._grown = asyncio.Event()

    async def _read(self, database: Database, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._refuse_other_files()
            return await database.run(query)
        except (sqlite3.Error, Damaged) as error:
            raise StoreUnavailable("the store cannot be read now") from error

    async def _write_alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs work that shares no commit with requests."""

        def alone(raw: sqlite3.Connection) -> T:
            self._refuse_other_files()
            return work(raw)

        try:
            return await self._writer.run(alone)
        except (sqlite3.Error, Damaged) as error:
            raise _not_written(error) from error

    async def _read_tree(self, query: Callable[[sqlite3.Connection], T], size: Position) -> T:
        def read(raw: sqlite3.Connection) -> T:
            with reading(raw):
                if size > sqlite_tree.frontier(raw).size:
                    raise PositionUnknown("past the end of the log")
                return query(raw)

        return await self._read(self._checks, read)

    async def _commit(self, group: Sequence[_Unit]) -> Sequence[object]:
        try:
            outcomes, before, head = await self._writer.run(
                lambda raw: self._commit_now(raw, group)
            )
        except (sqlite3.Error, Damaged) as error:
            raise _not_written(error) from error
        self.statistics.commits += 1
        self.statistics.requests += len(group)
        self.statistics.events += head - before
        self._grow_to(head)
        return outcomes

    def _refuse_other_files(self) -> None:
        """Raises if the files were removed or replaced: what is written would be nobody's."""
        if _inodes(self._files) != self._inodes:
            raise sqlite3.OperationalError("the store's files are not those that were opened")

    def _commit_now(
        self, connection: sqlite3.Connection, group: Sequence[_Unit]
    ) -> tuple[list[object], Position, Position]:
        made = frozenset[SubjectId]().union(
            *(unit.subjects for unit in group if not unit.only_known)
        )
        known = frozenset[SubjectId]().union(*(unit.subjects for unit in group)) - made
        pseudonyms = self._keyring.ensure(connection, made)
        pseudonyms |= self._keyring.pseudonyms(connection, known)
        with writing(connection):
            before, _ = sqlite_states.last_event(connection)
            outcomes = [self._one(connection, pseudonyms, unit) for unit in group]
            sqlite_tree.grow(connection)
            head, _ = sqlite_states.last_event(connection)
            self._refuse_other_files()
        return outcomes, before, head

    def _one(
        self,
        connection: sqlite3.Connection,
        pseudonyms: dict[SubjectId, Pseudonym],
        unit: _Unit,
    ) -> object:
        if not unit.subjects <= pseudonyms.keys():
            return Failed(SubjectUnknown())
        own = {subject: pseudonyms[subject] for subject in unit.subjects}
        left = self._suppressions.read(connection, unit.subjects)
        transaction = self._transaction(connection, own, left)
        connection.execute("SAVEPOINT request")
        try:
            outcome = unit.work(transaction)
        except BaseException as error:  # whatever it is, it belongs to this request
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_ONE_REQUEST):
                raise  # the database itself: nobody in the group can be promised anything
            connection.execute("ROLLBACK TO request")
            connection.execute("RELEASE request")
            self._forget_again(connection, unit, left)
            stored = isinstance(error, (sqlite3.Error, Damaged))
            return Failed(_not_written(error) if stored else error)
        connection.execute("RELEASE request")
        self._forget_again(connection, unit, transaction.returning)
        return outcome

    @staticmethod
    def _forget_again(
        connection: sqlite3.Connection, unit: _Unit, returning: Collection[SubjectId]
    ) -> None:
        """Takes the keys back of erased subjects for whom nothing was recorded after all."""
        for subject in () if unit.keeps_keys else returning:
            connection.execute("DELETE FROM keys.subject WHERE subject_id = ?", (subject,))

    def _transaction(
        self,
        connection: sqlite3.Connection,
        pseudonyms: dict[SubjectId, Pseudonym],
        returning: dict[SubjectId, Remains],
    ) -> SqliteTransaction:
        return SqliteTransaction(
            connection,
            self._keyring,
            pseudonyms,
            self._requests,
            self._suppressions,
            dict(returning),
            random_bytes=self._random_bytes,
            clock_now=self._clock(),
        )


def _inodes(files: Files) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for file in (files.log, files.keys):
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found


# What SQLite refuses of one statement and its request: a row against the rules, a value too large.
_OF_ONE_REQUEST = (sqlite3.IntegrityError, sqlite3.DataError)


def _not_written(cause: BaseException) -> StoreUnavailable:
    error = StoreUnavailable("the store cannot be written now")
    error.__cause__ = cause
    return error


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    clock: Clock,
    master_key_file: Path | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> AsyncIterator[SqliteEventStore]:
    """Opens the log at a path, making what is not there yet; raises `StoreRefused` if it cannot.

    The keys lie beside it in `NAME.keys`, wrapped under the master key in `master_key_file`,
    by default `NAME.master-key`.
    """
    async with AsyncExitStack() as stack:
        files, keyring = await asyncio.to_thread(prepare, path, master_key_file, random_bytes)
        try:
            opened = []
            for read_only in (False, True, True):
                database = await Database.open(files.log, files.keys, read_only=read_only)
                stack.push_async_callback(database.close)
                opened.append(database)
            writer, checks, pages = opened
            store = SqliteEventStore(files, keyring, writer, checks, pages, clock, random_bytes)
            stack.push_async_callback(store.close)
            await store.record_erasures()
            await store.finish_erasures()
            await store.refresh()
        except (sqlite3.Error, StoreUnavailable) as error:
            raise StoreRefused(f"{path}: {error.__cause__ or error}") from error
        looking = asyncio.create_task(store.look_for_others(), name="look for other writers")
        stack.push_async_callback(_ended, looking)
        yield store


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
