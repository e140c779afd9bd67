"""What the feed promises: every committed event, once, in order, whatever is open or dies."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from idmesh.audit.v1.audit_events_pb2 import AuditRecorded

from services.common import feed
from services.common.feed import Follower, Position
from tests.fakes.feed import LocalFeed
from tests.integration.feed import events
from tests.integration.feed.conftest import Pair

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

WRITERS = 12
TRANSACTIONS = 40
ROOT = Path(__file__).parents[3]


class _Undo(Exception):
    pass


async def _write(pair: Pair, writer: str, seed: int) -> dict[str, list[int]]:
    """Commit and roll back transactions of random length; return those that were committed."""
    chance = random.Random(f"{seed}-{writer}")
    committed: dict[str, list[int]] = {}
    for turn in range(TRANSACTIONS):
        name, numbers = f"{writer}-{turn}", list(range(chance.randint(1, 4)))
        try:
            async with pair.writer.transaction() as connection:
                for number in numbers:
                    await events.publish(connection, name, [number])
                    await asyncio.sleep(chance.random() * 0.01)
                # Some stay open for long, so that younger ones commit before them.
                if chance.random() < 0.1:
                    await asyncio.sleep(chance.random() * 0.2)
                if chance.random() < 0.2:
                    raise _Undo
            committed[name] = numbers
        except _Undo:
            continue
    return committed


async def _written(pair: Pair, seed: int, prefix: str = "W") -> dict[str, list[int]]:
    parts = await asyncio.gather(
        *(_write(pair, f"{prefix}{writer}", seed) for writer in range(WRITERS))
    )
    return {name: numbers for part in parts for name, numbers in part.items()}


def _check(effects: Sequence[tuple[str, int]], committed: dict[str, list[int]]) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    for name, number in effects:
        seen[name].append(number)
    assert seen == committed
    # A transaction's events are not mixed with others'.
    runs = [name for place, (name, _) in enumerate(effects) if effects[place - 1][0] != name]
    assert len(runs) == len(committed)


async def _all_seen(pair: Pair, count: int) -> None:
    async with asyncio.timeout(30):
        # The effects are made by other processes too, so there is no event to wait for.
        while await pair.follower.fetchval("select count(*) from effect") < count:
            await asyncio.sleep(0.05)


def _follower(pair: Pair) -> Follower:
    return Follower(
        LocalFeed(pair.writer, caller="audit"),
        pair.follower,
        name="alpha",
        handler=events.apply,
        event_types=[AuditRecorded],
    )


async def test_concurrent_writers_and_cancelled_followers_lose_and_repeat_nothing(
    pair: Pair,
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    writing = asyncio.create_task(_written(pair, seed))
    cancellations = 0
    while not writing.done():
        following = asyncio.create_task(_follower(pair).run())
        await asyncio.sleep(chance.random() * 0.1)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        cancellations += 1
    committed = await writing
    following = asyncio.create_task(_follower(pair).run())
    await _all_seen(pair, sum(map(len, committed.values())))
    await asyncio.sleep(0.3)
    following.cancel()
    _check(await pair.effects(), committed)
    print(f"{len(committed)} transactions, {cancellations} cancellations")


async def test_two_followers_at_once_and_killed_processes_lose_and_repeat_nothing(
    pair: Pair,
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    names = [
        await database.fetchval("select current_database()")
        for database in (pair.writer, pair.follower)
    ]
    command = [
        sys.executable, "-m", "tests.integration.feed.follow_process", str(pair.server.port),
        str(pair.server.folder / "password"), *names,
    ]  # fmt: skip

    async def killed_again_and_again() -> int:
        kills = 0
        while True:
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
            try:
                await asyncio.sleep(0.9 + chance.random())
            finally:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            kills += 1
            if writing.done():
                return kills

    async def write_for_long() -> dict[str, list[int]]:
        first = await _written(pair, seed, "first")
        return first | await _written(pair, seed, "second")

    writing = asyncio.create_task(write_for_long())
    rivals = [asyncio.create_task(killed_again_and_again()) for _ in range(2)]
    committed = await writing
    kills = sum([await rival for rival in rivals])
    following = asyncio.create_task(_follower(pair).run())
    await _all_seen(pair, sum(map(len, committed.values())))
    await asyncio.sleep(0.3)
    following.cancel()
    _check(await pair.effects(), committed)
    assert kills >= 4
    print(f"{len(committed)} transactions, {kills} kills")


async def test_an_open_write_transaction_in_another_database_holds_back_and_loses_nothing(
    pair: Pair,
) -> None:
    elsewhere = await pair.admin(pair.follower)
    older = elsewhere.transaction()
    await older.start()
    await elsewhere.execute("create temp table t (a int)")
    async with pair.writer.transaction() as connection:
        await events.publish(connection, "HELD", [1, 2])
    batch = await feed.read(pair.writer, None)
    assert batch.events == []
    assert batch.held
    assert batch.caught_up
    await older.rollback()
    await elsewhere.close()
    released = await feed.read(pair.writer, batch.up_to)
    assert [each.type_name for each in released.events] == ["idmesh.audit.v1.AuditRecorded"] * 2
    assert not released.held


async def test_an_open_read_transaction_holds_nothing_back(pair: Pair) -> None:
    elsewhere = await pair.admin(pair.follower)
    reading = elsewhere.transaction(isolation="repeatable_read")
    await reading.start()
    await elsewhere.fetch("select count(*) from beta.effect")
    async with pair.writer.transaction() as connection:
        await events.publish(connection, "FREE", [1])
    assert len((await feed.read(pair.writer, None)).events) == 1
    await reading.rollback()
    await elsewhere.close()


async def test_a_younger_transaction_that_commits_first_waits_for_the_older(pair: Pair) -> None:
    async with pair.writer.transaction() as older:
        await events.publish(older, "OLDER", [1])
        async with pair.writer.transaction() as younger:
            await events.publish(younger, "YOUNGER", [1])
        before = await feed.read(pair.writer, None)
        assert before.events == []
    after = await feed.read(pair.writer, before.up_to)
    transactions = [each.position.transaction_id for each in after.events]
    assert transactions == sorted(transactions)
    assert len(transactions) == 2


async def test_batches_are_bounded_by_rows_looked_at_and_by_bytes(pair: Pair) -> None:
    async with pair.writer.transaction() as connection:
        positions = await events.publish(connection, "MANY", range(25))
    seen: list[Position] = []
    after: Position | None = None
    for _ in range(20):
        batch = await feed.read(pair.writer, after, max_scanned=10, max_bytes=100)
        seen += [each.position for each in batch.events]
        assert len(batch.events) <= 10
        after = batch.up_to
        if batch.caught_up:
            break
    assert seen == positions
    rare = await feed.read(pair.writer, None, event_types=["no.such.Type"], max_scanned=10)
    assert rare.events == []
    assert not rare.caught_up
    assert rare.up_to == positions[9]


async def test_partitions_are_apart(pair: Pair) -> None:
    async with pair.writer.transaction() as connection:
        await events.publish(connection, "ZERO", [1])
        await events.publish(connection, "SEVEN", [1, 2], partition=7)
    assert len((await feed.read(pair.writer, None)).events) == 1
    assert len((await feed.read(pair.writer, None, partition=7)).events) == 2
