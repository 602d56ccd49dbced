"""A log never signs two things that contradict each other: not after a crash, nor a restore."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.identifiers import Position
from consentsvc.domain.notes import Checkpoint, Note
from consentsvc.service.checkpoints import CannotSign, Checkpoints
from consentsvc.service.ports import SignedCheckpoint
from consentsvc.service.signing import Signer, Verifier
from consentsvc.storage import sqlite_checkpoints, verify_checkpoints
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite
from consentsvc.storage.verify import verify
from tests.storage.making import BEN, given, record, withdrawn
from tests.support.clock import FakeClock

ORIGIN = "log.example/1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def signing(store: SqliteEventStore, origin: str = ORIGIN) -> Checkpoints:
    return Checkpoints(store, Signer(origin, store.secret("checkpoint")))


def keys_of(path: Path) -> Path:
    return path.with_name(path.name + ".keys")


async def grown(path: Path, clock: FakeClock, events: int) -> SignedCheckpoint:
    """Appends events, signs, and closes: nothing is left in a write-ahead log."""
    async with open_sqlite(path, clock=clock) as store:
        await record(store, *(given(BEN) for _ in range(events)))
        signed = await signing(store).sign()
    assert signed is not None
    return signed


async def test_what_is_signed(path: Path, clock: FakeClock) -> None:
    """Origin, size and root of the log, signed with its key; nothing twice, nothing for nothing."""
    async with open_sqlite(path, clock=clock) as store:
        checkpoints = signing(store)
        nothing = await checkpoints.sign()
        await record(store, given(), withdrawn())
        first = await checkpoints.sign()
        again = await checkpoints.sign()
        root = await store.tree_root(Position(2))
        verifier = Verifier.parse(checkpoints.verifier_key)

    assert nothing is None
    assert first == again
    assert first is not None
    note = Note.parse(first.note)
    note.check(verifier)
    assert Checkpoint.parse(note.text) == Checkpoint(ORIGIN, 2, root)
    assert verify(path).problems == ()


async def test_a_log_has_one_name(path: Path, clock: FakeClock) -> None:
    """Once it has signed as one, it does not sign as another."""
    await grown(path, clock, 1)
    async with open_sqlite(path, clock=clock) as store:
        await signing(store).check_origin()
        with pytest.raises(CannotSign, match=r"log\.example/1.*log\.example/2"):
            await signing(store, "log.example/2").check_origin()


async def test_a_log_of_before_what_it_signed_is_refused(path: Path, clock: FakeClock) -> None:
    """An older copy of the log beside newer keys would sign another fourth event."""
    await grown(path, clock, 3)
    copy = shutil.copy(path, path.with_name("copy"))
    await grown(path, clock, 2)
    shutil.copy(copy, path)

    with pytest.raises(StoreRefused, match=r"ends at event 3, but one of 5 .*--new-epoch"):
        async with open_sqlite(path, clock=clock):
            pass


async def test_another_history_is_refused(path: Path, clock: FakeClock) -> None:
    """So is a log that has grown again since, as long and with other events."""
    await grown(path, clock, 3)
    copy = shutil.copy(path, path.with_name("copy"))
    keys = shutil.copy(keys_of(path), path.with_name("copy.keys"))
    await grown(path, clock, 2)
    signed = shutil.copy(keys_of(path), path.with_name("newer.keys"))
    shutil.copy(copy, path)
    shutil.copy(keys, keys_of(path))
    await grown(path, clock, 2)
    shutil.copy(signed, keys_of(path))

    with pytest.raises(StoreRefused, match="first 5 events of the log are not those"):
        async with open_sqlite(path, clock=clock):
            pass


async def test_older_keys_learn_what_the_log_has_signed(path: Path, clock: FakeClock) -> None:
    """Keys from a backup are told again what must not be contradicted."""
    await grown(path, clock, 3)
    keys = shutil.copy(keys_of(path), path.with_name("copy.keys"))
    signed = await grown(path, clock, 2)
    shutil.copy(keys, keys_of(path))
    async with open_sqlite(path, clock=clock) as store:
        assert await store.last_checkpoint() == signed
    with closing(sqlite3.connect(keys_of(path))) as connection:
        assert connection.execute("SELECT * FROM last_checkpoint").fetchone() == signed


async def test_a_log_is_held_to_its_own_checkpoints_too(path: Path, clock: FakeClock) -> None:
    """Older keys do not know what was signed since, but the log does."""
    await grown(path, clock, 3)
    keys = shutil.copy(keys_of(path), path.with_name("copy.keys"))
    await grown(path, clock, 2)
    shutil.copy(keys, keys_of(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER tree_node_no_update")
        connection.execute("UPDATE tree_node SET hash = zeroblob(32) WHERE level = 2")

    with pytest.raises(StoreRefused, match="first 5 events of the log are not those"):
        async with open_sqlite(path, clock=clock):
            pass


async def test_a_crash_between_keys_and_log(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed and only got to the keys is with the log as soon as it is opened again."""

    def crash(connection: object, checkpoint: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_checkpoints, "_keep_with_log", crash)
            with pytest.raises(StoreUnavailable):
                await signing(store).sign()
        unseen = await store.last_checkpoint()
    async with open_sqlite(path, clock=clock) as store:
        seen = await store.last_checkpoint()
        signed = await signing(store).sign()

    assert unseen is None
    assert seen == signed
    assert seen is not None
    assert verify(path).problems == ()


async def test_one_size_is_not_signed_twice(path: Path, clock: FakeClock) -> None:
    """A checkpoint that contradicts one that is kept is not kept beside it."""
    signed = await grown(path, clock, 3)
    async with open_sqlite(path, clock=clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.keep_checkpoint(signed._replace(root=bytes(32), note="another"))
        assert await store.last_checkpoint() == signed


async def test_a_lost_key_is_not_made_anew(path: Path, clock: FakeClock) -> None:
    """Once something was signed, another key would make another log of it."""
    await grown(path, clock, 1)
    with closing(sqlite3.connect(keys_of(path), isolation_level=None)) as connection:
        connection.execute("DELETE FROM secret WHERE name = 'checkpoint'")

    with pytest.raises(StoreRefused, match="checkpoint secret"):
        async with open_sqlite(path, clock=clock):
            pass


@pytest.mark.parametrize("when", ["_check_all", "_check_ancestors", "_check_keys"])
def test_verify_beside_one_who_signs(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Once, keys that were looked at later than the log had "signed what is not of this log"."""
    asyncio.run(grown(path, clock, 3))
    check = getattr(verify_checkpoints, when)

    def meanwhile(*given: object) -> None:
        asyncio.run(grown(path, clock, 2))
        check(*given)

    monkeypatch.setattr(verify_checkpoints, when, meanwhile)

    assert verify(path).problems == ()
