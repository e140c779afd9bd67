"""Messages in memory and a sender that does as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.notification.domain.message import Queued, State, Text


@dataclass
class Entry:
    message: Queued
    next_attempt_at: datetime
    state: State = State.QUEUED
    reason: str = ""


class FakeMessages:
    def __init__(self) -> None:
        self.entries: dict[UUID, Entry] = {}
        self._keys: dict[str, UUID] = {}

    async def add(self, idempotency_key: str, message: Queued) -> UUID:
        if idempotency_key in self._keys:
            return self._keys[idempotency_key]
        self._keys[idempotency_key] = message.message_id
        self.entries[message.message_id] = Entry(message, message.accepted_at)
        return message.message_id

    async def claim(self, now: datetime, lease_until: datetime) -> Queued | None:
        due = [
            entry
            for entry in self.entries.values()
            if entry.state is State.QUEUED and entry.next_attempt_at <= now
        ]
        if not due:
            return None
        entry = min(due, key=lambda one: one.next_attempt_at)
        entry.next_attempt_at = lease_until
        entry.message = replace(entry.message, attempts=entry.message.attempts + 1)
        return entry.message

    async def finish(self, message_id: UUID, state: State, reason: str) -> None:
        entry = self.entries[message_id]
        if entry.state is State.QUEUED:
            entry.state, entry.reason = state, reason

    async def postpone(self, message_id: UUID, next_attempt_at: datetime) -> None:
        self.entries[message_id].next_attempt_at = next_attempt_at

    async def counts(self) -> dict[State, int]:
        states = [entry.state for entry in self.entries.values()]
        return {state: states.count(state) for state in State}


@dataclass
class FakeSender:
    """Sends, or raises what `fail_with` holds, first to last."""

    fail_with: list[Exception] = field(default_factory=list)
    sent: list[Text] = field(default_factory=list)

    async def send(self, message_id: UUID, text: Text) -> None:
        if self.fail_with:
            raise self.fail_with.pop(0)
        self.sent.append(text)
