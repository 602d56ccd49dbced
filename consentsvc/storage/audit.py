"""A log held against something that it signed before: for an auditor, who needs no key for it.

What the store's own files say is enough to find a change; that everything was changed alike, or
that the end was cut off, shows only against a checkpoint that somebody else has kept.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.catalogue import Notice
from consentsvc.domain.encoding import read_header
from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position
from consentsvc.domain.merkle import Frontier, Node, leaf_hash
from consentsvc.domain.notes import Checkpoint, NoteInvalid
from consentsvc.storage import verify_checkpoints
from consentsvc.storage.codec import sealed_hash
from consentsvc.storage.database import connect, reading
from consentsvc.storage.errors import StoreRefused

_AT_ONCE = 1_000

_ROWS = """
SELECT event.position, event.header, event.leaf_hash, personal_part.sealed, event.recorded_at,
       event.kind, event.purpose, event.pseudonym, notice.position, notice.purpose,
       notice.version, notice.locale, notice.sha256, notice.title, notice.text
FROM event
LEFT JOIN personal_part ON personal_part.position = event.position
LEFT JOIN notice ON notice.position = event.position
WHERE event.position > ? ORDER BY event.position LIMIT ?
"""

# Nothing was ever written before the first event, and no stretch begins there.
_STRAY = """
SELECT min(position) FROM (
    SELECT min(position) AS position FROM event
    UNION ALL SELECT min(position) FROM personal_part
    UNION ALL SELECT min(position) FROM notice
)
"""


class Finding(NamedTuple):
    """The first event that is not as it was, or the first of some that hold one such."""

    first: Position
    last: Position
    what: str


class Audited(NamedTuple):
    """How many events there are, and what is wrong with those that the checkpoint covers."""

    events: int
    finding: Finding | None


def audit(
    log: Path,
    checkpoint: Checkpoint,
    public_key: bytes,
    progress: Callable[[int, int], None] | None = None,
) -> Audited:
    """Checks that a log begins with what was signed, reading every event; changes nothing.

    The checkpoints that the log has kept tell the place more closely; `public_key` is what they
    are checked with, since whoever rewrites the events can rewrite them too. Raises `StoreRefused`
    if the file cannot be read as a log at all.
    """
    if not log.exists():
        raise StoreRefused(f"there is no log at {log}")
    try:
        with closing(connect(log, read_only=True)) as connection:
            # Damaged text is to be compared, not to end the work.
            connection.text_factory = lambda data: data.decode(errors="replace")
            return _Audit(connection, checkpoint, public_key, progress).run()
    # SQLite keeps types, but damaged bytes can make any value one of another type.
    except (sqlite3.DatabaseError, TypeError, AttributeError) as error:
        raise StoreRefused(f"{log}: cannot be read ({type(error).__name__})") from error


class _Audit:
    def __init__(
        self,
        connection: sqlite3.Connection,
        checkpoint: Checkpoint,
        public_key: bytes,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._connection = connection
        self._checkpoint = checkpoint
        self._public_key = public_key
        self._progress = progress
        self._edge = Frontier()
        self._signed = Position(0)
        """How far earlier checkpoints that the log has kept bear it out."""

    def run(self) -> Audited:
        head = self._connection.execute("SELECT coalesce(max(position), 0) FROM event").fetchone()
        events, size = int(head[0]), self._checkpoint.size
        finding = self._stray()
        while finding is None and self._edge.size < size:
            finding = self._stretch(Position(self._edge.size), size)
            if self._progress is not None:
                self._progress(self._edge.size, size)
        if finding is None and self._edge.root() != self._checkpoint.root:
            first = Position(self._signed + 1)
            finding = Finding(first, Position(size), "not the events that were signed")
        return Audited(events, finding)

    def _stray(self) -> Finding | None:
        (first,) = self._connection.execute(_STRAY).fetchone()
        if first is None or first > 0:
            return None
        return Finding(Position(first), Position(first), "before the first of any log")

    def _stretch(self, after: Position, size: int) -> Finding | None:
        with reading(self._connection):
            limit = min(_AT_ONCE, size - after)
            rows = self._connection.execute(_ROWS, (after, limit)).fetchall()
            if not rows:
                first = Position(after + 1)
                return Finding(first, first, f"missing, and so is every event up to {size}")
            for expected, row in enumerate(rows, after + 1):
                finding = _of_row(Position(expected), row)
                if finding is None:
                    finding = self._grow(Position(expected), row[1])
                if finding is not None:
                    return finding
        return None

    def _grow(self, position: Position, header: bytes) -> Finding | None:
        self._edge, completed = self._edge.appended([leaf_hash(header)])
        for node, made in completed.items():
            kept = self._connection.execute(
                "SELECT hash FROM tree_node WHERE (level, number) = (?, ?)", node
            ).fetchone()
            if kept is None or kept[0] != made:
                return _of_node(node)
        kept = self._connection.execute(
            "SELECT size, root, note FROM checkpoint WHERE size = ?", (position,)
        ).fetchone()
        if kept is None:
            return None
        try:
            root = verify_checkpoints.read(kept, self._public_key).root
        except (Damaged, NoteInvalid):
            return Finding(position, position, "kept with a checkpoint that was never signed")
        if root != self._edge.root():
            return Finding(Position(self._signed + 1), position, "not the events that were signed")
        self._signed = position
        return None


def _of_node(node: Node) -> Finding:
    # What is below was found to be right, or the lowest subtree would have been told.
    first = Position((node.number << node.level) + 1)
    return Finding(first, Position((node.number + 1) << node.level), "not what the tree is of")


def _of_row(expected: Position, row: tuple[Any, ...]) -> Finding | None:
    what = next(_wrong(expected, *row), None)
    return None if what is None else Finding(expected, expected, what)


def _wrong(
    expected: Position, position: int, header: bytes, leaf: bytes, sealed: Any, *columns: Any
) -> Iterator[str]:
    if position != expected:
        yield "missing"
    try:
        read = read_header(header)
    except Damaged as error:
        yield str(error)
        return
    event = read.event
    if event.position != expected:
        yield f"the event that was at {event.position}"
    if leaf_hash(header) != leaf:
        yield "not the one whose hash is in the tree"
    if sealed is not None and sealed_hash(sealed) != read.sealed_sha256:
        yield "with another personal part than the one it names"
    repeated = (event.recorded_at, event.kind.value, event.purpose, event.pseudonym)
    if repeated != columns[: len(repeated)]:
        yield "with columns that are not what its header says"
    shown = columns[len(repeated) :]
    published = event.notice if event.kind is EventKind.NOTICE_PUBLISHED else None
    if published is None or event.purpose is None:
        if shown[0] is not None:
            yield "with a notice that it does not publish"
        return
    *said, title, text = shown
    purpose, version, locale = event.purpose, published.version, published.locale
    right = [expected, purpose, version, locale, published.sha256]
    if (
        said != right
        or Notice(purpose, version, locale, str(title), str(text)).sha256 != published.sha256
    ):
        yield "with another notice than the one it publishes"
