from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from idmesh.audit.v1.audit_events_pb2 import AuditRecorded
from idmesh.feed.v1 import feed_service_pb2

from services.common import feed
from services.common.errors import FailedPrecondition, PermissionDenied, Unavailable
from services.common.feed import Event, Follower, MemoryFollower, Position
from services.common.postgres import Connection
from tests.fakes.feed import LocalFeed
from tests.integration.feed import events
from tests.integration.feed.conftest import Pair

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

Handler = Callable[[Connection, Event], Awaitable[None]]


async def _publish(pair: Pair, name: str, *numbers: int) -> Position:
    async with pair.writer.transaction() as connection:
        return (await events.publish(connection, name, numbers))[-1]


@asynccontextmanager
async def _following(
    pair: Pair, handler: Handler = events.apply, *, resync: bool = True, poll_s: float = 0.05
) -> AsyncIterator[tuple[Follower, LocalFeed]]:
    async def clear(connection: Connection) -> None:
        await connection.execute("delete from effect")

    source = LocalFeed(pair.writer, caller="audit", poll_s=poll_s)
    follower = Follower(
        source,
        pair.follower,
        name="alpha",
        handler=handler,
        event_types=[AuditRecorded],
        on_resync=clear if resync else None,
    )
    task = asyncio.create_task(follower.run())
    try:
        yield follower, source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _soon(condition: Callable[[], bool], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_event_arrives_well_before_the_next_poll(pair: Pair) -> None:
    async with _following(pair, poll_s=5) as (follower, _):
        await follower.caught_up.wait()
        started = time.monotonic()
        position = await _publish(pair, "QUICK", 1)
        async with asyncio.timeout(2):
            await follower.wait_for(position)
        print(f"applied after {(time.monotonic() - started) * 1000:.1f} ms")
    assert await pair.effects() == [("QUICK", 1)]


async def test_another_process_is_woken_by_a_notice(pair: Pair) -> None:
    """The writer's own Database object is what wakes locally; a second one stands for elsewhere."""
    source = LocalFeed(pair.writer, caller="audit", poll_s=5)
    seen: list[Event] = []
    follower = MemoryFollower(
        source,
        name="alpha",
        event_types=[AuditRecorded],
        handler=seen.append,
        on_restart=seen.clear,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follower.run()), group.create_task(source.listen())]
        await follower.ready.wait()
        await asyncio.sleep(0.2)
        admin = await pair.admin(pair.writer)
        await admin.execute(
            "set search_path = alpha; insert into feed (epoch, event_type, payload) "
            "values (1, 'idmesh.audit.v1.AuditRecorded', ''); notify feed_alpha, 'elsewhere'"
        )
        await admin.close()
        await _soon(lambda: len(seen) == 1, within_s=2)
        for task in tasks:
            task.cancel()


async def test_an_effect_that_raises_is_tried_again_and_never_skipped(pair: Pair) -> None:
    failures = 0

    async def handler(connection: Connection, event: Event) -> None:
        nonlocal failures
        await events.apply(connection, event)
        if events.content(event)[0] == "POISON" and failures < 3:
            failures += 1
            raise RuntimeError("the effect does not work")

    for name in ("BEFORE", "POISON", "AFTER"):
        await _publish(pair, name, 1)
    async with _following(pair, handler) as (follower, _):
        await _soon(lambda: follower.stuck)
        # What came before it is not held up by it.
        assert await pair.effects() == [("BEFORE", 1)]
        await _soon(lambda: not follower.stuck)
        await follower.wait_for(await feed.current_position(pair.writer))
    assert failures == 3
    assert await pair.effects() == [("BEFORE", 1), ("POISON", 1), ("AFTER", 1)]


async def test_a_source_that_is_away_is_tried_again(pair: Pair) -> None:
    async with _following(pair) as (follower, source):
        await follower.caught_up.wait()
        source.break_after = 1
        source.fail_with = Unavailable("UPSTREAM_UNAVAILABLE", "away")
        for number in range(5):
            await follower.wait_for(await _publish(pair, "EACH", number))
    assert await pair.effects() == [("EACH", number) for number in range(5)]


async def test_a_new_epoch_makes_followers_start_again(pair: Pair) -> None:
    await _publish(pair, "OLD", 1, 2)
    async with _following(pair) as (follower, source):
        await follower.wait_for(await feed.current_position(pair.writer))
        stale = follower.position
        name = await pair.writer.fetchval("select current_database()")
        assert await feed.start_epoch(pair.server.dsn(name), "alpha") == 2
        with pytest.raises(FailedPrecondition) as refused:
            await feed.read(pair.writer, stale)
        assert refused.value.reason == "FEED_EPOCH_CHANGED"
        new = await _publish(pair, "NEW", 1)
        source.break_after = 1
        async with asyncio.timeout(10):
            await follower.wait_for(new)
    # The effects of the old events are there once: they were cleared, then made again.
    assert await pair.effects() == [("OLD", 1), ("OLD", 2), ("NEW", 1)]


