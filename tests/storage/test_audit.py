"""An older checkpoint finds whatever was done to a log since, and where it begins."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentsvc.domain.merkle import Frontier, leaf_hash
from consentsvc.domain.notes import Checkpoint, Note
from consentsvc.domain.notes import signed as signed_note
from consentsvc.service.notices import publish
from consentsvc.service.signing import Signer
from consentsvc.storage.audit import Audited, audit
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.sqlite import open_sqlite
from tests.storage.making import given, record
from tests.storage.test_checkpoints import ORIGIN, signing
from tests.storage.test_verify import tamper
from tests.support.catalogues import catalogue
from tests.support.clock import FakeClock

SIZE = 40

Signed = tuple[Path, Checkpoint, bytes]


@pytest.fixture
async def signed(tmp_path: Path, clock: FakeClock) -> Signed:
    """A log that was signed at 20, 32 and 40 events, and has grown since."""
    path = tmp_path / "log.db"
    async with open_sqlite(path, clock=clock) as store:
        await publish(store, catalogue())
        for size in (20, 32, SIZE):
            missing = size - await store.head()
            assert missing > 0
            await record(store, *(given() for _ in range(missing)))
            checkpoint = await signing(store).sign()
        await record(store, given(), given())
        key = Signer(ORIGIN, store.secret("checkpoint")).public_key
    assert checkpoint is not None
    return path, Checkpoint.parse(Note.parse(checkpoint.note).text), key


def found(path: Path, checkpoint: Checkpoint, key: bytes) -> tuple[int, int]:
    finding = audit(path, checkpoint, key).finding
    assert finding is not None
    return finding.first, finding.last


def test_an_honest_log(signed: Signed) -> None:
    """It is sound, whatever was appended since; looking needs no key and changes nothing."""
    path, checkpoint, key = signed
    path.with_name("log.db.keys").unlink()
    path.with_name("log.db.master-key").unlink()
    before = path.read_bytes()

    assert audit(path, checkpoint, key) == Audited(SIZE + 2, None)
    assert path.read_bytes() == before


ONE_ROW = {
    "header": "UPDATE event SET header = CAST(replace(header, '_given', '_refused') AS BLOB)"
    " WHERE position = 35",
    "leaf": "UPDATE event SET leaf_hash = zeroblob(32) WHERE position = 35",
    "time": "UPDATE event SET recorded_at = recorded_at + 1 WHERE position = 35",
    "kind": "UPDATE event SET kind = 'consent_refused' WHERE position = 35",
    "kind that is no text": "UPDATE event SET kind = CAST(x'ff' AS TEXT) WHERE position = 35",
    "pseudonym": "UPDATE event SET pseudonym = zeroblob(16) WHERE position = 35",
    "personal part": "UPDATE personal_part SET sealed = zeroblob(90) WHERE position = 35",
    "deleted": "DELETE FROM event WHERE position = 35",
    "a notice that it does not publish": "INSERT INTO notice"
    " SELECT 35, purpose, 'other', locale, title, text, sha256 FROM notice WHERE position = 2",
}


@pytest.mark.parametrize("statement", ONE_ROW.values(), ids=ONE_ROW)
def test_one_row(signed: Signed, statement: str) -> None:
    """Changed or deleted, it is named."""
    path, checkpoint, key = signed
    tamper(path, statement)

    assert found(path, checkpoint, key) == (35, 35)


@pytest.mark.parametrize(
    "change",
    [
        "text = 'We may do anything.'",
        "text = CAST(x'ff' AS TEXT)",
        "title = 'Anything'",
        "version = 'other'",
        "locale = 'other'",
        "purpose = 'other'",
        "sha256 = zeroblob(32)",
        "position = 9000",
    ],
)
def test_a_notice(signed: Signed, change: str) -> None:
    """Whatever of it is another than what was published is found at its publication."""
    path, checkpoint, key = signed
    tamper(path, f"UPDATE notice SET {change} WHERE position = 2")

    assert found(path, checkpoint, key) == (2, 2)


@pytest.mark.parametrize("table", ["event", "personal_part", "notice"])
def test_a_row_before_the_first(signed: Signed, table: str) -> None:
    """There is no event 0, nor one before it."""
    path, checkpoint, key = signed
    row = 2 if table == "notice" else 35
    tamper(path, f"UPDATE {table} SET position = -3 WHERE position = {row}")

    assert found(path, checkpoint, key) == (-3, -3)


def test_two_rows_exchanged(signed: Signed) -> None:
    """The first of the two is named."""
    path, checkpoint, key = signed
    tamper(
        path,
        "UPDATE event SET position = -35 WHERE position = 35",
        "UPDATE event SET position = 35 WHERE position = 37",
        "UPDATE event SET position = 37 WHERE position = -35",
    )

    assert found(path, checkpoint, key) == (35, 35)


def test_a_row_inserted(signed: Signed) -> None:
    """What comes after moves by one, and the first that is not where it was is named."""
    path, checkpoint, key = signed
    tamper(
        path,
        "UPDATE event SET position = -position WHERE position >= 35",
        "UPDATE event SET position = 1 - position WHERE position < 0",
        "INSERT INTO event SELECT 35, recorded_at, kind, purpose, pseudonym, header, leaf_hash"
        " FROM event WHERE position = 34",
    )

    assert found(path, checkpoint, key) == (35, 35)


def test_the_tail_cut_off(signed: Signed) -> None:
    """The first event that is gone is named, and that all are gone up to the last one signed."""
    path, checkpoint, key = signed
    tamper(path, "DELETE FROM event WHERE position > 36")

    assert audit(path, checkpoint, key).finding == (
        37,
        37,
        "missing, and so is every event up to 40",
    )


def test_a_row_changed_with_its_hash(signed: Signed) -> None:
    """Whoever makes the hash anew is found by the tree: one of two events is not as it was."""
    path, checkpoint, key = signed
    _forge(path, 35)

    assert found(path, checkpoint, key) == (35, 36)


def test_everything_made_anew(signed: Signed) -> None:
    """Whoever makes the whole tree anew is found by what was signed, as near as that tells."""
    path, checkpoint, key = signed
    _forge(path, 35)
    _regrow(path)

    assert found(path, checkpoint, key) == (33, SIZE)


def test_everything_made_anew_and_what_was_kept_deleted(signed: Signed) -> None:
    """A log that has kept no checkpoint at all is held to the one that somebody else has."""
    path, checkpoint, key = signed
    _forge(path, 35)
    _regrow(path)
    tamper(path, "DELETE FROM checkpoint")

    assert found(path, checkpoint, key) == (1, SIZE)


def test_everything_made_anew_before_a_kept_checkpoint(signed: Signed) -> None:
    """The checkpoints that the log kept narrow it down."""
    path, checkpoint, key = signed
    _forge(path, 25)
    _regrow(path)

    assert found(path, checkpoint, key) == (21, 32)


@pytest.mark.parametrize("at", [32, SIZE])
def test_a_checkpoint_made_anew_too(signed: Signed, at: int) -> None:
    """Once it narrowed down the place to where nothing was changed: nobody had signed it."""
    path, checkpoint, key = signed
    _forge(path, 25)
    _regrow(path)
    with closing(sqlite3.connect(path)) as connection:
        headers = connection.execute("SELECT header FROM event ORDER BY position LIMIT ?", (at,))
        edge, _ = Frontier().appended(leaf_hash(one) for (one,) in headers.fetchall())
    other = signed_note(Checkpoint(ORIGIN, at, edge.root()).text(), Signer(ORIGIN, bytes(32)))
    tamper(path, "DELETE FROM checkpoint WHERE size = 32", (
        "INSERT OR REPLACE INTO checkpoint (size, root, note) VALUES (?, ?, ?)",
        (at, edge.root(), str(other)),
    ))  # fmt: skip

    assert found(path, checkpoint, key) == (at, at)


@pytest.mark.parametrize(
    "change", ["root = zeroblob(32)", "size = 21", "note = 'nothing'", "note = CAST(x'ff' AS TEXT)"]
)
def test_a_checkpoint_that_is_no_longer_what_was_signed(signed: Signed, change: str) -> None:
    """It is told as that, and no event is taken for a changed one."""
    path, checkpoint, key = signed
    tamper(path, f"UPDATE checkpoint SET {change} WHERE size = 20")
    finding = audit(path, checkpoint, key).finding

    assert finding is not None
    assert finding.first == finding.last
    assert finding.what == "kept with a checkpoint that was never signed"


def test_another_log(signed: Signed, tmp_path: Path) -> None:
    """What is no log is told as that, and is no finding."""
    _, checkpoint, key = signed
    for content in (b"", b"not a database", b"SQLite format 3\0" + bytes(200)):
        (tmp_path / "none.db").write_bytes(content)
        with pytest.raises(StoreRefused):
            audit(tmp_path / "none.db", checkpoint, key)
    with pytest.raises(StoreRefused, match="there is no log"):
        audit(tmp_path / "nothing.db", checkpoint, key)


def test_every_event(signed: Signed, tmp_path: Path) -> None:
    """There is none that could be changed unnoticed."""
    path, checkpoint, key = signed
    for position in range(1, SIZE + 1):
        copy = Path(shutil.copy(path, tmp_path / f"copy-{position}.db"))
        tamper(
            copy,
            f"UPDATE event SET header = CAST(header || ' ' AS BLOB) WHERE position = {position}",
        )

        assert found(copy, checkpoint, key) == (position, position)


def _forge(path: Path, position: int) -> None:
    """Moves an event's time and makes its hash anew."""
    with closing(sqlite3.connect(path)) as connection:
        header, at = connection.execute(
            "SELECT header, recorded_at FROM event WHERE position = ?", (position,)
        ).fetchone()
    forged = header.replace(str(at).encode(), str(at - 1).encode())
    assert forged != header
    tamper(path, (
        "UPDATE event SET header = ?, leaf_hash = ?, recorded_at = ? WHERE position = ?",
        (forged, hashlib.sha256(b"\0" + forged).digest(), at - 1, position),
    ))  # fmt: skip


def _regrow(path: Path) -> None:
    """Makes every subtree anew."""
    with closing(sqlite3.connect(path)) as connection:
        headers = connection.execute("SELECT header FROM event ORDER BY position").fetchall()
    edge, completed = Frontier().appended(leaf_hash(one) for (one,) in headers)
    tamper(
        path,
        *(
            ("UPDATE tree_node SET hash = ? WHERE (level, number) = (?, ?)", (made, *node))
            for node, made in completed.items()
        ),
        ("UPDATE tree SET frontier = ?", (b"".join(edge.hashes),)),
    )
