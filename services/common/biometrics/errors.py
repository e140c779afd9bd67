"""The one error of biometric records."""


class BiometricsError(ValueError):
    """A CBEFF document or a data block in it is refused. Nothing of it is quoted.

    Attributes:
        reason: UPPER_SNAKE: XML_MALFORMED, RECORD_TRUNCATED, LENGTH_MISMATCH and so on.
        field: where, for instance "BIR[3].BDB" or "view[0].minutia[12]".
    """

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{reason} at {field}")
        self.reason = reason
        self.field = field
