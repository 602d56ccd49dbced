"""Stores that misbehave in one way and are real in all others."""

from typing import Any, cast

from consentsvc.service.ports import EventStore


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
