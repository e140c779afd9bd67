"""What a caller of the matcher can cause."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex


class MatcherError(ValueError):
    """What a caller can cause. Holds no biometric data, so it may be logged.

    Attributes:
        reason: UPPER_SNAKE, for programs: TEMPLATE_MALFORMED, TEMPLATE_EMPTY, MASK_EMPTY,
            VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE, TYPE_MISMATCH, DTYPE_MISMATCH,
            DIMENSION_MISMATCH, MODALITY_MISMATCH, POSITION_OUT_OF_RANGE, POSITION_REPEATED,
            ROTATION_OUT_OF_RANGE, REFERENCE_ID_MALFORMED, REFERENCE_EXISTS, REFERENCE_NOT_FOUND,
            DEADLINE_EXCEEDED.
        field: the argument, or the part of the record, at fault.
    """

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


def check_proportion(value: float, field: str) -> None:
    """Refuse what is not in [0, 1].

    Raises:
        MatcherError: VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    if not 0 <= check_number(value, field) <= 1:
        raise MatcherError("VALUE_OUT_OF_RANGE", field, "Not in [0, 1].")


def check_number(value: float, field: str) -> float:
    """Return value, a finite number.

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE.
    """
    # A text that reads as a number is none: float() would take it.
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        raise MatcherError("TYPE_MISMATCH", field, "Not a number.")
    try:
        number = float(value)
    except OverflowError as error:
        raise MatcherError("VALUE_NOT_FINITE", field, "Too large for a number.") from error
    except (TypeError, ValueError) as error:
        raise MatcherError("TYPE_MISMATCH", field, "Not a number.") from error
    if not math.isfinite(number):
        raise MatcherError("VALUE_NOT_FINITE", field, "Not a number, or infinite.")
    return number


def check_whole(
    value: SupportsIndex, field: str, least: int, most: int, reason: str = "VALUE_OUT_OF_RANGE"
) -> int:
    """Return value, a whole number in [least, most]; a fraction is not cut to one.

    Raises:
        MatcherError: TYPE_MISMATCH, reason.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise MatcherError("TYPE_MISMATCH", field, "Not a whole number.") from error
    if not least <= number <= most:
        raise MatcherError(reason, field, f"Not in [{least}, {most}].")
    return number


def check_bytes(value: bytes | bytearray | memoryview, field: str) -> bytes:
    """Return the bytes of value. A number is none, though bytes() would make so many zeros of it.

    Raises:
        MatcherError: TYPE_MISMATCH.
    """
    if isinstance(value, bytes):
        return value
    try:
        view = memoryview(value)
    except TypeError as error:
        raise MatcherError("TYPE_MISMATCH", field, "Not bytes.") from error
    if view.itemsize != 1:
        raise MatcherError("TYPE_MISMATCH", field, "The elements are not bytes.")
    return view.tobytes()
