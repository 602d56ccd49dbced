"""Stores that misbehave in one way and are real in all others."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from consentsvc.service.ports import EventStore

SOON = 5.0
"""Seconds within which a healthy server answers, however busy the machine."""


class _Meddled:
    def __init__(self, store: EventStore, methods: dict[str, Any]) -> None:
        self._store = store
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._store, name)


def meddled(store: EventStore, **methods: Any) -> EventStore:
    """The same store, with some of its methods replaced."""
    return cast(EventStore, _Meddled(store, methods))


def failing(error: BaseException) -> Any:
    """A method that always fails."""

    async def fail(*args: object, **options: object) -> None:
        raise error

    return fail


class Gate:
    """Holds up calls of a store's method until it is opened."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.reached.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await self._method(*args, **options)
