"""Instants on the wire: google.protobuf.Timestamp to aware datetimes in UTC and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import InvalidArgument


@overload
def to_proto(at: datetime) -> Timestamp: ...
@overload
def to_proto(at: datetime | None) -> Timestamp | None: ...
def to_proto(at: datetime | None) -> Timestamp | None:
    """Return the message; None stays absent."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def from_proto(stamp: Timestamp, field: str = "") -> datetime:
    """Return the instant.

    Args:
        stamp: from whoever; a message can hold more than there are instants.
        field: where it stands in the request, for the error.

    Raises:
        InvalidArgument: INSTANT_OUT_OF_RANGE, outside the years 1 to 9999.
    """
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(
            "INSTANT_OUT_OF_RANGE", "The instant is out of range.", field=field or None
        ) from error


def optional(message: Message, name: str, field: str | None = None) -> datetime | None:
    """Return an instant that a message may lack; field as in from_proto, else the name."""
    if not message.HasField(name):
        return None
    return from_proto(getattr(message, name), name if field is None else field)