async def test_old_events_with_higher_transaction_ids_come_before_those_of_the_new_epoch(
    pair: Pair,
) -> None:
    """A dump loaded into a young cluster: its transaction ids are behind the events'."""
    await _publish(pair, "OLD", 1, 2, 3)
    admin = await pair.admin(pair.writer)
    await admin.execute("update alpha.feed set txid = '900000000'")
    await admin.close()
    name = await pair.writer.fetchval("select current_database()")
    await feed.start_epoch(pair.server.dsn(name), "alpha")
    await _publish(pair, "NEW", 1)
    async with _following(pair) as (follower, source):
        # Each subscription ends inside the old part, to show that one can go on from there.
        source.break_after = 1
        await follower.wait_for(await feed.current_position(pair.writer))
    assert await pair.effects() == [("OLD", 1), ("OLD", 2), ("OLD", 3), ("NEW", 1)]
    after: Position | None = None
    singly = []
    for _ in range(4):
        batch = await feed.read(pair.writer, after, max_scanned=1)
        singly += [each.position.sequence for each in batch.events]
        after = batch.up_to
    assert len(singly) == 4
    assert singly == sorted(singly)


async def test_a_position_ahead_of_the_database_is_of_another_history(pair: Pair) -> None:
    present = await feed.current_position(pair.writer)
    ahead = Position(present.epoch, present.transaction_id + 1000, 10)
    with pytest.raises(FailedPrecondition) as refused:
        await feed.read(pair.writer, ahead)
    assert refused.value.reason == "FEED_EPOCH_CHANGED"


async def test_without_a_way_to_resync_the_follower_waits_and_alarms(pair: Pair) -> None:
    await _publish(pair, "OLD", 1)
    async with _following(pair, resync=False) as (follower, source):
        await follower.wait_for(await feed.current_position(pair.writer))
        name = await pair.writer.fetchval("select current_database()")
        await feed.start_epoch(pair.server.dsn(name), "alpha")
        source.break_after = 1
        await _publish(pair, "NEW", 1)
        await _soon(lambda: follower.stuck)
    assert await pair.effects() == [("OLD", 1)]


async def test_events_go_only_to_their_readers(pair: Pair) -> None:
    position = await _publish(pair, "SECRET", 1)
    stranger = LocalFeed(pair.writer, caller="notification")
    request = feed_service_pb2.SubscribeRequest(event_types=["idmesh.audit.v1.AuditRecorded"])
    with pytest.raises(PermissionDenied) as refused:
        await anext(aiter(stranger.Subscribe(request)))
    assert refused.value.reason == "EVENT_NOT_READABLE"
    servicer = stranger.servicer
    first = await anext(aiter(servicer.stream(None, 0, None, "notification")))
    assert list(first.events) == []
    assert Position.from_proto(first.up_to).covers(position)
    mine = await anext(aiter(servicer.stream(None, 0, None, "audit")))
    assert len(mine.events) == 1


async def test_heartbeats_carry_the_position_past_what_is_not_asked_for(pair: Pair) -> None:
    source = LocalFeed(pair.writer, caller="audit")
    stream = aiter(source.servicer.stream(None, 0, ["idmesh.audit.v1.AuditRecorded"], "audit"))
    first = await anext(stream)
    assert first.caught_up
    position = await _publish(pair, "ONE", 1)
    second = await anext(stream)
    assert len(second.events) == 1
    assert Position.from_proto(second.up_to).covers(position)


async def test_a_batch_handler_gets_many_events_in_one_transaction(pair: Pair) -> None:
    await _publish(pair, "LOT", *range(250))
    sizes: list[int] = []

    async def handler(connection: Connection, lot: Sequence[Event]) -> None:
        sizes.append(len(lot))
        for event in lot:
            await events.apply(connection, event)

    follower = Follower(
        LocalFeed(pair.writer, caller="audit"), pair.follower, name="alpha",
        batch_handler=handler, event_types=[AuditRecorded],
    )  # fmt: skip
    task = asyncio.create_task(follower.run())
    await follower.wait_for(await feed.current_position(pair.writer))
    task.cancel()
    assert sizes == [100, 100, 50]
    assert [number for _, number in await pair.effects()] == list(range(250))
