"""Following another service's feed with effects in one's own database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from opentelemetry import metrics

from services.common import telemetry
from services.common.errors import Aborted, DeadlineExceeded, PlatformError, Unavailable
from services.common.feed.position import Event, Position
from services.common.feed.subscription import (
    Backoff,
    Delivery,
    FeedSource,
    MessageTypes,
    deliveries,
    is_epoch_change,
    types_by_name,
)
from services.common.postgres import Connection, Database, Record, load_queries

Handler = Callable[[Connection, Event], Awaitable[None]]
BatchHandler = Callable[[Connection, Sequence[Event]], Awaitable[None]]
Resync = Callable[[Connection], Awaitable[None]]

QUERIES = load_queries(__package__)
# An open write transaction holds back all feeds of the cluster, so effects commit in small lots.
MAX_EVENTS_IN_TRANSACTION = 100
_LONG_TRANSACTION_S = 0.1
# Without events the position is stored this often, so that a restart reads little again.
_IDLE_STORE_S = 60.0

_LOG = telemetry.get_logger(__name__)
_METER = metrics.get_meter("idmesh.feed")
_APPLIED = _METER.create_counter(
    "idmesh_feed_applied_events", description="Events whose effect was committed."
)
_FAILURES = _METER.create_counter(
    "idmesh_feed_effect_failures", description="Tries of an effect that raised."
)
_STUCK = _METER.create_gauge(
    "idmesh_feed_follower_stuck",
    description="1 while an event cannot be applied or a resync needs a person.",
)
_LAG_S = _METER.create_gauge(
    "idmesh_feed_lag_seconds", unit="s", description="Age of the event applied last."
)


class _OvertakenError(Exception):
    """Another instance of the service has moved the position; go on from there."""


class Follower:
    """Applies each event of another service once, in order, in this service's database.

    The position is stored in the transaction of the effect, under a row lock, so that a crash
    repeats nothing and several instances of a service may follow at once. An effect that raises
    is tried again for ever: reported, never skipped. An event type that is added later is seen
    from then on only; to see it from the beginning, follow under another name.

    Args:
        feed: where to subscribe; see source().
        name: of the followed service; the key of the stored position.
        handler: applies one event, in the transaction of its connection; no other side effect
            unless it carries an idempotency key.
        batch_handler: instead of handler, applies up to 100 events of one transaction.
        on_resync: clears what was derived from the feed, before all events come again, after the
            source was restored. Without it such a follower waits and raises the stuck gauge.
        gather_s: between two lots of events of a busy feed, at most a second; zero: as the
            source thinks best. An effect that nobody waits for costs less in longer lots.
    """

    def __init__(
        self,
        feed: FeedSource,
        database: Database,
        *,
        name: str,
        event_types: MessageTypes,
        handler: Handler | None = None,
        batch_handler: BatchHandler | None = None,
        on_resync: Resync | None = None,
        partition: int = 0,
        gather_s: float = 0.0,
    ) -> None:
        assert (handler is None) != (batch_handler is None), "give one of the two handlers"
        assert event_types, "name the event types to follow"
        self._feed = feed
        self._database = database
        self._name = name
        self._types = types_by_name(event_types)
        self._handler = handler
        self._batch_handler = batch_handler
        self._on_resync = on_resync
        self._partition = partition
        self._gather_s = gather_s
        self._labels: dict[str, str | int] = {
            "service": database.service,
            "source": name,
            "partition": partition,
        }
        self._moved = asyncio.Condition()
        self._stored_at_s = time.monotonic()
        # As the row says; position may be further where nothing was to be applied.
        self._stored: Position | None = None
        self._one_by_one = False
        # Applied and committed up to here; None: nothing yet.
        self.position: Position | None = None
        self.caught_up = asyncio.Event()
        self.stuck = False

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it."""
        backoff = Backoff()
        while True:
            try:
                await self._follow(backoff)
            except _OvertakenError:
                continue
            except PlatformError as error:
                await self._handle(error)
            except Exception as error:
                self._report(error)
            self.caught_up.clear()
            await backoff.pause()

    async def wait_for(self, position: Position) -> None:
        """Return when everything up to a position of the followed feed is applied."""
        async with self._moved:
            await self._moved.wait_for(
                lambda: self.position is not None and self.position.covers(position)
            )

    async def _follow(self, backoff: Backoff) -> None:
        """Subscribe at the stored position and apply what comes, until something fails."""
        self._stored = await self._load()
        await self._advance_to(self._stored)
        stream = deliveries(
            self._feed,
            self.position,
            partition=self._partition,
            types=self._types,
            gather_s=self._gather_s,
        )
        async with aclosing(stream):
            async for delivery in stream:
                await self._apply(delivery)
                self._set_stuck(False)
                self._one_by_one = False
                backoff.reset()
                if delivery.caught_up:
                    self.caught_up.set()

    async def _apply(self, delivery: Delivery) -> None:
        waiting = list(delivery.events)
        while waiting:
            lot = waiting[: 1 if self._one_by_one else MAX_EVENTS_IN_TRANSACTION]
            try:
                done = await self._commit(lot)
            except (_OvertakenError, Unavailable):
                raise
            except Exception as error:
                if len(lot) == 1:
                    raise
                # Which of them it is shows when each has a transaction of its own.
                _LOG.info("feed_lot_failed", error=type(error).__name__, **self._labels)
                self._one_by_one = True
                continue
            waiting = waiting[done:]
        idle = time.monotonic() - self._stored_at_s > _IDLE_STORE_S
        if idle and delivery.up_to != self._stored:
            async with self._database.transaction() as connection:
                await self._lock(connection)
                await self._store(connection, delivery.up_to)
            self._stored = delivery.up_to
        await self._advance_to(delivery.up_to)

    async def _commit(self, lot: Sequence[Event]) -> int:
        """Apply events and store the position in one transaction; return how many it took."""
        started = time.monotonic()
        done = 0
        async with self._database.transaction() as connection:
            await self._lock(connection)
            if self._batch_handler is not None:
                await self._batch_handler(connection, lot)
                done = len(lot)
            else:
                assert self._handler is not None
                for event in lot:
                    await self._handler(connection, event)
                    done += 1
                    if time.monotonic() - started > _LONG_TRANSACTION_S:
                        break
            await self._store(connection, lot[done - 1].position)
        self._stored = lot[done - 1].position
        await self._advance_to(self._stored)
        _APPLIED.add(done, self._labels)
        age = datetime.now(UTC) - lot[done - 1].recorded_at
        _LAG_S.set(age.total_seconds(), self._labels)
        return done

    async def _advance_to(self, position: Position | None) -> None:
        async with self._moved:
            self.position = position
            self._moved.notify_all()

    async def _load(self) -> Position | None:
        key = (self._name, self._partition)
        await self._database.execute(QUERIES["feed_position_start"], *key)
        return _position(await self._database.fetchrow(QUERIES["feed_position_get"], *key))

    async def _lock(self, connection: Connection) -> None:
        """Make sure that the row is where this instance left it, and that it stays so."""
        row = await connection.fetchrow(QUERIES["feed_position_lock"], self._name, self._partition)
        if _position(row) != self._stored:
            raise _OvertakenError

    async def _store(self, connection: Connection, position: Position | None) -> None:
        stored = position or Position(0, 0, 0)
        await connection.execute(
            QUERIES["feed_position_set"],
            self._name,
            self._partition,
            stored.epoch,
            str(stored.transaction_id),
            stored.sequence,
        )
        self._stored_at_s = time.monotonic()

    async def _handle(self, error: PlatformError) -> None:
        if is_epoch_change(error) and self._on_resync is not None:
            await self._resync(self._on_resync)
        elif isinstance(error, (Unavailable, Aborted, DeadlineExceeded)):
            _LOG.info("feed_interrupted", reason=error.reason, **self._labels)
        else:
            self._report(error)

    async def _resync(self, clear: Resync) -> None:
        """Forget what was derived and start from the beginning; tried again if it fails."""
        _LOG.warning("feed_resync", **self._labels)
        try:
            async with self._database.transaction() as connection:
                await self._lock(connection)
                await clear(connection)
                await self._store(connection, None)
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Say that following does not go on. Never the event's content."""
        _FAILURES.add(1, self._labels)
        _LOG.error(
            "feed_stuck",
            position=str(self._stored),
            **telemetry.describe(error),
            **self._labels,
        )
        self._set_stuck(True)

    def _set_stuck(self, stuck: bool) -> None:
        self.stuck = stuck
        _STUCK.set(int(stuck), self._labels)


def _position(row: Record | None) -> Position | None:
    assert row is not None, "the row is made before it is read"
    if row["epoch"] == 0:
        return None
    return Position(row["epoch"], int(row["txid"]), row["seq"])
