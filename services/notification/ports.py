"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notification.domain.message import Channel, Queued, State, Text


class Messages(Protocol):
    """The messages of this service."""

    async def add(self, idempotency_key: str, message: Queued) -> UUID:
        """Queue a message and return its id, or the id of the one with this key."""

    async def claim(self, now: datetime, lease_until: datetime) -> Queued | None:
        """Take the message that is due longest, hidden from others until `lease_until`."""

    async def finish(self, message_id: UUID, state: State, reason: str) -> None:
        """Record what became of a message and erase its text."""

    async def postpone(self, message_id: UUID, next_attempt_at: datetime) -> None:
        """Try a message again later."""

    async def counts(self) -> dict[State, int]:
        """Return how many messages are in each state."""


class Sealer(Protocol):
    """Encryption under a key that leaves no copy here."""

    async def encrypt(self, key: str, items: Sequence[bytes]) -> list[str]:
        """Return a ciphertext for each item."""

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        """Return the items."""


class Sender(Protocol):
    """One channel."""

    async def send(self, message_id: UUID, text: Text) -> None:
        """Hand a message over.

        Raises:
            DeliveryRefused: it will never be taken.
            DeliveryDelayed: try again.
        """


Senders = dict[Channel, Sender]
