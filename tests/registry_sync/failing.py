"""Commands that fail, each by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from registry_sync import EppRegistry, RegistryUnavailable
from tests.registry_sync.scene import Scene, contact, domain


def people(*names: str) -> list[dict[str, Any]]:
    """The lines of contacts, each with a domain in .no."""
    return [*map(contact, names), *(domain(f"{one}.no", one) for one in names)]


class Failing:
    """An adapter for which commands about some contacts end without an answer."""

    def __init__(self, real: EppRegistry, *handles: str) -> None:
        self.handles = set(handles)
        self.tried: list[str] = []
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def update_contact(self, handle: str, **options: Any) -> Any:
        self.tried.append(handle)
        if handle in self.handles:
            raise RegistryUnavailable("no answer")
        return await self._real.update_contact(handle, **options)


@asynccontextmanager
async def failing_with(scene: Scene, *handles: str) -> AsyncIterator[Failing]:
    """An adapter to .no for which commands about these contacts fail."""
    async with scene.adapter("no", scene.registries["no"]) as real:
        yield Failing(real, *handles)
