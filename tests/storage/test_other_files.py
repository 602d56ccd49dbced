"""A store whose files are taken away or exchanged answers nobody any more."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.identifiers import Position
from consentsvc.service.ports import Transaction
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.sqlite import open_sqlite
from tests.support.clock import FakeClock


def remove(path: Path) -> None:
    path.unlink()


def exchange(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def head(transaction: Transaction) -> Position:
    return transaction.head


@pytest.mark.parametrize("name", ["log.db", "log.db.keys"])
@pytest.mark.parametrize("happens", [remove, exchange])
async def test_taken_away(
    tmp_path: Path, clock: FakeClock, name: str, happens: Callable[[Path], None]
) -> None:
    """Neither a read nor a write is answered from files that nobody else can find."""
    async with open_sqlite(tmp_path / "log.db", clock=clock) as store:
        before = await store.write(head)
        happens(tmp_path / name)

        assert before == 0
        with pytest.raises(StoreUnavailable):
            await store.write(head)
        with pytest.raises(StoreUnavailable):
            await store.head()


@pytest.mark.parametrize("name", ["links", "requests", "tokens"])
async def test_lost_secret(tmp_path: Path, clock: FakeClock, name: str) -> None:
    """A lost secret is not made anew: the links and ids made with the old one would be dead."""
    async with open_sqlite(tmp_path / "log.db", clock=clock):
        pass
    with sqlite3.connect(tmp_path / "log.db.keys") as keys:
        keys.execute("DELETE FROM secret WHERE name = ?", (name,))
    keys.close()

    with pytest.raises(StoreRefused, match=name):
        async with open_sqlite(tmp_path / "log.db", clock=clock):
            pass
