"""Rates by the clock and by this process's CPU time, a line each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import click

# Of the measured time; connections are made and caches filled in it.
_WARM_UP: Final = 0.3


@dataclass(frozen=True)
class Row:
    """One measurement: what was done how often, and what it took.

    cpu_s is of this process with all its threads, user and system; other processes' is not in it.
    """

    what: str
    how: str
    items: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Items per second of the clock."""
        return self.items / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Items per second of this process's CPU time."""
        return self.items / self.cpu_s


def best(rows: Iterable[Row]) -> Row:
    """Return the measurement that was disturbed least, of several of one thing."""
    return max(rows, key=lambda row: row.per_cpu_s)


def print_header(title: str) -> None:
    """Print a title and what the columns are."""
    click.echo(f"\n{title}")
    click.echo(f"{'':<18}{'':<34}{'items/s':>10}{'CPU us/item':>13}{'items/CPU s':>13}{'ratio':>8}")


def print_row(row: Row, against: Row | None = None) -> None:
    """Print a measurement, with the ratio of items per CPU second to another one's."""
    ratio = f"{row.per_cpu_s / against.per_cpu_s:>7.1f}x" if against is not None else ""
    click.echo(
        f"{row.what:<18}{row.how:<34}{row.per_s:>10,.0f}{1e6 / row.per_cpu_s:>13,.0f}"
        f"{row.per_cpu_s:>13,.0f}{ratio}"
    )


async def measure_async(
    what: str,
    how: str,
    call: Callable[[], Awaitable[object]],
    *,
    seconds: float,
    in_flight: int,
    items: int = 1,
) -> Row:
    """Measure a call, so many under way at once; items: what one call does."""

    async def until(end_s: float) -> int:
        done = 0
        while time.perf_counter() < end_s:
            await call()
            done += 1
        return done

    async def all_until(end_s: float) -> int:
        return sum(await asyncio.gather(*(until(end_s) for _ in range(in_flight))))

    await all_until(time.perf_counter() + _WARM_UP * seconds)
    wall, cpu = time.perf_counter(), time.process_time()
    calls = await all_until(wall + seconds)
    return Row(what, how, calls * items, time.perf_counter() - wall, time.process_time() - cpu)


def measure(
    what: str,
    how: str,
    make_call: Callable[[], Callable[[], object]],
    *,
    seconds: float,
    threads: int = 1,
    items: int = 1,
) -> Row:
    """Measure a call that blocks, in so many threads; make_call is called in each."""

    def until(call: Callable[[], object], end_s: float) -> int:
        done = 0
        while time.perf_counter() < end_s:
            call()
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        made = [make_call() for _ in range(threads)]
        end_s = time.perf_counter() + _WARM_UP * seconds
        list(pool.map(lambda call: until(call, end_s), made))
        wall, cpu = time.perf_counter(), time.process_time()
        calls = sum(pool.map(lambda call: until(call, wall + seconds), made))
        return Row(what, how, calls * items, time.perf_counter() - wall, time.process_time() - cpu)
