"""Measures the service on this machine: `make bench`.

Server and callers share the machine's cores, as they would on a small installation. Rates say
little beyond the machine they were measured on; the ratios are of one run and travel better.
"""

import argparse
import asyncio
import csv
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from consentclient import AsyncConsentClient
from consentsvc.v1 import consent_event_service_pb2 as event_messages
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as query_messages
from consentsvc.v1 import consent_service_pb2 as consent_messages
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from tests.benchmarks import panel, proofs, publication
from tests.benchmarks.load import Figure, figure, measure, middle
from tests.benchmarks.setting import NEWSLETTER, Running, fill, server, subject

ROUNDS = 3
BATCH_RATIO = "batches of 10,000 : checks with 64 in flight"
GROUP_RATIO = "events for each commit, 64 writes in flight"
FLOORS = {BATCH_RATIO: 40.0, GROUP_RATIO: 8.0, proofs.APPEND_RATIO: 0.8}
FLOOR_MEMORY_MB = 200
PUBLICATION = "contacts resolved in batches of 1,000"
FLOOR_PUBLICATION = 10_000


_CONTACTS = 20_000


class Bench:
    """One run: figures as they come in, and what is to be read from them."""

    def __init__(self, folder: Path, customers: int, recipients: int) -> None:
        self._folder = folder
        self._store = f"sqlite:///{folder}/bench.db"
        self._customers = customers
        self._recipients = recipients
        self._contacts = min(customers, _CONTACTS)
        self.figures: list[Figure] = []
        self.ratios: dict[str, float] = {}
        self.filter_peak_mb = 0.0
        self.pages: list[Figure] = []
        self.proofs: Figure | None = None

    async def run(self) -> None:
        """Measures everything, reads first, each against a fresh server."""
        await fill(self._store, self._customers)
        await publication.fill(self._store, self._contacts)
        async with server(self._store, self._folder) as running:
            await self._reads(running)
            await self._publications(running)
            await self._stream(running)
            await self._filter(running)
        async with server(self._store, self._folder) as running:
            self.figures.append(await self._writes(running, "writes, 1 in flight", 500, 1))
            await self._feed(running)
            self.pages = await panel.pages(running, self._folder)
        async with server(self._store, self._folder) as running:
            crowd = await self._writes(running, "writes, 64 in flight", 6_000, 64)
            self.figures.append(crowd)
        stopped = running.stopped
        self.ratios[GROUP_RATIO] = stopped["events"] / stopped["commits"]
        figures, self.ratios[proofs.APPEND_RATIO] = await proofs.appends(self._folder)
        self.proofs = await proofs.proofs(self._folder)
        self.figures += [*figures, self.proofs, await asyncio.to_thread(_loop)]

    async def _reads(self, running: Running) -> None:
        stub = ConsentQueryServiceStub(running.channel)

        async def check(number: int) -> None:
            await stub.CheckConsent(
                query_messages.CheckConsentRequest(
                    subject_id=subject(number * 7919 % self._customers), purpose_id=NEWSLETTER
                )
            )

        def batch(size: int) -> query_messages.BatchCheckConsentsRequest:
            return query_messages.BatchCheckConsentsRequest(
                batch=query_messages.CheckBatch(
                    subject_ids=[subject(number) for number in range(size)],
                    purpose_ids=[NEWSLETTER],
                )
            )

        async def check_batch(request: query_messages.BatchCheckConsentsRequest) -> None:
            response = await stub.BatchCheckConsents(request)
            assert len(response.decisions.answers) == len(request.batch.subject_ids)

        await measure("", 500, 64, check)
        thousand, ten_thousand = batch(1_000), batch(10_000)
        rounds: list[list[Figure]] = []
        for _ in range(ROUNDS):
            rounds.append(
                [
                    await measure("checks, 1 in flight", 1_000, 1, check),
                    await measure("checks, 64 in flight", 6_000, 64, check),
                    await measure(
                        "checks in batches of 1,000", 60, 1, lambda _: check_batch(thousand), 1_000
                    ),
                    await measure(
                        "checks in batches of 10,000",
                        12,
                        1,
                        lambda _: check_batch(ten_thousand),
                        10_000,
                    ),
                ]
            )
        figures = [middle(list(same)) for same in zip(*rounds, strict=True)]
        self.figures += figures
        alone, crowd, _, bulk = (one.per_second for one in figures)
        self.ratios[BATCH_RATIO] = bulk / crowd
        self.ratios["batches of 10,000 : checks with 1 in flight"] = bulk / alone

    async def _publications(self, running: Running) -> None:
        resolve: Any = running.channel.unary_unary(publication.METHOD)
        batches = [
            publication.batch(first)
            for first in range(0, self._contacts - publication.BATCH + 1, publication.BATCH)
        ]
        await resolve(batches[0])
        rounds = [
            await measure(
                PUBLICATION,
                len(batches),
                1,
                lambda number: resolve(batches[number]),
                publication.BATCH,
            )
            for _ in range(ROUNDS)
        ]
        self.figures.append(middle(rounds))

    async def _stream(self, running: Running) -> None:
        recipients = (subject(number) for number in range(self._recipients))
        answered = 0
        started = time.perf_counter()
        async with AsyncConsentClient(running.target) as client:
            async for _ in client.check_stream(recipients, NEWSLETTER):
                answered += 1
        took = time.perf_counter() - started
        assert answered == self._recipients
        self.figures.append(
            figure(f"checks in a stream of {answered:,}, client included", answered / took, [took])
        )

    async def _filter(self, running: Running) -> None:
        recipients = self._folder / "recipients.csv"
        with recipients.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["subject_id", "name"])
            rows.writerows((subject(number), "A. Name") for number in range(self._recipients))
        started = time.perf_counter()
        self.filter_peak_mb = await asyncio.to_thread(
            _peak_mb,
            *(sys.executable, "-m", "consentsvc", "filter", "--target", running.target),
            *("--purpose", NEWSLETTER, str(recipients)),
            *("--allowed", str(self._folder / "allowed.csv")),
            *("--refused", str(self._folder / "refused.csv")),
        )
        took = time.perf_counter() - started
        self.figures.append(
            figure(
                f"recipients through `consentsvc filter`, {self._recipients:,}",
                self._recipients / took,
                [took],
            )
        )

    async def _writes(self, running: Running, name: str, calls: int, in_flight: int) -> Figure:
        stub = ConsentServiceStub(running.channel)
        return await measure(
            name, calls, in_flight, lambda number: stub.UpdateConsents(_give(name, number))
        )

    async def _feed(self, running: Running) -> None:
        writes = ConsentServiceStub(running.channel)
        events = ConsentEventServiceStub(running.channel)
        # A write that gives one consent is one event: its place in the feed tells which it is.
        page = await events.ListEvents(event_messages.ListEventsRequest(page_size=1))
        first = await writes.UpdateConsents(_give("feed", -1))
        start = first.outcomes[0].position + 1
        assert page.events
        watch = events.WatchEvents(event_messages.WatchEventsRequest(start_position=start))
        acknowledged: dict[int, float] = {}
        arrived: dict[int, float] = {}
        count = 500

        async def follow() -> None:
            async for response in watch:
                now = time.perf_counter()
                arrived.update({event.position: now for event in response.events})
                if len(arrived) >= count:
                    return

        following = asyncio.create_task(follow())
        for number in range(count):
            response = await writes.UpdateConsents(_give("feed", number))
            acknowledged[response.outcomes[0].position] = time.perf_counter()
        await following
        watch.cancel()
        latencies = [max(0.0, arrived[one] - acknowledged[one]) for one in acknowledged]
        took = max(arrived.values()) - min(acknowledged.values())
        self.figures.append(
            figure("feed, from acknowledged write to follower", count / took, latencies)
        )


