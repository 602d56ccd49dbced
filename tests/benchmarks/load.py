"""Calls, counted and timed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """What one kind of call reached: items a second, and the latency of a call."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float


async def measure(
    name: str,
    calls: int,
    in_flight: int,
    call: Callable[[int], Awaitable[object]],
    items_per_call: int = 1,
) -> Figure:
    """Makes a number of calls, so many at a time."""
    numbers = iter(range(calls))
    latencies: list[float] = []

    async def caller() -> None:
        for number in numbers:
            started = time.perf_counter()
            await call(number)
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    took = time.perf_counter() - started
    return figure(name, calls * items_per_call / took, latencies)


def figure(name: str, per_second: float, latencies: list[float]) -> Figure:
    """Sums up latencies in seconds."""
    ordered = sorted(latencies)
    last = len(ordered) - 1
    return Figure(name, per_second, ordered[last // 2] * 1000, ordered[round(last * 0.99)] * 1000)


def middle(figures: list[Figure]) -> Figure:
    """The median of several runs, figure by figure."""
    return Figure(
        figures[0].name,
        median(one.per_second for one in figures),
        median(one.p50_ms for one in figures),
        median(one.p99_ms for one in figures),
    )
