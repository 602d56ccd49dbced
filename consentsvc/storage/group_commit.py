"""Concurrent writes share a commit: the disk is asked once for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from consentsvc.domain.errors import ShuttingDown

Unit = TypeVar("Unit")

# A commit takes about as long for one event as for hundreds. More than this would make the first
# in the group wait noticeably for the last one's work.
LARGEST_GROUP = 256

# When the group before held several requests, their callers are about to send the next: waiting
# this long lets those share a commit too. A lone writer never waits. Keep it near the time that a
# flush to disk takes.
LINGER_SECONDS = 0.001


class Failed(NamedTuple):
    """Stands in the place of a unit's result: the exception that is its own."""

    error: BaseException


class GroupCommit(Generic[Unit]):
    """Hands what is waiting to one commit at a time.

    `commit` gets the units of a group and returns for each what it led to: a result, or `Failed`.
    If `commit` raises, every unit of the group gets that.
    """

    def __init__(self, commit: Callable[[Sequence[Unit]], Awaitable[Sequence[object]]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[Unit, asyncio.Future[object]]] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def submit(self, unit: Unit) -> object:
        """Waits until the unit is committed; its own exception is raised here.

        A caller that is cancelled while the unit still waits takes it back; later, the unit is
        committed or not without the caller.
        """
        if self._closing:
            raise _closed()
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append((unit, future))
        self._arrived.set()
        return await future

    async def close(self) -> None:
        """Commits what is waiting, and takes nothing more."""
        self._closing = True
        self._arrived.set()
        # Not `await self._task`: cancelling the one who closes would cancel the commit with it.
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        crowded = False
        try:
            while self._waiting or not self._closing:
                await self._arrived.wait()
                if crowded and not self._closing:
                    await asyncio.sleep(LINGER_SECONDS)
                group = self._next_group()
                crowded = len(group) > 1
                if group:
                    await self._settle(group)
        finally:
            # Early only if the event loop is being torn down; nobody shall wait for ever.
            self._closing = True
            _settle_each(self._waiting, [Failed(_closed())] * len(self._waiting))

    def _next_group(self) -> list[tuple[Unit, asyncio.Future[object]]]:
        group = [one for one in self._waiting[:LARGEST_GROUP] if not one[1].done()]
        del self._waiting[:LARGEST_GROUP]
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _settle(self, group: Sequence[tuple[Unit, asyncio.Future[object]]]) -> None:
        outcomes: Sequence[object] = [Failed(_closed())] * len(group)
        try:
            outcomes = await self._commit([unit for unit, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            outcomes = [Failed(error)] * len(group)
        finally:
            _settle_each(group, outcomes)


def _settle_each(
    group: Sequence[tuple[object, asyncio.Future[object]]], outcomes: Sequence[object]
) -> None:
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, Failed):
            future.set_exception(_raisable(outcome.error))
        else:
            future.set_result(outcome)


def _raisable(error: BaseException) -> BaseException:
    """What a future can raise: not StopIteration, which would end the loop that hands it over."""
    if not isinstance(error, StopIteration):
        return error
    raisable = RuntimeError("a request's work raised StopIteration")
    raisable.__cause__ = error
    return raisable


def _closed() -> ShuttingDown:
    return ShuttingDown("the store is closing")