def _loop() -> Figure:
    """How fast Python itself is here and now: rates of two runs are compared by it."""
    turns = 5_000_000
    started = time.perf_counter()
    total = 0
    for number in range(turns):
        total += number
    took = time.perf_counter() - started
    return figure("turns of an empty loop in Python", turns / took, [took])


def _peak_mb(*command: str) -> float:
    """Runs a program to its end, and tells the most memory that it held."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}")
    return usage.ru_maxrss / 1024


def _give(name: str, number: int) -> consent_messages.UpdateConsentsRequest:
    return consent_messages.UpdateConsentsRequest(
        subject_id=subject(2 * (number % 25_000)),
        actor=shared.Actor(kind=shared.ACTOR_KIND_SUBJECT),
        channel="panel",
        request_id=f"{name}-{number}".replace(" ", "_"),
        changes=[
            consent_messages.ConsentChange(
                purpose_id=NEWSLETTER,
                action=consent_messages.CHANGE_ACTION_GIVE,
                notice=shared.NoticeRef(version="1", locale="en"),
            )
        ],
    )


def machine() -> dict[str, str]:
    """Where it was measured."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = f"{len(names)} × {names[0].partition(':')[2].strip()}" if names else cpu
    packages = ("grpcio", "protobuf", "uvloop", "aiosqlite", "cryptography")
    return {
        "machine": cpu,
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in packages},
    }


