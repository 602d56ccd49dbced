"""Work that is done again and again while a server runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

_log = structlog.get_logger(__name__)


async def repeat(work: Callable[[], Awaitable[object]], every: timedelta, failed: str) -> None:
    """Works until it is cancelled, with a pause in between; what fails is tried again next time.

    A failure is logged as the event `failed`.
    """
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a failure must not be the last attempt
            _log.warning(failed, error=type(error).__name__)
        await asyncio.sleep(every.total_seconds())
