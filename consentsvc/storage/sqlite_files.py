"""The files of a store on SQLite: found, made, brought up to date and held against each other."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from consentsvc.storage.codec import KEY_BYTES
from consentsvc.storage.database import connect
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.keyring import Keyring
from consentsvc.storage.migrations import migrate

_SECRETS = ("links", "requests")


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
    if log.exists() and not keys.exists():
        raise StoreRefused(f"{log} is there but its keys are not: restore {keys.name} first")
    keyring = Keyring(_master_key(log, keys, master_key_file, random_bytes), random_bytes)
    try:
        store_id, secrets = _prepare_keys(keys, keyring)
        _prepare_log(log, store_id)
    except sqlite3.Error as error:
        raise StoreRefused(f"{log}: {error}") from error
    return Files(log, keys, store_id, secrets), keyring


def read_only(log: Path, master_key_file: Path | None) -> Keyring:
    """Reads the master key of a store that is only looked at; makes nothing."""
    keys = key_file(log)
    if not log.exists():
        raise StoreRefused(f"there is no log at {log}")
    if not keys.exists():
        raise StoreRefused(f"{log} is there but its keys are not: restore {keys.name} first")
    keyring = Keyring(_master_key(log, keys, master_key_file, os.urandom), os.urandom)
    with closing(connect(keys, read_only=True)) as connection:
        row = connection.execute("SELECT master_check FROM identity").fetchone()
    if row is None:
        raise StoreRefused(f"{keys} holds no keys")
    keyring.check_master(row[0])
    return keyring


def _prepare_keys(keys: Path, keyring: Keyring) -> tuple[bytes, dict[str, bytes]]:
    _create(keys)
    with closing(connect(keys)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, "sqlite_keys")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT 1 FROM identity").fetchone() is None:
            keyring.make_identity(connection)
        store_id, check = connection.execute(
            "SELECT store_id, master_check FROM identity"
        ).fetchone()
        keyring.check_master(check)
        secrets = keyring.secrets(connection, _SECRETS)
        connection.execute("COMMIT")
    return store_id, secrets


def _prepare_log(log: Path, store_id: bytes) -> None:
    _create(log)
    with closing(connect(log)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, "sqlite")
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute("SELECT store_id FROM identity").fetchone()
        if row is None:
            connection.execute("INSERT INTO identity (store_id) VALUES (?)", (store_id,))
        elif row[0] != store_id:
            raise StoreRefused(f"{log} and its key file belong to different stores")
        connection.execute("COMMIT")


def _master_key(
    log: Path, keys: Path, file: Path | None, random_bytes: Callable[[int], bytes]
) -> bytes:
    file = file or log.with_name(log.name + ".master-key")
    if not file.exists():
        if keys.exists():
            raise StoreRefused(f"the keys are there but the master key is not: restore {file}")
        _create(file, random_bytes(KEY_BYTES))
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreRefused(f"{file} must hold exactly {KEY_BYTES} bytes")
    return key


def _create(file: Path, content: bytes = b"") -> None:
    """Makes a file that only its owner can read; leaves one that is there alone."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreRefused(f"{file} cannot be made: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as made:
        made.write(content)
        made.flush()
        os.fsync(made.fileno())
