"""The audit service's ports in memory; every call can be the one at which the process dies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.record import LogRecord, SearchFilter
from services.audit.domain.tree import SignedCheckpoint, StoredEntry
from services.common.errors import NotFound, Unavailable
from services.common.tlog import (
    Checkpoint,
    Tile,
    TileId,
    VerifierKey,
    leaf_hash,
    signature_line,
)

ORIGIN = "idmesh.test/audit"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Steps:
    """Counts calls; the one numbered `kill_at` does not return, with or without its effect."""

    kill_at: int = -1
    after_effect: bool = False
    taken: int = 0

    def before(self) -> None:
        if self.taken == self.kill_at and not self.after_effect:
            self.kill_at = -1
            raise Killed

    def after(self) -> None:
        self.taken += 1
        if self.taken - 1 == self.kill_at and self.after_effect:
            self.kill_at = -1
            raise Killed


@dataclass
class FakeLog:
    """Records, as the database has them."""

    stored: list[StoredEntry] = field(default_factory=list)
    ids: dict[UUID, int] = field(default_factory=dict)

    def add(self, *entries: bytes) -> None:
        for entry in entries:
            self.stored.append(StoredEntry(len(self.stored), entry, leaf_hash(entry)))

    def rewrite(self, index: int, entry: bytes, *, hash_too: bool = True) -> None:
        hashed = leaf_hash(entry) if hash_too else self.stored[index].leaf_hash
        self.stored[index] = StoredEntry(index, entry, hashed)

    async def search(
        self, wanted: SearchFilter, *, below_index: int | None, limit: int
    ) -> list[LogRecord]:
        return []

    async def size(self) -> int:
        return len(self.stored)

    async def entries(self, start: int, end: int) -> list[StoredEntry]:
        return self.stored[start:end]

    async def index_of(self, audit_id: UUID) -> int | None:
        return self.ids.get(audit_id)


@dataclass
class FakeCheckpoints:
    """What was signed."""

    steps: Steps
    added: list[SignedCheckpoint] = field(default_factory=list)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    async def last(self) -> SignedCheckpoint | None:
        return self.added[-1] if self.added else None

    async def note_at(self, size: int) -> bytes:
        return next((each.note for each in self.added if each.size == size), b"")

    async def add(self, checkpoint: Checkpoint, note: bytes, *, after: int | None) -> bool:
        self.steps.before()
        last = self.added[-1].size if self.added else None
        if last != after:
            return False
        self.added.append(SignedCheckpoint(checkpoint.size, checkpoint.root, note, self.now))
        self.steps.after()
        return True

    async def publish_last(self, publish: Callable[[bytes], Awaitable[None]]) -> None:
        if self.added:
            await publish(self.added[-1].note)

    def rewrite_last(self, **changes: object) -> None:
        self.added[-1] = replace(self.added[-1], **changes)  # type: ignore[arg-type]


@dataclass
class FakeFiles:
    """Tiles and the published note."""

    steps: Steps
    files: dict[str, bytes] = field(default_factory=dict)

    async def read(self, tile: TileId) -> bytes:
        if tile.path not in self.files:
            raise NotFound("TILE_NOT_FOUND", "The log has no such file.")
        return self.files[tile.path]

    async def write(self, tiles: Sequence[Tile]) -> None:
        for tile in tiles:
            self.steps.before()
            self.files[tile.id.path] = tile.data
            self.steps.after()

    async def tidy(self, tiles: Sequence[TileId]) -> None:
        self.steps.before()
        for tile in tiles:
            for path in [each for each in self.files if each.startswith(f"{tile.path}.p/")]:
                del self.files[path]
        self.steps.after()

    async def published(self) -> bytes | None:
        return self.files.get("checkpoint")

    async def publish(self, note: bytes) -> None:
        self.steps.before()
        self.files["checkpoint"] = note
        self.steps.after()


class FakeSigner:
    """Keys of the log, the oldest first; `away` makes it refuse."""

    def __init__(self, *seeds: int) -> None:
        self._private = [Ed25519PrivateKey.from_private_bytes(bytes([s]) * 32) for s in seeds]
        self.away = False
        self.signed: list[Checkpoint] = []

    async def keys(self) -> list[VerifierKey]:
        return [VerifierKey(ORIGIN, each.public_key().public_bytes_raw()) for each in self._private]

    async def sign(self, checkpoint: Checkpoint) -> list[bytes]:
        if self.away:
            raise Unavailable("VAULT_UNAVAILABLE", "Away.")
        self.signed.append(checkpoint)
        keys = await self.keys()
        return [
            signature_line(ORIGIN, key.id, private.sign(checkpoint.text))
            for key, private in zip(keys, self._private, strict=True)
        ]


@dataclass
class FakeActs:
    """What the service recorded of itself."""

    log: FakeLog
    actions: list[tuple[str, str, bytes, Mapping[str, str], bool]] = field(default_factory=list)

    async def record(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        details: Mapping[str, str],
        *,
        refused: bool = False,
    ) -> None:
        self.actions.append((action, subject_kind, subject_key, details, refused))
        self.log.add(action.encode())
