"""What a caller of the matcher can cause."""

import math


class MatcherError(ValueError):
    """What a caller can cause. Holds no biometric data, so it may be logged.

    Attributes:
        reason: UPPER_SNAKE, for programs: TEMPLATE_MALFORMED, TEMPLATE_EMPTY, MASK_EMPTY,
            VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE, DTYPE_MISMATCH, DIMENSION_MISMATCH,
            MODALITY_MISMATCH, POSITION_OUT_OF_RANGE, POSITION_REPEATED, ROTATION_OUT_OF_RANGE,
            REFERENCE_ID_MALFORMED, REFERENCE_EXISTS, REFERENCE_NOT_FOUND, DEADLINE_EXCEEDED.
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
    if not math.isfinite(value):
        raise MatcherError("VALUE_NOT_FINITE", field, "Not a number, or infinite.")
    if not 0 <= value <= 1:
        raise MatcherError("VALUE_OUT_OF_RANGE", field, "Not in [0, 1].")
