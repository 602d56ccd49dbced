"""A log that was restored from an older copy signs again, under another name."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentsvc.domain.identifiers import Position
from consentsvc.storage import new_epoch
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.new_epoch import begin_epoch
from consentsvc.storage.sqlite import open_sqlite
from consentsvc.storage.verify import verify
from tests.storage.making import everything, given, record
from tests.storage.test_checkpoints import grown, keys_of, signing
from tests.support.clock import FakeClock


@pytest.fixture
async def path(tmp_path: Path, clock: FakeClock) -> Path:
    """The log of three events beside the keys of a log of five, both of them signed."""
    path = tmp_path / "log.db"
    async with open_sqlite(path, clock=clock) as store:
        origin = f"log.example/{store.store_id.hex()}"
        await record(store, *(given() for _ in range(3)))
        await signing(store, origin).sign()
    copy = shutil.copy(path, tmp_path / "copy")
    async with open_sqlite(path, clock=clock) as store:
        await record(store, *(given() for _ in range(2)))
        await signing(store, origin).sign()
    shutil.copy(copy, path)
    return path


async def test_it_goes_on(path: Path, clock: FakeClock) -> None:
    """What it has is there, and signed anew; what it had signed before is kept."""
    begun = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        origin = f"log.example/{store.store_id.hex()}"
        checkpoints = signing(store, origin)
        await checkpoints.check_origin()
        assert len(await everything(store)) == 3
        signed = await checkpoints.sign()
        await record(store, given())
        await checkpoints.sign()
        assert store.store_id == begun.store_id

    assert (begun.events, begun.signed) == (3, 5)
    assert signed is not None
    assert (signed.size, signed.note.partition("\n")[0]) == (3, origin)
    assert verify(path).problems == ()
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT store_id, size FROM ancestor_checkpoint").fetchall()
        ancestor = connection.execute("SELECT store_id, size, signed FROM ancestor").fetchall()
    assert kept == [(begun.ancestor, 3)]
    assert ancestor == [(begun.ancestor, 3, 5)]


async def test_a_crash_in_between(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun in the keys and not in the log, it is refused, and finished by the same command."""

    def crash(connection: sqlite3.Connection, ancestor: bytes) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(new_epoch, "_name_in_log", crash)
        with pytest.raises(StoreRefused, match="disk"):
            begin_epoch(path)
    with pytest.raises(StoreRefused, match="different stores"):
        async with open_sqlite(path, clock=clock):
            pass
    begun = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        assert store.store_id == begun.store_id
        assert await store.head() == Position(3)
    assert verify(path).problems == ()


async def test_another_history(path: Path, clock: FakeClock) -> None:
    """A log as long as what was signed, with other events, lacks it all the same."""
    keys = shutil.copy(keys_of(path), path.with_name("newer.keys"))
    with closing(sqlite3.connect(keys_of(path), isolation_level=None)) as connection:
        connection.execute("DELETE FROM last_checkpoint")
    async with open_sqlite(path, clock=clock) as store:
        await record(store, *(given() for _ in range(4)))
    shutil.copy(keys, keys_of(path))
    begun = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        assert store.store_id == begun.store_id

    assert (begun.events, begun.signed) == (7, 5)


async def test_not_without_need(tmp_path: Path, clock: FakeClock) -> None:
    """A log that has all that it signed keeps its name."""
    path = tmp_path / "whole.db"
    await grown(path, clock, 2)
    before = path.read_bytes()

    with pytest.raises(StoreRefused, match="no new epoch is needed"):
        begin_epoch(path)
    assert path.read_bytes() == before


async def test_not_for_another_log(path: Path, tmp_path: Path, clock: FakeClock) -> None:
    """Keys of another store are no way into a log."""
    other = tmp_path / "other.db"
    await grown(other, clock, 2)
    shutil.copy(keys_of(other), keys_of(path))
    shutil.copy(other.with_name("other.db.master-key"), path.with_name("log.db.master-key"))

    with pytest.raises(StoreRefused, match="different stores"):
        begin_epoch(path)


async def test_a_second_time(path: Path, clock: FakeClock, tmp_path: Path) -> None:
    """A log may be restored more than once; each ancestor is named."""
    first = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        origin = f"log.example/{store.store_id.hex()}"
        await signing(store, origin).sign()
    copy = shutil.copy(path, tmp_path / "second")
    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())
        await signing(store, origin).sign()
    shutil.copy(copy, path)
    second = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        assert store.store_id == second.store_id

    assert second.ancestor == first.store_id
    assert verify(path).problems == ()


@pytest.mark.parametrize("table", ["ancestor", "ancestor_checkpoint"])
async def test_what_an_ancestor_signed_cannot_be_changed(path: Path, table: str) -> None:
    """Not by the service, and unnoticed by nobody."""
    begin_epoch(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET root = zeroblob(32)"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)
        connection.execute(f"DROP TRIGGER {table}_no_update")
        connection.execute(f"UPDATE {table} SET root = zeroblob(32)")

    assert table in {one.table for one in verify(path).problems}


async def test_what_is_refused_can_begin_anew(tmp_path: Path, clock: FakeClock) -> None:
    """Also where only the checkpoint of the log itself tells that something is wrong."""
    path = tmp_path / "log.db"
    await grown(path, clock, 3)
    keys = shutil.copy(keys_of(path), tmp_path / "earlier.keys")
    await grown(path, clock, 2)
    shutil.copy(keys, keys_of(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER checkpoint_no_update")
        connection.execute("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 5")
    with pytest.raises(StoreRefused, match="--new-epoch"):
        async with open_sqlite(path, clock=clock):
            pass
    begun = begin_epoch(path)
    async with open_sqlite(path, clock=clock) as store:
        assert store.store_id == begun.store_id
