"""A process that is killed keeps every promise that it has made."""

import asyncio
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import IO

import pytest

from consentsvc.domain.events import Event
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant
from consentsvc.storage.sqlite import open_sqlite
from consentsvc.storage.verify import verify
from tests.storage.making import everything
from tests.support.crash_writer import PAIR, update

ROOT = Path(__file__).parents[2]

Acknowledged = dict[str, list[Position]]


def killed_after(path: Path, run: str, acknowledgements: int) -> Acknowledged:
    """Lets a process write until so many writes were acknowledged; returns all that were."""
    with writer(path, run) as process:
        try:
            lines = [output(process).readline() for _ in range(acknowledgements)]
        finally:
            process.kill()
        lines += output(process).readlines()
    return acknowledged_in(process, lines)


def killed_within(path: Path, run: str, request: int) -> Acknowledged:
    """Lets a process write until it dies between the two events of the request of that number."""
    with writer(path, run, request) as process:
        lines = output(process).readlines()
    return acknowledged_in(process, lines)


def writer(path: Path, run: str, *last: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.crash_writer", str(path), run, *map(str, last)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def acknowledged_in(process: subprocess.Popen[str], lines: list[str]) -> Acknowledged:
    assert process.returncode == -9, "the writer ended by itself"
    # The last line may have been cut off; then nobody was told.
    words = [line.split() for line in lines if line.endswith("\n")]
    return {name: [Position(int(first)), Position(int(second))] for name, first, second in words}


def by_request(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for one in events:
        assert one.personal is not None
        assert one.personal.evidence.session_reference is not None
        found[one.personal.evidence.session_reference].append(one)
    return found


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_a_killed_process_loses_nothing_it_has_acknowledged(tmp_path: Path, rounds: int) -> None:
    """After `kill -9` in the middle of many writes, all that was acknowledged is there, and whole.

    It dies at any moment, and each time also between two events of one request: by chance alone
    that was hit so seldom that a store passed that committed each event by itself.

    No update is there by half, positions have no gap, states are those of the events, and a
    request that is sent again gets its first answer.
    """
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    chance = random.Random(seed)
    path = tmp_path / "log.db"
    acknowledged: Acknowledged = {}
    for number in range(rounds):
        acknowledged |= killed_after(path, f"run-{number}", chance.randint(1, 400))
        acknowledged |= killed_within(path, f"cut-{number}", chance.randint(1, 400))
        as_it_lies = verify(path)
        asyncio.run(held_to_its_word(path, acknowledged, chance))

        assert as_it_lies.problems == ()
        assert verify(path).problems == ()


async def held_to_its_word(path: Path, acknowledged: Acknowledged, chance: random.Random) -> None:
    async with open_sqlite(path, clock=lambda: Instant(0)) as store:
        events = await everything(store)
        requests = by_request(events)

        assert [one.position for one in events] == list(range(1, len(events) + 1))
        assert acknowledged.keys() <= requests.keys()
        for name, theirs in requests.items():
            positions = [one.position for one in theirs]
            assert [one.purpose for one in theirs] == list(PAIR)
            assert len({(one.kind, one.pseudonym) for one in theirs}) == 1
            assert acknowledged.get(name, positions) == positions
        for name in chance.sample(sorted(requests), min(50, len(requests))):
            again = await update(store, name, int(name.rpartition(".")[2]))
            assert again == [one.position for one in requests[name]]
        assert await store.head() == len(events)
