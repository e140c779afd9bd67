"""The Unique Identity Number: a filtered, checked, uniformly drawn number of fixed length."""

import random

from services.common.ids.errors import IdError
from services.common.ids.rules import UIN_RULES, first_violation
from services.common.ids.verhoeff import check_digit, has_valid_check_digit, is_ascii_digits

DEFAULT_UIN_LENGTH = 12
MIN_UIN_LENGTH = 6
MAX_UIN_LENGTH = 20

_HALF = 5


def uin_violation(uin: str, length: int = DEFAULT_UIN_LENGTH) -> str | None:
    """Return why uin cannot have been issued, or None.

    Only what no issued number can have: length, digits, a leading 0 or 1, the check digit. The
    filters for looks are not repeated here, so that tightening one never locks a holder out.
    """
    if len(uin) != length:
        return "LENGTH"
    if not is_ascii_digits(uin):
        return "NOT_DIGITS"
    if uin[0] in "01":
        return "LEADING_DIGIT"
    return None if has_valid_check_digit(uin) else "CHECK_DIGIT"


def check_uin(uin: str, length: int = DEFAULT_UIN_LENGTH) -> None:
    """Raise unless uin has the form of an issued UIN.

    Raises:
        IdError: LENGTH, NOT_DIGITS, LEADING_DIGIT or CHECK_DIGIT; field "uin".
    """
    if violation := uin_violation(uin, length):
        raise IdError(violation, "uin")


def is_issuable_uin(uin: str) -> bool:
    """Return whether uin passes every filter for new numbers, the check digit included."""
    return (
        has_valid_check_digit(uin)
        and first_violation(uin, UIN_RULES) is None
        and uin[:_HALF] != uin[-_HALF:]
        and uin[:_HALF] != uin[-_HALF:][::-1]
    )


def draw_uin(length: int = DEFAULT_UIN_LENGTH, rng: random.Random | None = None) -> str:
    """Return a UIN, each issuable one of that length equally likely.

    A payload is drawn uniformly and drawn again when it, with its check digit, breaks a filter:
    rejection keeps the distribution flat, which filling in digits one by one would not.

    Args:
        length: digits with the check digit, MIN_UIN_LENGTH to MAX_UIN_LENGTH.
        rng: the source of randomness; None is the operating system's. Give another in tests only.

    Raises:
        ValueError: length is out of range.
    """
    if not MIN_UIN_LENGTH <= length <= MAX_UIN_LENGTH:
        raise ValueError(f"length must be {MIN_UIN_LENGTH} to {MAX_UIN_LENGTH}, got {length}")
    source = rng if rng is not None else random.SystemRandom()
    lowest = 2 * 10 ** (length - 2)
    beyond = 10 ** (length - 1)
    while True:
        payload = str(source.randrange(lowest, beyond))
        uin = payload + check_digit(payload)
        if is_issuable_uin(uin):
            return uin
