"""What a job works on, put together in one place."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from consentclient import AsyncConsentClient
from registry_sync._directory import Directory
from registry_sync._sending import Adapter, Relay
from registry_sync._state import State
from registry_sync._things import Registries


@dataclass(frozen=True, slots=True)
class World:
    """The service, the registrar's directory, the job's memory, and the registries by their names.

    `reports` is False for a job that must leave no trace. `follower` is the name by which the
    service waits for this job before it forgets anybody, if it does. `pause` waits before something
    that failed is tried again, and `clock` counts the seconds; both are there for tests.
    """

    client: AsyncConsentClient
    directory: Directory
    state: State
    registries: Registries
    adapters: Mapping[str, Adapter]
    purpose_id: str
    relay: Relay
    reports: bool = True
    follower: str | None = None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
