"""The files of a store: made for their owner only, found again, and never mixed up."""

import asyncio
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from consentsvc.domain.identifiers import SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import Question
from consentsvc.storage import database, migrations, sqlite_files
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.opening import open_store, sqlite_path
from consentsvc.storage.sqlite import open_sqlite
from consentsvc.storage.sqlite_files import prepare
from tests.storage.making import ANNA, BEN, a_life, everything, given, record, request
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS
from tests.support.clock import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def generous() -> Iterator[None]:
    """A process whose files are open to everybody unless it says otherwise."""
    mask = os.umask(0)
    yield
    os.umask(mask)


def executed(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def file(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


async def make(path: Path, *subjects: SubjectId) -> None:
    async with open_sqlite(path, clock=FakeClock()) as store:
        for subject in subjects:
            await record(store, given(subject))


# --- a store is found again --------------------------------------------------------------------


async def test_a_store_is_the_same_after_reopening(path: Path, clock: FakeClock) -> None:
    """Events, states, pseudonyms, secrets and answered requests all outlive the process."""
    asked = request()
    async with open_sqlite(path, clock=clock) as store:
        await a_life(store, clock, seed=3)
        await store.write(lambda one: one.remember(asked, ANNA, b"answer"), {ANNA})
        events = await everything(store)
        subjects = sorted({one.personal.subject for one in events if one.personal})
        questions = [Question(purpose, subjects) for purpose in (NEWSLETTER, PROFILING, STATISTICS)]
        before = (
            events,
            store.store_id,
            store.secret("links"),
            await store.pseudonyms([*subjects, BEN]),
            await store.records(questions),
            await store.published(),
            await store.write(lambda one: one.recall(asked)),
        )
    async with open_sqlite(path, clock=clock) as store:
        after = (
            await everything(store),
            store.store_id,
            store.secret("links"),
            await store.pseudonyms([*subjects, BEN]),
            await store.records(questions),
            await store.published(),
            await store.write(lambda one: one.recall(asked)),
        )

    assert after == before
    assert len(events) > 50


async def test_a_log_is_opened_by_its_url(tmp_path: Path, clock: FakeClock) -> None:
    """The same URL leads to the same log; odd characters in it are part of the name."""
    folder = tmp_path / "100% #1 & more"
    folder.mkdir()
    url = f"sqlite:///{folder}/consent log.db"
    async with open_store(url, clock=clock) as store:
        await record(store, given())
    async with open_store(url, clock=clock) as store:
        assert await store.head() == 1

    assert {one.name for one in folder.iterdir()} == {
        "consent log.db",
        "consent log.db.keys",
        "consent log.db.master-key",
    }


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/log.db", "data/log.db"), ("sqlite:////srv/log.db", "/srv/log.db")],
)
def test_three_slashes_are_relative_and_four_absolute(url: str, path: str) -> None:
    """A URL's path is taken as SQLAlchemy and many others take it."""
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url", ["", "log.db", "sqlite://", "sqlite:///", "sqlite:///log.db?mode=ro", "postgresql://x/y"]
)
async def test_no_other_url_is_a_store(url: str, clock: FakeClock) -> None:
    """What is not understood is refused, with what would be."""
    with pytest.raises(StoreRefused, match=r"sqlite:///PATH or memory:"):
        async with open_store(url, clock=clock):
            pass


async def test_a_log_in_memory_has_a_url_too(clock: FakeClock) -> None:
    """For a trial nothing has to be written anywhere."""
    async with open_store("memory:", clock=clock) as store:
        await record(store, given())

        assert await store.head() == 1


@pytest.mark.usefixtures("generous")
async def test_files_are_for_their_owner_only(path: Path, clock: FakeClock) -> None:
    """Nobody else may read log, keys, master key or any file beside them, open or closed."""

    def modes() -> dict[str, int]:
        return {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}

    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())
        opened = modes()
    closed = modes()

    assert set(opened) == {
        path.name + end
        for end in ("", "-wal", "-shm", ".keys", ".keys-wal", ".keys-shm", ".master-key")
    }
    assert set(opened.values()) == set(closed.values()) == {0o600}


async def test_the_key_file_may_lie_elsewhere(path: Path, clock: FakeClock) -> None:
    """The master key is made, and found again, where the settings say."""
    elsewhere = path.parent / "secret"
    for _ in range(2):
        async with open_sqlite(path, clock=clock, master_key_file=elsewhere) as store:
            await record(store, given())
            assert len(await everything(store)) == await store.head()

    assert len(elsewhere.read_bytes()) == 32
    assert not file(path, ".master-key").exists()


# --- making one --------------------------------------------------------------------------------


