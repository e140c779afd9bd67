"""What is signed of the log, what is proved of it, and what was found wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.common.tlog import Checkpoint


class LogRefused(Exception):
    """What lies here is not what was signed, so nothing more is signed; `reason` is UPPER_SNAKE.

    LOG_TRUNCATED: fewer records than were signed.
    RECORD_REWRITTEN: a record is not the one that was signed or hashed; `index` says which.
    LOG_SHRUNK: a larger tree than the database knows of was published: the database is older.
    CHECKPOINT_REWRITTEN: the database's last checkpoint is not what this log's key signed.
    CHECKPOINT_KEY_UNKNOWN: Vault does not have the key any more that signed the last checkpoint.
    CHECKPOINT_REPLACED: what is published as the last checkpoint is not of this log.
    TREE_REWRITTEN: the stored tiles do not have the signed root.
    TILE_MISSING: a tile of the signed tree is gone.
    """

    def __init__(self, reason: str, message: str, *, index: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.index = index


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint as it stands in the database."""

    size: int
    root: bytes
    note: bytes
    signed_at: datetime


@dataclass(frozen=True)
class StoredEntry:
    """A record's bytes as they lie in the database, and the hash that lies beside them."""

    index: int
    canonical: bytes
    leaf_hash: bytes


@dataclass(frozen=True)
class Inclusion:
    """A record and the proof that it is in the tree of `size`; `note` is empty if unsigned."""

    index: int
    size: int
    entry: bytes
    path: Sequence[bytes]
    note: bytes


@dataclass(frozen=True)
class Consistency:
    """The proof that one tree begins with the other."""

    old: Checkpoint
    new: Checkpoint
    path: Sequence[bytes]


@dataclass(frozen=True)
class Refusals:
    """Requests that the gateway refused alike."""

    partner_id: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    correlation_id: str
