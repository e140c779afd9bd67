"""How many UINs there are.

Counted exhaustively under the filters of services.common.ids, the check digit included; a test
counts the short lengths again. 10 and 12 digits are also MOSIP's counts.
"""

from __future__ import annotations

UIN_CAPACITY = {
    8: 1_162_672,
    9: 8_265_546,
    10: 58_106_898,
    11: 403_817_306,
    12: 2_773_864_144,
}

# Past this proportion numbers become guessable and drawing slow.
_FILL_LIMIT = 0.9


def uin_capacity(length: int) -> int:
    """Return how many UINs of that length can be issued.

    Raises:
        ValueError: the length is not one that was counted.
    """
    if length not in UIN_CAPACITY:
        lengths = ", ".join(map(str, sorted(UIN_CAPACITY)))
        raise ValueError(f"uin_length must be one of {lengths}, got {length}")
    return UIN_CAPACITY[length]


def check_population(population: int, length: int) -> None:
    """Refuse a population that would leave fewer than half of the numbers unused.

    Raises:
        ValueError: the population is above half the capacity, or the length is unknown.
    """
    capacity = uin_capacity(length)
    if not 0 < population <= capacity // 2:
        raise ValueError(
            f"population must be between 1 and {capacity // 2}, half of what {length} digits "
            f"hold; got {population}"
        )


def fill_limit(length: int) -> int:
    """Return how many numbers are drawn at most, given out or not."""
    return int(uin_capacity(length) * _FILL_LIMIT)
