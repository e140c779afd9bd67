"""Which partition a reference is in, and what the answers of all of them make together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

# What the hash below spreads evenly.
MOST_PARTITIONS: Final = 1024
# The number of a process that holds no references and only asks the others.
FRONT: Final = -1


@dataclass(frozen=True, slots=True)
class Share:
    """The references that one process holds; by default all.

    number: from 0 on, or FRONT. The count is fixed: another one is another gallery.
    """

    count: int = 1
    number: int = 0

    def holds(self, reference_id: UUID) -> bool:
        """Return whether a reference is in it; the store's SQL says the same."""
        return partition_of(reference_id, self.count) == self.number


def partition_of(reference_id: UUID, count: int) -> int:
    """Return the number of the partition that a reference is in.

    A hash, for reference ids are others' and need not be random.
    """
    return int.from_bytes(hashlib.sha256(reference_id.bytes).digest()[:2], "big") % count
