"""A gallery as it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.abis.domain.reference import Position


@dataclass(frozen=True, slots=True)
class PlaneShape:
    """A plane of a segment; checksum is the matcher's."""

    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class SegmentShape:
    """A segment of references that is written no more.

    Attributes:
        gallery: names what may be compared with it, see the galleries.
        number: the matcher's own.
    """

    gallery: str
    number: int
    rows: int
    planes: Mapping[str, PlaneShape]


@dataclass(frozen=True, slots=True)
class SavedSegment:
    """A segment in the object store.

    Attributes:
        segment_id: names the object; every one has a new id and a data key of its own.
        wrapped_key: its data key, wrapped by Vault.
        dead: a bit for each row whose reference was deleted since.
    """

    segment_id: UUID
    wrapped_key: str
    shape: SegmentShape
    dead: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All segments at one place in the log.

    Attributes:
        gallery_id: of the database that it was taken of.
        layout: of the planes; one that is not the matcher's own cannot be loaded.
    """

    gallery_id: UUID
    position: Position
    layout: int
    segments: Sequence[SavedSegment]


class SnapshotRefusedError(Exception):
    """A snapshot is damaged, or not of this gallery.

    Attributes:
        name: of the object.
        why: UPPER_SNAKE.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why
