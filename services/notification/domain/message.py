"""Messages and their delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 600.0


class Channel(Enum):
    """How a message travels; the values are those on the wire."""

    EMAIL = 1
    SMS = 2


class State(Enum):
    """What became of a message."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Text:
    """A rendered message. An SMS has no subject."""

    recipient: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True)
class Queued:
    """A message to be sent, as it is stored: `sealed` is a Text under core/transit/message."""

    message_id: UUID
    channel: Channel
    sealed: str
    accepted_at: datetime
    expires_at: datetime | None
    attempts: int = 0


class DeliveryRefused(Exception):
    """The receiving side will never take this message."""


class DeliveryDelayed(Exception):
    """The receiving side is away or asks to come back later."""


def retry_at(now: datetime, attempts: int, jitter: float) -> datetime:
    """Return when to try again after `attempts` tries; `jitter` in [0, 1) spreads the herd."""
    delay_s = min(FIRST_RETRY_S * 2 ** min(attempts, 16), LONGEST_RETRY_S)
    return now + timedelta(seconds=delay_s * (0.5 + jitter / 2))
