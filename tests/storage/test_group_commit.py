"""Concurrent writes share a commit, and each stays its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from consentsvc.domain.errors import ShuttingDown
from consentsvc.storage.group_commit import LARGEST_GROUP, Failed, GroupCommit


class DiskFull(Exception):
    pass


class Disk:
    """Commits units of text; one at a time, and none before the test says so."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def commit(self, group: Sequence[str]) -> Sequence[object]:
        self.groups.append(list(group))
        self.began.set()
        await self.may_end.wait()
        if "full" in group:
            raise DiskFull
        return [Failed(ValueError(unit)) if unit == "bad" else unit.upper() for unit in group]


@asynccontextmanager
async def committing(disk: Disk) -> AsyncIterator[GroupCommit[str]]:
    commits = GroupCommit(disk.commit)
    try:
        yield commits
    finally:
        disk.may_end.set()
        await commits.close()


@pytest.fixture
async def disk() -> Disk:
    return Disk()


async def busy(commits: GroupCommit[str], disk: Disk) -> asyncio.Future[object]:
    """Starts a commit that does not end before `may_end` is set."""
    disk.may_end.clear()
    disk.began.clear()
    first = asyncio.ensure_future(commits.submit("first"))
    await disk.began.wait()
    return first


async def submitted(commits: GroupCommit[str], *units: str) -> Sequence[asyncio.Future[object]]:
    """Units that wait by now."""
    waiting = [asyncio.ensure_future(commits.submit(unit)) for unit in units]
    await asyncio.sleep(0)
    return waiting


async def test_a_lone_unit_is_committed_at_once(disk: Disk) -> None:
    """Who is alone waits for nobody, and gets what the commit made of its unit."""
    async with committing(disk) as commits:
        results = [await commits.submit("one"), await commits.submit("two")]

    assert results == ["ONE", "TWO"]
    assert disk.groups == [["one"], ["two"]]


async def test_all_who_wait_share_one_commit(disk: Disk) -> None:
    """What arrives during a commit, 64 units here, needs only one more, in the order it came."""
    units = [f"unit-{number}" for number in range(64)]
    async with committing(disk) as commits:
        first = await busy(commits, disk)
        waiting = await submitted(commits, *units)
        disk.may_end.set()
        results = await asyncio.gather(first, *waiting)

    assert disk.groups == [["first"], units]
    assert results == ["FIRST", *(unit.upper() for unit in units)]


async def test_a_group_is_never_too_large(disk: Disk) -> None:
    """More than the largest group are committed one group after the other, in order."""
    units = [f"unit-{number}" for number in range(2 * LARGEST_GROUP + 1)]
    async with committing(disk) as commits:
        await busy(commits, disk)
        waiting = await submitted(commits, *units)
        disk.may_end.set()
        await asyncio.gather(*waiting)

    assert [len(group) for group in disk.groups] == [1, LARGEST_GROUP, LARGEST_GROUP, 1]
    assert [unit for group in disk.groups[1:] for unit in group] == units


async def test_cancelled_before_its_commit_a_unit_never_runs(disk: Disk) -> None:
    """A caller that is cancelled while its unit waits takes it back."""
    async with committing(disk) as commits:
        await busy(commits, disk)
        kept, taken_back = await submitted(commits, "kept", "taken back")
        taken_back.cancel()
        disk.may_end.set()
        await kept

    assert disk.groups == [["first"], ["kept"]]
    assert taken_back.cancelled()


async def test_nothing_is_committed_for_nobody(disk: Disk) -> None:
    """If all who waited were cancelled there is no commit at all, and the next unit gets one."""
    async with committing(disk) as commits:
        await busy(commits, disk)
        for one in await submitted(commits, "a", "b"):
            one.cancel()
        disk.may_end.set()
        later = await commits.submit("later")

    assert disk.groups == [["first"], ["later"]]
    assert later == "LATER"


