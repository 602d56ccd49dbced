"""What is measured: a log of customers, and a server on it in a process of its own."""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from consentsvc import catalogue as catalogues
from consentsvc.domain.changes import Action
from consentsvc.domain.events import THE_SUBJECT
from consentsvc.domain.identifiers import CallerId, PurposeId, RequestId, SubjectId
from consentsvc.domain.publication.profile import Profiles
from consentsvc.server import system_clock
from consentsvc.service import notices
from consentsvc.service.consents import Change, Consents, ShownNotice, UpdateConsents
from consentsvc.service.links import Links
from consentsvc.service.ports import Request
from consentsvc.storage.opening import open_store

NEWSLETTER = "newsletter"
_SEED = 8213
_AT_ONCE = 256
_OPTIONS = [("grpc.max_receive_message_length", 8 * 1024 * 1024)]


def subject(number: int) -> str:
    """The id of a customer."""
    return f"customer:{number}"


async def fill(store_url: str, customers: int) -> None:
    """Writes the choices of half of the customers, by a fixed seed."""
    rng = random.Random(_SEED)
    catalogue = catalogues.load()
    async with open_store(store_url, clock=system_clock) as store:
        await notices.publish(store, catalogue)
        consents = Consents(
            store, catalogue, Profiles(()), Links(store.secret("links")), system_clock
        )

        async def choose(number: int) -> None:
            action = rng.choice([Action.GIVE, Action.GIVE, Action.REFUSE])
            purposes = [NEWSLETTER, "marketing_profiling"][: rng.randint(1, 2)]
            await consents.update(
                UpdateConsents(
                    SubjectId(subject(number)),
                    THE_SUBJECT,
                    "panel",
                    [Change(action, PurposeId(one), ShownNotice("1", "en")) for one in purposes],
                    Request(CallerId("benchmark"), RequestId(f"fill-{number}"), b""),
                )
            )

        for first in range(0, customers, 2 * _AT_ONCE):
            last = min(customers, first + 2 * _AT_ONCE)
            await asyncio.gather(*(choose(number) for number in range(first, last, 2)))


@dataclass
class Running:
    """A server that runs. After the block, `stopped` holds what it said of itself at the end."""

    target: str
    channel: grpc.aio.Channel
    pid: int
    stopped: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def server(store_url: str, folder: Path) -> AsyncIterator[Running]:
    """Runs `consentsvc serve` on a free port until the block ends."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consentsvc", "serve", "--listen", "127.0.0.1:0"),
        *("--store", store_url, "--port-file", str(port_file), "--rate", "0"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        while "listening" not in (line := (await process.stderr.readline()).decode()):
            if not line:
                raise RuntimeError("the server did not start")
        while not port_file.exists():  # noqa: ASYNC110 - the file is another process's
            await asyncio.sleep(0.01)
        target = f"127.0.0.1:{port_file.read_text().strip()}"
        async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
            running = Running(target, channel, process.pid)
            yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        rest = (await process.stderr.read()).decode()
        await process.wait()
    last = json.loads(rest.splitlines()[-1])
    running.stopped = {name: last[name] for name in ("commits", "requests", "events")}
