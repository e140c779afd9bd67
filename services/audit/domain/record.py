"""Audit records and their place in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID


class Outcome(Enum):
    """How an act ended; the values are those on the wire."""

    SUCCEEDED = 1
    REFUSED = 2
    FAILED = 3


@dataclass(frozen=True)
class RecordedAct:
    """One act, as the acting service recorded it.

    `canonical` is the serialised AuditRecorded event as it came over the feed, without what was
    sealed: the bytes that are hashed and that anyone who verifies the log must see unchanged.
    `sealed_personal` is kept beside the log; the commitment in the log tells what it was.
    """

    audit_id: UUID
    acted_at: datetime
    service: str
    action: str
    outcome: Outcome
    actor_kind: str
    actor_id: str
    subject_kind: str
    subject_key: bytes
    correlation_id: str
    canonical: bytes
    details: Mapping[str, str] = field(default_factory=dict)
    host_name: str = ""
    host_address: str = ""
    module: str = ""
    personal_commitment: bytes = b""
    sealed_personal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class LogRecord:
    """An act in its place in the log: `index` counts from 0 without gaps."""

    index: int
    leaf_hash: bytes
    act: RecordedAct
    appended_at: datetime


@dataclass(frozen=True)
class SearchFilter:
    """What to look for; an empty string or None means any."""

    service: str = ""
    action: str = ""
    actor_id: str = ""
    acted_from: datetime | None = None
    acted_before: datetime | None = None
    actor_kind: str = ""
    subject_kind: str = ""
    subject_key: bytes = b""
    correlation_id: str = ""
    outcome: Outcome | None = None

    def described(self) -> dict[str, str]:
        """Return what was asked for, as the search's own record has it."""
        asked = {
            "service": self.service,
            "action": self.action,
            "actor_kind": self.actor_kind,
            "actor_id": self.actor_id,
            "acted_from": self.acted_from.isoformat() if self.acted_from else "",
            "acted_before": self.acted_before.isoformat() if self.acted_before else "",
            "subject_kind": self.subject_kind,
            "correlation_id": self.correlation_id,
            "outcome": self.outcome.name if self.outcome else "",
        }
        return {name: value for name, value in asked.items() if value}