def show(bench: Bench) -> list[str]:
    """Prints the tables; returns the floors that were not reached."""
    console = Console()
    console.print(" · ".join(f"{name} {value}" for name, value in machine().items()))
    table = Table("what", "a second", "p50 ms", "p99 ms", title="Rates on this machine")
    for one in bench.figures:
        table.add_row(one.name, f"{one.per_second:,.0f}", f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}")
    console.print(table)
    ratios = Table("within this run", "measured", "goal")
    for name, value in bench.ratios.items():
        floor = f"≥ {FLOORS[name]:g}" if name in FLOORS else ""
        ratios.add_row(name, f"{value:.3g}", floor)
    ratios.add_row(
        "peak memory of `consentsvc filter`, MB",
        f"{bench.filter_peak_mb:.0f}",
        f"< {FLOOR_MEMORY_MB}",
    )
    for page in bench.pages:
        ratios.add_row(f"{page.name}, p50 ms", f"{page.p50_ms:.0f}", f"< {panel.GOAL_MS}")
    if bench.proofs is not None:
        name, found = f"{bench.proofs.name}, p50 ms", bench.proofs.p50_ms
        ratios.add_row(name, f"{found:.2f}", f"≤ {proofs.GOAL_MS:g}")
    console.print(ratios)
    missed = [name for name, floor in FLOORS.items() if bench.ratios[name] < floor]
    resolved = next(one.per_second for one in bench.figures if one.name == PUBLICATION)
    if resolved < FLOOR_PUBLICATION:
        missed.append(f"{PUBLICATION}, {FLOOR_PUBLICATION:,} a second")
    missed += [
        f"{page.name}, p50 below {panel.GOAL_MS} ms"
        for page in bench.pages
        if page.p50_ms >= panel.GOAL_MS
    ]
    if bench.proofs is not None and bench.proofs.p50_ms > proofs.GOAL_MS:
        missed.append(f"{bench.proofs.name}, p50 at most {proofs.GOAL_MS:g} ms")
    too_large = bench.filter_peak_mb >= FLOOR_MEMORY_MB
    return missed + (["memory of the filter"] if too_large else [])


def main() -> int:
    """Runs the benchmark; exit code 1 if a floor was not reached."""
    parser = argparse.ArgumentParser(description="Measures the service on this machine.")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.customers, given.recipients)
        uvloop.run(bench.run())
    missed = show(bench)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(
        json.dumps(
            {
                **machine(),
                "figures": [asdict(one) for one in bench.figures],
                "ratios": bench.ratios,
                "filter_peak_mb": bench.filter_peak_mb,
                "pages": [asdict(one) for one in bench.pages],
            },
            indent=2,
        )
    )
    for name in missed:
        print(f"floor not reached: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
