"""What one core of this machine can do at most, to hold measured rates against."""

from __future__ import annotations

from dataclasses import dataclass

from matcher_ext import _native
from matcher_ext.error import MatcherError


@dataclass(frozen=True, slots=True)
class Roofs:
    """Per second of one core's time, in the instruction set in use.

    Attributes:
        read_bytes_per_s: of memory that no cache holds.
        bits_per_s: counted, in registers.
        products_per_s: of signed bytes, multiplied and added, in registers.
    """

    read_bytes_per_s: float
    bits_per_s: float
    products_per_s: float


def measure_roofs(buffer_bytes: int = 1 << 30) -> Roofs:
    """Measure, for about a second.

    Args:
        buffer_bytes: to read, at least 1 MiB; it should be larger than the caches.

    Raises:
        MatcherError: VALUE_OUT_OF_RANGE, OUT_OF_MEMORY.
    """
    if not 1 << 20 <= buffer_bytes <= 1 << 40:
        raise MatcherError("VALUE_OUT_OF_RANGE", "buffer_bytes", "Not in [1 MiB, 1 TiB].")
    return Roofs(*_native.measure_roofs(buffer_bytes))
