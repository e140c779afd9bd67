"""What a box is bound to: moved to another place it does not open.

Each kind of place has a number, written in the box and covered by its tag. A number is given
once: a kind that needs other fields gets another number.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Protocol

_LENGTH = struct.Struct(">I")
_NUMBER = struct.Struct(">Q")


class Binding(Protocol):
    """A place for boxes."""

    definition: ClassVar[int]

    def to_bytes(self) -> bytes:
        """Return an encoding in which different places of this kind never look the same."""
        ...


@dataclass(frozen=True)
class Aad:
    """A row: table, record, and the version of the record."""

    definition: ClassVar[int] = 1

    table: str
    record: bytes
    version: int

    def to_bytes(self) -> bytes:
        """See Binding."""
        return _prefixed(self.table.encode()) + _prefixed(self.record) + _NUMBER.pack(self.version)


@dataclass(frozen=True)
class ObjectAad:
    """A part of an object: which store, the object's name there, and the part's number."""

    definition: ClassVar[int] = 2

    store: str
    name: str
    part: int

    def to_bytes(self) -> bytes:
        """See Binding."""
        store, name = self.store.encode(), self.name.encode()
        return _prefixed(store) + _prefixed(name) + _NUMBER.pack(self.part)


DEFINITIONS = frozenset({Aad.definition, ObjectAad.definition})


def _prefixed(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data