async def test_cancelled_during_its_commit_a_unit_still_ends(disk: Disk) -> None:
    """A caller that is cancelled during the commit does not end it, nor anybody else's wait."""
    async with committing(disk) as commits:
        await busy(commits, disk)
        cancelled, other = await submitted(commits, "cancelled", "other")
        disk.began.clear()
        disk.may_end.set()
        await disk.began.wait()
        cancelled.cancel()

        assert await other == "OTHER"
        assert await commits.submit("later") == "LATER"
        assert cancelled.cancelled()
        assert disk.groups == [["first"], ["cancelled", "other"], ["later"]]


async def test_a_commit_that_fails_fails_its_group_only(disk: Disk) -> None:
    """All units of the group get the error; those that came later are committed."""
    async with committing(disk) as commits:
        first = await busy(commits, disk)
        failing = await submitted(commits, "a", "full", "b")
        disk.began.clear()
        disk.may_end.set()
        await disk.began.wait()
        outcomes = await asyncio.gather(
            first, *failing, commits.submit("later"), return_exceptions=True
        )

    assert [outcomes[0], outcomes[4]] == ["FIRST", "LATER"]
    assert [type(one) for one in outcomes[1:4]] == [DiskFull] * 3


async def test_a_units_own_failure_is_raised_to_its_caller_only(disk: Disk) -> None:
    """One unit that fails within a commit leaves the rest of its group as it is."""
    async with committing(disk) as commits:
        await busy(commits, disk)
        waiting = await submitted(commits, "a", "bad", "b")
        disk.may_end.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(one) for one in outcomes] == ["A", "bad", "B"]
    assert isinstance(outcomes[1], ValueError)


async def test_closing_commits_what_is_waiting(disk: Disk) -> None:
    """Who was let in before the end gets an answer, however many groups that takes."""
    commits = GroupCommit(disk.commit)
    await busy(commits, disk)
    waiting = await submitted(commits, *(f"unit-{number}" for number in range(LARGEST_GROUP + 1)))
    closing = asyncio.ensure_future(commits.close())
    disk.may_end.set()
    await closing

    assert [len(group) for group in disk.groups] == [1, LARGEST_GROUP, 1]
    assert all(one.done() and not one.exception() for one in waiting)


async def test_after_closing_nothing_is_taken(disk: Disk) -> None:
    """Whoever comes after the end, or while the last commit is going on, is refused."""
    commits = GroupCommit(disk.commit)
    first = await busy(commits, disk)
    closing = asyncio.ensure_future(commits.close())
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        await commits.submit("too late")
    disk.may_end.set()
    await closing
    with pytest.raises(ShuttingDown):
        await commits.submit("much too late")

    assert await first == "FIRST"
    assert disk.groups == [["first"]]


async def test_giving_up_closing_ends_no_commit(disk: Disk) -> None:
    """Cancelling the one who closes leaves the commit to end, and its callers to be answered."""
    commits = GroupCommit(disk.commit)
    first = await busy(commits, disk)
    (second,) = await submitted(commits, "second")
    closing = asyncio.ensure_future(commits.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    disk.may_end.set()

    assert closing.cancelled()
    assert [await first, await second] == ["FIRST", "SECOND"]
    await commits.close()


async def test_nobody_waits_for_ever_when_the_loop_is_torn_down(disk: Disk) -> None:
    """If its task is ended from outside, those in the commit and those who wait are told."""
    commits = GroupCommit(disk.commit)
    first = await busy(commits, disk)
    (second,) = await submitted(commits, "second")
    commits._task.cancel()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(one) for one in outcomes] == [ShuttingDown, ShuttingDown]
    await commits.close()


async def test_a_stop_iteration_reaches_its_caller_as_another_error() -> None:
    """No future can raise StopIteration; its caller gets an error and the next one an answer."""

    async def commit(group: Sequence[str]) -> Sequence[object]:
        return [Failed(StopIteration()) if unit == "bad" else unit for unit in group]

    commits = GroupCommit(commit)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await commits.submit("bad")

    assert await commits.submit("good") == "good"
    await commits.close()
