"""A store by its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consentsvc.service.ports import Clock
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.memory import MemoryEventStore
from consentsvc.storage.sqlite import SqliteEventStore, open_sqlite

SQLITE = "sqlite:///"
MEMORY = "memory:"


def sqlite_path(url: str) -> Path:
    """The file that a `sqlite:///PATH` URL names; `sqlite:////PATH` is absolute."""
    path = url.removeprefix(SQLITE)
    if path == url or not Path(path).name or "?" in path:
        raise StoreRefused(f"{url}: a store is sqlite:///PATH or memory:")
    return Path(path)


@asynccontextmanager
async def open_store(
    url: str, *, clock: Clock, master_key_file: Path | None = None
) -> AsyncIterator[SqliteEventStore | MemoryEventStore]:
    """Opens a store for as long as the block runs; raises `StoreRefused` if it cannot."""
    if url == MEMORY:
        yield MemoryEventStore(clock)
        return
    async with open_sqlite(sqlite_path(url), clock=clock, master_key_file=master_key_file) as store:
        yield store
