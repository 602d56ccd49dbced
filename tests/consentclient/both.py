"""A blocking client with the face of the asynchronous one, so that one test proves both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any, cast

from consentclient import AsyncConsentClient, ConsentClient

_END = object()


class _InThreads:
    """Runs each method of a blocking client in a thread; a generator step by step."""

    def __init__(self, client: ConsentClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            returned = inspect.signature(method).return_annotation
            if getattr(returned, "__origin__", None) is Generator:
                return _steps(method(*args, **kwargs))
            return asyncio.to_thread(method, *args, **kwargs)

        return call


async def _steps(items: Generator[Any, None, None]) -> AsyncGenerator[Any, None]:
    try:
        while (item := await asyncio.to_thread(next, items, _END)) is not _END:
            yield item
    finally:
        await asyncio.to_thread(items.close)


@asynccontextmanager
async def opened(kind: str, target: str, **options: Any) -> AsyncIterator[AsyncConsentClient]:
    """An open client of either kind."""
    if kind == "asynchronous":
        async with AsyncConsentClient(target, **options) as client:
            yield client
        return
    blocking = ConsentClient(target, **options)
    await asyncio.to_thread(blocking.__enter__)
    try:
        yield cast("AsyncConsentClient", _InThreads(blocking))
    finally:
        await asyncio.to_thread(blocking.__exit__, None, None, None)
