"""How an adapter meets a registry for tests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from registry_sync._epp import EppRegistry
from registry_sync._retry import Retry
from registry_sync.testing import RegistryServer


class Sleeps:
    """Takes the place of sleeping: keeps what was asked for, and does something else instead."""

    def __init__(self, instead: Callable[[], Awaitable[None]] | None = None) -> None:
        self.delays: list[float] = []
        self.instead = instead

    async def __call__(self, delay: float) -> None:
        self.delays.append(delay)
        if self.instead is not None:
            await self.instead()


async def no_sleep(_seconds: float) -> None:
    """Takes no time, but lets others go first."""
    await asyncio.sleep(0)


def at_once(sleeps: Sleeps | None = None, **options: Any) -> Retry:
    """Retries that wait for nothing, and would wait for as long as they may."""
    return Retry(sleep=sleeps or Sleeps(), jitter=lambda: 1.0, **options)


def adapter(server: RegistryServer, **options: Any) -> EppRegistry:
    registry = server.registry
    usual = {
        "client": registry.client,
        "password": registry.password,
        "dialect": registry.dialect,
        "retry": at_once(),
        "plain": "tls" not in options,
    }
    return EppRegistry(server.host, server.port, **{**usual, **options})
