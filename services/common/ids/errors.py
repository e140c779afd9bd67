"""The one error of identifier formats."""


class IdError(ValueError):
    """An identifier is malformed.

    Attributes:
        reason: UPPER_SNAKE, for instance LENGTH, NOT_DIGITS, CHECK_DIGIT.
        field: which identifier, for instance "uin" or "rid.timestamp".
    """

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.reason = reason
        self.field = field
