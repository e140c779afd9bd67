"""Audit records and their place in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

LEAF_PREFIX = b"\x00"


class Outcome(Enum):
    """How an act ended; the values are those on the wire."""

    SUCCEEDED = 1
    REFUSED = 2
    FAILED = 3


@dataclass(frozen=True)
class RecordedAct:
    """One act, as the acting service recorded it.

    `canonical` is the serialised AuditRecorded event as it came over the feed: the bytes
    that are hashed and that anyone who verifies the log must see unchanged.
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


@dataclass(frozen=True)
class LogRecord:
    """An act in its place in the log: `index` counts from 0 without gaps."""

    index: int
    leaf_hash: bytes
    act: RecordedAct


@dataclass(frozen=True)
class SearchFilter:
    """What to look for; an empty string or None means any."""

    service: str = ""
    action: str = ""
    actor_id: str = ""
    acted_from: datetime | None = None
    acted_before: datetime | None = None


def leaf_hash(canonical: bytes) -> bytes:
    """Return the hash of a leaf of the Merkle tree, 32 bytes.

    Source: RFC 6962, 2.1.
    """
    return hashlib.sha256(LEAF_PREFIX + canonical).digest()
