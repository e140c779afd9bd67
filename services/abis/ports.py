"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.abis.domain.candidate import Candidate
from services.abis.domain.reference import Change, Position, StoredReference, Template
from services.abis.domain.request import StoredRequest
from services.abis.domain.search import Found, Manner
from services.abis.domain.snapshot import SegmentShape, Snapshot


class TemplateRefusedError(Exception):
    """A template does not parse, or has nothing to compare.

    Attributes:
        index: of the template in the sequence given.
        part: "data" or "position".
        why: UPPER_SNAKE, the parser's reason.
        unusable: it parses; the sample was too bad.
    """

    def __init__(self, index: int, part: str, why: str, *, unusable: bool = False) -> None:
        super().__init__(f"template {index}: {part}: {why}")
        self.index = index
        self.part = part
        self.why = why
        self.unusable = unusable


class GalleryFullError(Exception):
    """The memory for references is used up."""


class SegmentRefusedError(Exception):
    """A segment is not one that was saved here."""


Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Memory:
    """What the galleries hold; see the message GalleryMemory."""

    references: int
    dead_rows: int
    segments: int
    resident_bytes: int
    locked_bytes: int
    kernel_set: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment in memory; the views keep it alive."""

    shape: SegmentShape
    planes: Mapping[str, memoryview] = field(repr=False)
    dead: bytes = field(repr=False)


class SegmentSpace(Protocol):
    """Room for a segment that is being loaded: fill the planes, then finish."""

    @property
    def planes(self) -> Mapping[str, memoryview]:
        """By name, writable."""
        ...

    def finish(self, dead: bytes) -> None:
        """Make it part of the gallery, but for the dead.

        Raises:
            SegmentRefusedError: of what was filled in; the gallery is as before.
            GalleryFullError: likewise.
        """
        ...


class Cancel(Protocol):
    """Given to a search, ends it when set."""

    def set(self) -> None:
        """End it; from any thread."""
        ...


class Galleries(Protocol, Generic[Parsed]):
    """References in memory. Every method may be called from any thread and may take long."""

    @property
    def layout(self) -> int:
        """Of the segments' planes; saved ones of another cannot be loaded."""
        ...

    def parse(self, templates: Sequence[Template]) -> Parsed:
        """Return the templates as they are compared.

        Raises:
            TemplateRefusedError: one does not parse, or a known position comes twice.
        """
        ...

    def add(self, reference_id: UUID, parsed: Parsed) -> None:
        """Add a reference, quickly; one that is there already stays as it is.

        Raises:
            GalleryFullError: nothing is changed.
        """
        ...

    def remove(self, reference_id: UUID) -> None:
        """Forget a reference; nothing happens to one that is not there."""
        ...

    def clear(self) -> None:
        """Forget all references."""
        ...

    def has_room(self) -> bool:
        """Say whether more references can be taken."""
        ...

    def references(self) -> int:
        """Count the references."""
        ...

    def memory(self) -> Memory:
        """Count what the references take."""
        ...

    def cancel(self) -> Cancel:
        """Return something to end a search with."""
        ...

    def search(
        self,
        probes: Sequence[Parsed],
        manner: Manner,
        *,
        max_candidates: int,
        min_scores: Sequence[float],
        deadline_s: float | None,
        cancel: Cancel | None,
    ) -> list[Found]:
        """Return what there is for each probe, best first; the same alone and among others.

        Raises:
            DeadlineExceeded: SEARCH_TOO_SLOW; or the search was cancelled.
        """
        ...

    def verify(self, reference_id: UUID, probe: Parsed) -> Candidate | None:
        """Compare a probe with one reference; None where it is not there."""
        ...

    def compare(self, reference_id: UUID, reference: Parsed, probe: Parsed) -> Candidate:
        """Compare a probe with templates, as verify does with those that are there."""
        ...

    def segments(self) -> list[Segment]:
        """Return all references, as they are now, in segments that change no more."""
        ...

    def begin_segment(self, shape: SegmentShape) -> SegmentSpace:
        """Make room for a segment that was saved.

        Raises:
            SegmentRefusedError: there can be no such segment here.
            GalleryFullError: nothing is changed.
        """
        ...


class Keys(Protocol):
    """Seals templates; may raise Unavailable, VAULT_UNAVAILABLE or VAULT_SEALED."""

    async def seal(self, reference_id: UUID, templates: Sequence[Template]) -> bytes:
        """Encrypt under the data key of the present segment."""
        ...

    async def open_all(self, references: Sequence[StoredReference]) -> list[list[Template]]:
        """Undo seal."""
        ...

    async def seal_answer(self, request_id: UUID, answer: bytes) -> bytes:
        """Encrypt the answer to a request."""
        ...

    async def open_answer(self, request_id: UUID, sealed: bytes) -> bytes:
        """Undo seal_answer."""
        ...