def test_stores_that_start_at_once_make_one_log(tmp_path: Path) -> None:
    """Of several that find no files, all go on with the same ones."""
    starters = 4
    for number in range(5):
        together = threading.Barrier(starters)
        found: list[object] = []

        def start(
            path: Path = tmp_path / f"{number}.db",
            together: threading.Barrier = together,
            found: list[object] = found,
        ) -> None:
            together.wait()
            try:
                files, _ = prepare(path, None, os.urandom)
                found.append((files.store_id, files.secrets["links"]))
            except StoreRefused as error:
                found.append(str(error))

        threads = [threading.Thread(target=start) for _ in range(starters)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [found[0]] * starters
        assert isinstance(found[0], tuple)


def test_a_file_gets_its_name_when_it_is_ready(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody finds a master key half written, or a database without its write-ahead log.

    SQLite refuses, at once, whoever comes while another process takes a new file to write-ahead
    logging: of servers that were started three at a time, one in twelve failed.
    """
    named: dict[str, bytes] = {}
    link = os.link

    def watched(draft: Path, file: Path) -> None:
        named[file.name] = draft.read_bytes()
        link(draft, file)

    monkeypatch.setattr(os, "link", watched)
    prepare(path, None, os.urandom)

    assert list(named) == ["log.db.master-key", "log.db.keys", "log.db"]
    assert len(named["log.db.master-key"]) == 32
    # Bytes 18 and 19 of a database say how it is written and read: 2 is write-ahead logging.
    assert named["log.db.keys"][18:20] == named["log.db"][18:20] == b"\2\2"


class Killed(BaseException):
    """Stands for the moment at which the process dies."""


@pytest.mark.parametrize("after", range(9))
async def test_a_start_that_was_cut_off_is_finished_by_the_next(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Wherever a first start dies between its files, the next one makes a whole store."""
    link, fsync, done = os.link, os.fsync, 0

    def step(work: Callable[..., None]) -> Callable[..., None]:
        def mortal(*arguments: object) -> None:
            nonlocal done
            if done == after:
                raise Killed
            done += 1
            work(*arguments)

        return mortal

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", step(link))
        patch.setattr(os, "fsync", step(fsync))
        patch.setattr(Path, "unlink", lambda *arguments, **options: None)  # the dead do not tidy
        with pytest.raises(Killed):
            prepare(path, None, os.urandom)
    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())

        assert len(await everything(store)) == 1


@pytest.mark.parametrize("after", range(4))
async def test_a_start_that_died_while_it_filled_its_files_is_finished_too(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Between any two commits of a first start, keys and log can be left as they are.

    The log gets its tables in one of them and its name in the next: a log without either, beside
    keys that nobody has used, is a new one.
    """
    done = 0

    def count() -> None:
        nonlocal done
        if done == after:
            raise Killed
        done += 1

    def migrated(connection: sqlite3.Connection, folder: str) -> None:
        count()
        migrations.migrate(connection, folder)

    @contextmanager
    def written(connection: sqlite3.Connection) -> Iterator[None]:
        count()
        with database.writing(connection):
            yield

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_files, "migrate", migrated)
        patch.setattr(sqlite_files, "writing", written)
        with pytest.raises(Killed):
            prepare(path, None, os.urandom)
    async with open_sqlite(path, clock=clock) as store:
        await record(store, given())

        assert len(await everything(store)) == 1


def made_keys_only(path: Path) -> None:
    file(path, ".keys").touch()


def made_empty_files(path: Path) -> None:
    file(path, ".keys").touch()
    path.touch()


def lost_identity_of_an_unused_log(path: Path) -> None:
    asyncio.run(make(path))
    executed(path, "DELETE FROM identity")


def lost_an_unused_log(path: Path) -> None:
    asyncio.run(make(path))
    path.unlink()


@pytest.mark.parametrize(
    "half_made",
    [made_keys_only, made_empty_files, lost_identity_of_an_unused_log, lost_an_unused_log],
)
def test_half_a_new_store_is_completed(path: Path, half_made: Callable[[Path], None]) -> None:
    """As long as nobody has a key, what is missing is made, whatever was left half-way."""
    file(path, ".master-key").write_bytes(b"\1" * 32)
    half_made(path)
    asyncio.run(make(path, ANNA))

    assert executed(path, "SELECT count(*) FROM event") == [(1,)]


# --- what is refused ---------------------------------------------------------------------------


def lost_keys(path: Path) -> None:
    file(path, ".keys").unlink()


def lost_master_key(path: Path) -> None:
    file(path, ".master-key").unlink()


def lost_log(path: Path) -> None:
    path.unlink()


def emptied_log(path: Path) -> None:
    path.write_bytes(b"")


def another_program_s_database(path: Path) -> None:
    path.unlink()
    executed(path, "CREATE TABLE theirs (a)")


def lost_identity(path: Path) -> None:
    executed(path, "DELETE FROM identity")


def log_of_no_store(path: Path) -> None:
    path.unlink()
    sqlite_files._create(path, sqlite_files._empty_database)


def emptied_keys(path: Path) -> None:
    file(path, ".keys").write_bytes(b"")


def other_master_key(path: Path) -> None:
    file(path, ".master-key").write_bytes(b"\2" * 32)


def short_master_key(path: Path) -> None:
    file(path, ".master-key").write_bytes(b"\1" * 31)


def keys_of_another(path: Path) -> None:
    other = file(path, ".other")
    asyncio.run(make(other, ANNA))
    for suffix in (".keys", ".master-key"):
        shutil.copy(file(other, suffix), file(path, suffix))


def log_of_another(path: Path) -> None:
    other = file(path, ".other")
    asyncio.run(make(other, ANNA))
    shutil.copy(other, path)


def damaged_secret(path: Path) -> None:
    executed(file(path, ".keys"), "UPDATE secret SET wrapped = zeroblob(60) WHERE name = 'links'")


def log_of_a_later_release(path: Path) -> None:
    executed(path, "INSERT INTO migration VALUES (9999, '9999_later.sql', '')")


def keys_of_a_later_release(path: Path) -> None:
    executed(file(path, ".keys"), "INSERT INTO migration VALUES (9999, '9999_later.sql', '')")


def tampered_migration(path: Path) -> None:
    executed(path, "UPDATE migration SET sha256 = 'another'")


def no_database(path: Path) -> None:
    path.write_bytes(b"This is not a database, whatever its name says." * 100)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def master_key_is_a_folder(path: Path) -> None:
    file(path, ".master-key").unlink()
    file(path, ".master-key").mkdir()


@pytest.mark.parametrize(
    ("meddle", "message"),
    [
        (lost_keys, r"restore \S+log\.db\.keys"),
        (lost_master_key, r"restore \S+log\.db\.master-key"),
        (lost_log, r"restore \S+log\.db"),
        (emptied_log, r"been used but \S+log\.db is not its log: restore \S+log\.db"),
        (another_program_s_database, r"been used but \S+log\.db is not its log"),
        (lost_identity, r"been used but \S+log\.db is not its log"),
        (log_of_no_store, r"been used but \S+log\.db is not its log"),
        (emptied_keys, r"log\.db\.keys is empty and \S+log\.db is not: restore \S+log\.db\.keys"),
        (other_master_key, "does not open .* restore the one"),
        (short_master_key, "must hold exactly 32 bytes"),
        (keys_of_another, "different stores: restore both of one"),
        (log_of_another, "different stores: restore both of one"),
        (damaged_secret, "does not open"),
        (log_of_a_later_release, r"9999_later\.sql comes from a later release: start that"),
        (keys_of_a_later_release, r"9999_later\.sql comes from a later release: start that"),
        (tampered_migration, r"0001_log\.sql is not the one that was applied: reinstall"),
        (no_database, "file is not a database"),
        (a_folder, r"log\.db: "),
        (master_key_is_a_folder, r"log\.db: "),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    path: Path, meddle: Callable[[Path], None], message: str
) -> None:
    """A store is opened whole or not at all, and the refusal says what to do about it."""
    asyncio.run(make(path, ANNA))
    meddle(path)

    with pytest.raises(StoreRefused, match=message):
        asyncio.run(make(path))


@pytest.mark.parametrize(
    "meddle",
    [lost_keys, lost_master_key, lost_log, emptied_log, another_program_s_database, log_of_another],
)
def test_a_refusal_makes_nothing(path: Path, meddle: Callable[[Path], None]) -> None:
    """What is missing is not made anew: a restored file must not meet remains of another."""
    asyncio.run(make(path, ANNA))
    meddle(path)
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with pytest.raises(StoreRefused):
        asyncio.run(make(path))

    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_an_emptied_log_is_not_taken_for_a_new_one(path: Path) -> None:
    """A log that was emptied is refused, not begun anew.

    Any file under the log's name passed for a log. An empty one became a new store under the old
    keys: an objection had vanished, tokens that were handed out before were accepted, and `verify`
    called it sound.
    """
    asyncio.run(make(path, ANNA))
    emptied_log(path)
    file(path, "-wal").write_bytes(b"what a crash has left")
    with pytest.raises(StoreRefused, match="is not its log"):
        asyncio.run(make(path))

    assert path.read_bytes() == b""
    # SQLite throws this away with the file that it belongs to, and it may be what can be saved.
    assert file(path, "-wal").read_bytes() == b"what a crash has left"


def test_a_folder_is_not_made(path: Path) -> None:
    """A path into a folder that is not there is refused and named."""
    with pytest.raises(StoreRefused, match="nowhere"):
        asyncio.run(make(path.parent / "nowhere" / "log.db"))


def test_a_log_that_cannot_be_read_is_refused_at_once(path: Path) -> None:
    """A store whose head cannot be read does not open to fail later."""
    asyncio.run(make(path, ANNA))
    executed(path, "ALTER TABLE event RENAME TO lost")

    with pytest.raises(StoreRefused, match="no such table"):
        asyncio.run(make(path))


def test_a_restored_log_keeps_a_write_ahead_log_again(path: Path) -> None:
    """A copy that a backup made without it is brought back to it."""
    asyncio.run(make(path, ANNA))
    assert executed(path, "PRAGMA journal_mode = DELETE") == [("delete",)]
    asyncio.run(make(path, BEN))

    assert executed(path, "PRAGMA journal_mode") == [("wal",)]


async def test_a_clock_is_all_that_a_store_takes_from_outside(path: Path) -> None:
    """Events carry what the clock says, whatever the machine's own time is."""
    async with open_sqlite(path, clock=lambda: Instant(5)) as store:
        await record(store, given())

        assert [one.recorded_at for one in await everything(store)] == [5]
