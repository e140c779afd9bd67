"""Verhoeff's check digit over the dihedral group D5: catches every single error and swap.

Source: J. Verhoeff, Error Detecting Decimal Codes (1969); MOSIP: kernel-core, ChecksumUtils.
"""

_PRODUCT = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTATION = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_INVERSE = (0, 4, 3, 2, 1, 5, 6, 7, 8, 9)


def is_ascii_digits(text: str) -> bool:
    """Return whether text is one or more of 0-9; digits of other scripts do not count."""
    return text.isascii() and text.isdigit()


def check_digit(digits: str) -> str:
    """Return the digit to append to digits.

    Raises:
        ValueError: digits holds something other than 0-9, or nothing.
    """
    if not is_ascii_digits(digits):
        raise ValueError("only the digits 0-9 have a check digit")
    return str(_INVERSE[_fold(digits, start=1)])


def has_valid_check_digit(digits: str) -> bool:
    """Return whether the last digit of digits is the check digit of those before it."""
    return len(digits) > 1 and is_ascii_digits(digits) and _fold(digits, start=0) == 0


def _fold(digits: str, start: int) -> int:
    value = 0
    for position, digit in enumerate(reversed(digits), start):
        value = _PRODUCT[value][_PERMUTATION[position % 8][ord(digit) - 48]]
    return value
