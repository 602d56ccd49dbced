"""The files of a store on SQLite: found, made, brought up to date and held against each other."""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from consentsvc.domain.canonical import Damaged
from consentsvc.storage import sqlite_checkpoints, sqlite_tree
from consentsvc.storage.codec import KEY_BYTES
from consentsvc.storage.database import attach_keys, connect, writing
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.migrations import migrate
from consentsvc.storage.sqlite_requests import Requests

# What links, request ids and tokens are made with: were one made anew, every link that was ever
# sent would be dead, and every repeat would count as new.
SECRETS = ("links", "requests", "tokens")

# What checkpoints are signed with, and what is left of the erased is found by. A store of before
# the first use is given each.
CHECKPOINT = "checkpoint"
REMAINS = "remains"
_USED_IN = {CHECKPOINT: "last_checkpoint", REMAINS: "suppressed"}


ALL_SECRETS = (*SECRETS, *_USED_IN)


class Files(NamedTuple):
    """Where a store lies, and what was read from its key file."""

    log: Path
    keys: Path
    store_id: bytes
    secrets: dict[str, bytes]


def key_file(log: Path) -> Path:
    """Where the keys of a log lie."""
    return log.with_name(log.name + ".keys")


def prepare(
    log: Path, master_key_file: Path | None, random_bytes: Callable[[int], bytes]
) -> tuple[Files, Keyring]:
    """Makes the files of a new store, or makes sure that those of an old one belong together."""
    keys = key_file(log)
    try:
        if log.exists():
            _refuse_without_keys(log, keys)
        keyring = Keyring(_master_key(log, keys, master_key_file, random_bytes), random_bytes)
        store_id, opened = _prepare_keys(log, keys, keyring)
        _prepare_log(log, keys, store_id, Requests(opened["requests"]))
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        # The last is what Python makes of a message of SQLite's that quotes damaged text.
        raise StoreRefused(f"{log}: {error}") from error
    return Files(log, keys, store_id, opened), keyring


def read_only(log: Path, master_key_file: Path | None) -> Keyring:
    """Reads the master key of a store that is only looked at; makes nothing, opens neither file."""
    keys = key_file(log)
    try:
        if not log.exists():
            raise StoreRefused(f"there is no log at {log}")
        _refuse_without_keys(log, keys)
        return Keyring(
            _master_key(log, keys, master_key_file, secrets.token_bytes), secrets.token_bytes
        )
    except OSError as error:
        raise StoreRefused(f"{log}: {error}") from error


def _refuse_without_keys(log: Path, keys: Path) -> None:
    if not keys.exists():
        raise StoreRefused(f"{log} is there but its keys are not: restore {keys}")


def _prepare_keys(log: Path, keys: Path, keyring: Keyring) -> tuple[bytes, dict[str, bytes]]:
    known = _named_in(log)
    _create(keys, _empty_database)
    with _database(keys) as connection:
        migrate(connection, "sqlite_keys")
        with writing(connection):
            if connection.execute("SELECT 1 FROM identity").fetchone() is None:
                if known is not None:
                    # A log gets its name from the keys: they had theirs.
                    raise StoreRefused(f"{keys} is empty and {log} is not: restore {keys}")
                keyring.make_identity(connection)
                keyring.make_secrets(connection, SECRETS)
            for name, table in _USED_IN.items():
                if not _knows_secret(connection, name) and not _has_rows(connection, table):
                    keyring.make_secrets(connection, [name])
            store_id, check = connection.execute(
                "SELECT store_id, master_check FROM identity"
            ).fetchone()
            try:
                keyring.check_master(check)
                opened = keyring.secrets(connection)
            except Damaged as error:
                raise StoreRefused(
                    f"the master key does not open {keys}: restore the one that it was made with"
                ) from error
            if missing := [name for name in ALL_SECRETS if name not in opened]:
                raise StoreRefused(f"{keys} has lost its {', '.join(missing)} secret: restore it")
            used = connection.execute("SELECT 1 FROM subject LIMIT 1").fetchone() is not None
    # Nobody has a key before the log has its name. Were it made anew now, what people said would
    # be gone without a word, and its first positions would pass for those that callers hold tokens
    # of. Looked at after the keys: another process may be making the log, and then use them.
    if used and not log.exists():
        raise StoreRefused(f"{keys} has been used but there is no log: restore {log}")
    if used and _named_in(log) is None:
        raise StoreRefused(f"{keys} has been used but {log} is not its log: restore {log}")
    return store_id, opened


