"""What is kept of a person and compared against."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID


class Modality(Enum):
    """The part of the body that a template is of; values as on the wire."""

    FINGER = 1
    IRIS = 2
    FACE = 3


@dataclass(frozen=True, slots=True)
class Template:
    """The features taken from one sample; data is never shown.

    position: finger 1 right thumb to 10 left little finger, iris 1 right, 2 left; 0 unknown.
    """

    modality: Modality
    position: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log of inserts and deletes; comparable within an epoch."""

    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A row: the templates sealed, and the place in the log that inserted it."""

    reference_id: UUID
    sequence: int
    sealed: bytes = field(repr=False)


class ChangeKind(Enum):
    """What happened to a reference."""

    INSERTED = "INSERTED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log.

    reference: as it is now, for an insert that still stands; None otherwise.
    """

    sequence: int
    kind: ChangeKind
    reference_id: UUID
    reference: StoredReference | None = None
