"""The feed: a service's changes, in its own Postgres, followed by others over gRPC.

A writer publishes in the transaction of its change. A reader never passes a transaction that
is still open: it reads in the order of transaction ids, and only below the oldest open one.
"""

from services.common.feed.epoch import start_epoch
from services.common.feed.follower import Follower
from services.common.feed.memory import MemoryFollower
from services.common.feed.position import Event, Position
from services.common.feed.publish import current_position, publish, publish_all, published, rows_of
from services.common.feed.reader import Batch, StoredEvent, read
from services.common.feed.servicer import FeedServicer, may_read
from services.common.feed.subscription import FeedSource, source

__all__ = [
    "Batch",
    "Event",
    "FeedServicer",
    "FeedSource",
    "Follower",
    "MemoryFollower",
    "Position",
    "StoredEvent",
    "current_position",
    "may_read",
    "publish",
    "publish_all",
    "published",
    "read",
    "rows_of",
    "source",
    "start_epoch",
]
