"""What is kept under a key: how much of it needs which version, and how that changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from services.common.postgres import Connection
from services.common.vault import Mac, PublicKeys


class Remedy(Enum):
    """What becomes of things under an old version; idmesh.keys.v1.Remedy."""

    REWRAPPED = 1
    RECOMPUTED = 2
    WHEN_USED = 3
    EXPIRES = 4
    OUTSIDE = 5
    FOLLOWED = 6
    NONE = 7


@dataclass(frozen=True, slots=True)
class VersionUse:
    """How much needs a version of a key.

    Attributes:
        version: from 1.
        items: at least one; an estimate where approximate.
        oldest_at: when the oldest was made, None where that is not kept.
        needed_until: when the last will have ended by itself, None where none does.
        key: which key of a family; empty where the holding has one key.
    """

    version: int
    items: int
    approximate: bool = False
    oldest_at: datetime | None = None
    needed_until: datetime | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Lot:
    """What one step did: items brought under the target version, and which cannot be.

    changed and passed over (somebody changed them first) may both be zero: nothing is left.
    """

    changed: int = 0
    passed_over: int = 0
    refused: Sequence[object] = ()


class Progress(Protocol):
    """Told of a lot inside the transaction that changes it."""

    async def __call__(self, connection: Connection, changed: int) -> None:
        """Count."""
        ...


class Holding(Protocol):
    """A kind of thing that is kept under one key."""

    @property
    def key(self) -> str:
        """Mount and name of Vault's key; of a family they end in "*"."""
        ...

    @property
    def name(self) -> str:
        """What it is, such as "vid.sealed"."""
        ...

    @property
    def remedy(self) -> Remedy:
        """What becomes of it under an old version."""
        ...

    async def versions(self) -> list[VersionUse]:
        """Return what is needed, by version."""
        ...

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Bring at most `limit` items under version `target`, except those in `without`.

        Only for what is REWRAPPED or RECOMPUTED; what is OUTSIDE is told what to use from now
        on. A family gets target 0.
        """
        ...


class RotatingKeys(Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        """Return a key's versions."""
        ...

    async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        """Return ciphertexts under the latest version."""
        ...

    async def decrypt(
        self, key: str, ciphertexts: Sequence[str], *, aads: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """Return plaintexts."""
        ...

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> list[Mac]:
        """Return keyed hashes."""
        ...