class Transaction(Protocol):
    """One transaction."""

    async def reference(self, reference_id: UUID) -> StoredReference | None:
        """Return a reference."""
        ...

    async def lock_log(self) -> None:
        """Wait until no other change of the log is under way; hold until the end.

        So that the order of the log is the order of commits: who has seen an entry can be sure
        that none before it will still appear.
        """
        ...

    async def insert(self, reference_id: UUID, sealed: bytes, *, templates: int) -> Position | None:
        """Add a reference and its entry in the log; None, and nothing, where there is one."""
        ...

    async def insert_many(self, references: Sequence[tuple[UUID, bytes, int]]) -> dict[UUID, int]:
        """Add references (id, sealed, templates), each id once, in this order; see insert.

        Returns the places in the log of those that were not there.
        """
        ...

    async def delete(self, reference_id: UUID) -> Position | None:
        """Remove a reference and add the log's entry; None when there is no such reference."""
        ...

    async def request(self, request_id: UUID) -> StoredRequest | None:
        """Return an answered request."""
        ...

    async def keep_request(self, request: StoredRequest) -> bool:
        """Keep an answer; False, and nothing, where the request has one."""
        ...

    async def load_progress(self, load_id: UUID) -> int:
        """Lock a bulk load; return up to which number it is durable, 0 for a new one."""
        ...

    async def keep_load(
        self, load_id: UUID, durable_up_to: int, refused: Mapping[int, str]
    ) -> None:
        """Keep how far a bulk load is, and what was refused, by number."""
        ...

    async def load_refusals(self, load_id: UUID) -> dict[int, str]:
        """Return what was refused of a bulk load so far."""
        ...

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        ...


class Store(Protocol):
    """The service's own database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        ...

    async def gallery_id(self) -> UUID:
        """Return the name that this database alone has; a restored one keeps it."""
        ...

    async def head(self) -> Position:
        """Return the place of the newest entry of the log, sequence 0 when there is none."""
        ...

    async def references_after(self, sequence: int, *, limit: int) -> list[StoredReference]:
        """Return references in the order in which they were inserted."""
        ...

    async def changes_after(self, sequence: int, *, limit: int) -> list[Change]:
        """Return entries of the log in order."""
        ...

    async def count(self) -> int:
        """Count the references."""
        ...

    async def count_changes_after(self, sequence: int) -> int:
        """Count entries of the log."""
        ...

    async def forget_requests(self, *, older_than_s: float) -> int:
        """Forget answers; return how many."""
        ...


class Snapshots(Protocol):
    """Saved galleries; raises Unavailable where the object store or Vault is away."""

    async def newest(self, gallery_id: UUID) -> Sequence[str]:
        """Return the names of a database's snapshots, the newest first."""
        ...

    async def read(self, gallery_id: UUID, name: str) -> Snapshot:
        """Return a snapshot, its segments not read yet.

        Raises:
            SnapshotRefusedError: it does not open, or is not what its name says.
        """
        ...

    async def fill(self, snapshot: Snapshot, number: int, space: SegmentSpace) -> None:
        """Decrypt the planes of a snapshot's segment, counted from 0, into room for it.

        Raises:
            SnapshotRefusedError: damaged, truncated or not this segment.
        """
        ...

    async def write(
        self,
        gallery_id: UUID,
        position: Position,
        layout: int,
        segments: Sequence[Segment],
        *,
        before: Snapshot | None,
    ) -> Snapshot:
        """Write a snapshot; durable when this returns, absent before.

        Args:
            before: its segments are not written again where they are the same.
        """
        ...

    async def sweep(self, gallery_id: UUID, *, keep: int) -> int:
        """Remove older snapshots, and segments that none needs; return how many objects."""
        ...


class MessageState(Enum):
    """What is known of a request id: nothing, that it began, that it was served, another's."""

    NEW = "NEW"
    BEGUN = "BEGUN"
    DONE = "DONE"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was known before; whether the reference exists."""

    state: MessageState
    reference_exists: bool


class Messages(Protocol):
    """MOSIP's messages that change something."""

    async def begin(
        self, request_id: str, digest: bytes, reference_id: UUID, *, existing: bool
    ) -> Begun:
        """Note a request that is new, if its reference exists or not as it should.

        Args:
            digest: of what is asked for; the same request id must ask for the same.
            existing: what the request needs of its reference.
        """
        ...

    async def finish(self, request_id: str) -> None:
        """Note that it was served."""
        ...

    async def forget(self, request_id: str) -> None:
        """Note that it was refused; sent again, it is a new one."""
        ...


class DataShare(Protocol):
    """Where MOSIP serves the biometrics of a person."""

    async def fetch(self, url: str) -> bytes:
        """Return a CBEFF document, decrypted.

        Raises:
            MessageRefusedError: NOT_FETCHED, URL_EXPIRED, CBEFF_EMPTY, CBEFF_FORMAT, UNEXPECTED.
        """
        ...
