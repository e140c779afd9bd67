"""Reading a service's own feed in an order that never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import metrics

from services.common.errors import FailedPrecondition
from services.common.feed.position import Position
from services.common.postgres import Database, Record, load_queries

QUERIES = load_queries(__package__)
MAX_SCANNED = 2_000
# The gRPC message limit is 4 MiB by default; one event may exceed this by its own size.
MAX_BATCH_BYTES = 1 << 20

_METER = metrics.get_meter("idmesh.feed")
_HELD_S = _METER.create_gauge(
    "idmesh_feed_held_seconds",
    unit="s",
    description="How long the oldest event that is not readable yet has waited for transactions "
    "that are older than it, in any database of the cluster.",
)
_XMIN_AGE = _METER.create_gauge(
    "idmesh_feed_xmin_age_transactions",
    description="Transaction ids between the oldest one that is open and the next one.",
)


@dataclass(frozen=True)
class StoredEvent:
    """An event as it lies in the table."""

    position: Position
    type_name: str
    payload: bytes
    recorded_at: datetime


@dataclass(frozen=True)
class Batch:
    """What was found after a position."""

    events: Sequence[StoredEvent]
    # All that was asked for up to here is in this batch or in earlier ones.
    up_to: Position
    caught_up: bool
    # Committed events wait for an older transaction to end.
    held: bool


async def read(
    database: Database,
    after: Position | None,
    *,
    partition: int = 0,
    event_types: Sequence[str] | None = None,
    max_scanned: int = MAX_SCANNED,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Batch:
    """Return the events after a position (None: from the beginning) that cannot change any more.

    Raises:
        FailedPrecondition: FEED_EPOCH_CHANGED, the position is of another history of this feed.
    """
    start = after or Position(0, 0, 0)
    rows = await database.fetch(
        QUERIES["feed_read"],
        partition,
        str(start.transaction_id),
        start.sequence,
        after is not None,
        max_scanned,
        list(event_types) if event_types is not None else None,
        max_bytes,
    )
    head = rows[0]
    if after is not None:
        _check_history(after, head)
    _measure(database.service, head)
    epoch = head["present_epoch"]
    events = [_event(epoch, row) for row in rows if row["seq"] is not None]
    up_to, more = Position(epoch, int(head["xmin"]), 0), False
    if len(events) < head["wanted"]:
        up_to, more = events[-1].position, True
    elif head["scanned"] == max_scanned:
        up_to, more = Position(epoch, int(head["last_txid"]), head["last_seq"]), True
    return Batch(events, up_to, caught_up=not more, held=head["held_s"] is not None)


def _check_history(after: Position, head: Record) -> None:
    # A position beyond the next transaction id is of a history that was lost: the database
    # was restored and nobody began a new epoch.
    present = head["present_epoch"]
    ahead = head["place_epoch"] == present and after.transaction_id > int(head["xmax"])
    if after.epoch != present or ahead:
        raise FailedPrecondition(
            "FEED_EPOCH_CHANGED",
            "The position is of another epoch of this feed: resync from the beginning.",
            metadata={"present_epoch": str(present)},
        )


def _event(epoch: int, row: Record) -> StoredEvent:
    # The position carries the present epoch also for events of earlier ones: their sequence
    # tells which they are of.
    position = Position(epoch, int(row["txid"]), row["seq"])
    return StoredEvent(position, row["event_type"], row["payload"], row["recorded_at"])


def _measure(service: str, head: Record) -> None:
    _HELD_S.set(head["held_s"] or 0.0, {"service": service})
    _XMIN_AGE.set(int(head["xmax"]) - int(head["xmin"]), {"service": service})
