"""Places in a feed, and the events that lie at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from idmesh.feed.v1 import feed_pb2


@dataclass(frozen=True)
class Position:
    """A place in one partition of a feed.

    Sequence 0 means: before the first event of that transaction, after all of earlier ones.
    """

    epoch: int
    transaction_id: int
    sequence: int

    def covers(self, other: Position) -> bool:
        """Tell whether a follower that is here has seen what lies at the other place."""
        return self.epoch == other.epoch and (self.transaction_id, self.sequence) >= (
            other.transaction_id,
            other.sequence,
        )

    def to_proto(self) -> feed_pb2.Position:
        """Return the wire form."""
        return feed_pb2.Position(
            epoch=self.epoch, transaction_id=self.transaction_id, sequence=self.sequence
        )

    @classmethod
    def from_proto(cls, position: feed_pb2.Position) -> Position:
        """Return the domain form."""
        return cls(position.epoch, position.transaction_id, position.sequence)


@dataclass(frozen=True)
class Event:
    """One change of another service, decoded."""

    position: Position
    message: Message
    recorded_at: datetime

    @property
    def type_name(self) -> str:
        """The event's name: the full name of its message."""
        return self.message.DESCRIPTOR.full_name
