"""A server that is killed keeps every promise that it has made on the wire."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from consentsvc.storage.verify import verify
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from tests.support import acts
from tests.support.wire import change

IN_FLIGHT = 32
SUBJECTS = 50
PURPOSES = ("newsletter", "marketing_profiling")


@asynccontextmanager
async def program(folder: Path) -> AsyncIterator[tuple[subprocess.Popen[bytes], grpc.aio.Channel]]:
    """`consentsvc serve` on the folder's log, and a channel to it once it serves."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    os.mkfifo(port_file)
    with subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time worth a task
        [
            *(sys.executable, "-m", "consentsvc", "serve", "--listen", "127.0.0.1:0"),
            *("--store", f"sqlite:///{folder}/log.db", "--port-file", str(port_file)),
        ],
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            port = (await asyncio.to_thread(port_file.read_text)).strip()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield process, channel
        finally:
            process.kill()


def update(number: int) -> consents.UpdateConsentsRequest:
    """Gives two consents at once."""
    return consents.UpdateConsentsRequest(
        subject_id=f"customer:{number % SUBJECTS}",
        actor=acts.SUBJECT,
        channel="panel",
        request_id=f"request-{number}",
        changes=[change("give", purpose) for purpose in PURPOSES],
    )


async def write_until_killed(folder: Path, first: int, acknowledgements: int) -> dict[int, bytes]:
    """Sends updates, so many at once, and kills the server after so many answers."""
    answers: dict[int, bytes] = {}
    codes: set[grpc.StatusCode] = set()
    numbers = iter(range(first, first + 1_000_000))
    async with program(folder) as (process, channel):
        stub = ConsentServiceStub(channel)

        async def caller() -> None:
            for number in numbers:
                try:
                    answer = await stub.UpdateConsents(update(number))
                except grpc.aio.AioRpcError as error:
                    codes.add(error.code())
                    return
                answers[number] = answer.SerializeToString(deterministic=True)
                if len(answers) == acknowledgements:
                    process.kill()

        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    assert process.returncode == -9, "the server ended by itself"
    assert codes == {grpc.StatusCode.UNAVAILABLE}
    return answers


async def whole_log(channel: grpc.aio.Channel) -> list[tuple[int, str, str]]:
    """Position, subject and purpose of every consent in the log."""
    stub = ConsentEventServiceStub(channel)
    found = []
    token, at_head, last = "", False, 0
    while not at_head:
        page = await stub.ListEvents(events.ListEventsRequest(page_token=token, page_size=1000))
        for one in page.events:
            assert one.position == last + 1
            last = one.position
            if one.subject_id:
                found.append((one.position, one.subject_id, one.purpose_id))
        token, at_head = page.next_page_token, page.at_head
    return found


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
async def test_kill(tmp_path: Path, rounds: int) -> None:
    """After `kill -9` under a load of writes, every answer still holds, and nothing is half done.

    Positions have no gap, no half of an update exists, what is sent again gets its first answer,
    and `verify` finds nothing.
    """
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    chance = random.Random(seed)
    answers: dict[int, bytes] = {}
    for number in range(rounds):
        answers |= await write_until_killed(tmp_path, number * 1_000_000, chance.randint(50, 400))
        assert verify(tmp_path / "log.db").problems == ()
        async with program(tmp_path) as (_, channel):
            stub = ConsentServiceStub(channel)
            for one in chance.sample(sorted(answers), 40):
                again = await stub.UpdateConsents(update(one))
                assert again.SerializeToString(deterministic=True) == answers[one]
            log = await whole_log(channel)
        places = {position: (subject, purpose) for position, subject, purpose in log}

        for one, answer in answers.items():
            outcomes = consents.UpdateConsentsResponse.FromString(answer).outcomes
            expected = [(f"customer:{one % SUBJECTS}", purpose) for purpose in PURPOSES]
            assert [places[outcome.position] for outcome in outcomes] == expected
        # An update is two events, side by side: each newsletter is followed by its other half.
        assert [purpose for _, _, purpose in log] == list(PURPOSES) * (len(log) // 2)
        assert all(
            (place + 1, subject) == (log[index + 1][0], log[index + 1][1])
            for index, (place, subject, _) in enumerate(log)
            if index % 2 == 0
        )