def _knows_secret(connection: sqlite3.Connection, name: str) -> bool:
    row = connection.execute("SELECT 1 FROM secret WHERE name = ?", (name,)).fetchone()
    return row is not None


def _has_rows(connection: sqlite3.Connection, table: str) -> bool:
    row = connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608 - a constant
    return row is not None


def _named_in(log: Path) -> bytes | None:
    """The store that a log says it belongs to; None for one that was never finished, or is none.

    Looks only: what lies there may be anybody's.
    """
    # SQLite would throw away the write-ahead log of an empty file, and that may be all there is.
    if not log.exists() or log.stat().st_size == 0:
        return None
    with closing(connect(log)) as connection:
        if not connection.execute(
            "SELECT 1 FROM sqlite_schema WHERE (type, name) = ('table', 'identity')"
        ).fetchone():
            return None
        row = connection.execute("SELECT store_id FROM identity").fetchone()
    store_id: bytes | None = None if row is None else row[0]
    return store_id


def _prepare_log(log: Path, keys: Path, store_id: bytes, requests: Requests) -> None:
    if _named_in(log) not in {None, store_id}:
        raise _of_another(log)
    _create(log, _empty_database)
    with _database(log) as connection:
        migrate(connection, "sqlite")
        attach_keys(connection, keys, "rw")
        with writing(connection):
            row = connection.execute("SELECT store_id FROM identity").fetchone()
            if row is None:
                connection.execute("INSERT INTO identity (store_id) VALUES (?)", (store_id,))
            elif row[0] != store_id:
                raise _of_another(log)
            try:
                requests.number(connection)
                sqlite_tree.grow(connection)
                sqlite_checkpoints.reconcile(connection)
            except Damaged as error:
                raise StoreRefused(f"{log}: {error}: restore it") from error


def _of_another(log: Path) -> StoreRefused:
    return StoreRefused(
        f"{log} and {key_file(log)} belong to different stores: restore both of one"
    )


@contextmanager
def _database(file: Path) -> Iterator[sqlite3.Connection]:
    """Opens a database, making sure that it keeps a write-ahead log: a restored one may not."""
    with closing(connect(file)) as connection:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise StoreRefused(f"{file} cannot have a write-ahead log there: use a local disk")
        yield connection


def _empty_database(draft: Path) -> None:
    with _database(draft):
        pass


def _master_key(
    log: Path, keys: Path, file: Path | None, random_bytes: Callable[[int], bytes]
) -> bytes:
    file = file or log.with_name(log.name + ".master-key")
    # In this order: another process that is starting makes the master key first.
    if keys.exists() and not file.exists():
        raise StoreRefused(f"the keys are there but the master key is not: restore {file}")
    _create(file, lambda draft: draft.write_bytes(random_bytes(KEY_BYTES)))
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreRefused(f"{file} must hold exactly {KEY_BYTES} bytes")
    return key


def _create(file: Path, fill: Callable[[Path], object]) -> None:
    """Makes a file that only its owner can read, whole and durable; leaves one that is there alone.

    It gets its name last. So of processes that start at once all go on with the same file (SQLite
    would refuse all but one of them while it takes up its write-ahead log), and one that dies in
    between leaves nothing that the next would stumble over.
    """
    if file.exists():
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        draft.touch(0o600, exist_ok=False)
        fill(draft)
        _sync(draft)
        with suppress(FileExistsError):
            os.link(draft, file)
        _sync(file.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Makes a file's content durable, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
