"""Rates of `idmesh bench keys`."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.bench.keys.rows import Row, best, measure, measure_async, print_row


def test_rates_are_by_the_clock_and_by_cpu_time() -> None:
    row = Row("x", "ours", items=300, wall_s=3.0, cpu_s=0.5)
    assert (row.per_s, row.per_cpu_s) == (100.0, 600.0)


def test_the_best_of_several_took_the_least_cpu_time() -> None:
    rows = [Row("x", "ours", 100, 1.0, cpu_s) for cpu_s in (0.5, 0.2, 0.9)]
    assert best(rows) is rows[1]


def test_a_row_shows_the_ratio_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    print_row(Row("x", "ours", 100, 1.0, 0.1), Row("x", "theirs", 100, 1.0, 0.35))
    assert capsys.readouterr().out.split() == ["x", "ours", "100", "1,000", "1,000", "3.5x"]


async def test_calls_and_their_items_are_counted() -> None:
    calls: list[int] = []

    async def call() -> None:
        calls.append(1)
        await asyncio.sleep(0.001)

    row = await measure_async("x", "ours", call, seconds=0.05, in_flight=2, items=10)
    assert 0 < row.items <= 10 * len(calls)
    assert row.items % 10 == 0
    assert row.wall_s >= 0.05

    def make_call() -> object:
        return lambda: time.sleep(0.001)

    made = measure("x", "theirs", make_call, seconds=0.05, threads=2, items=10)  # type: ignore[arg-type]
    assert made.items > 0
    assert made.items % 10 == 0
