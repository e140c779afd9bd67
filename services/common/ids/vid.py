"""The Virtual ID: a revocable alias of a UIN, given to partners instead of it."""

import random

from services.common.ids.errors import IdError
from services.common.ids.rules import VID_RULES, first_violation
from services.common.ids.verhoeff import check_digit, has_valid_check_digit, is_ascii_digits

VID_LENGTH = 16


def vid_violation(vid: str, length: int = VID_LENGTH) -> str | None:
    """Return why vid cannot have been issued, or None: length, digits, first digit, check digit."""
    if len(vid) != length:
        return "LENGTH"
    if not is_ascii_digits(vid):
        return "NOT_DIGITS"
    if vid[0] in "01":
        return "LEADING_DIGIT"
    return None if has_valid_check_digit(vid) else "CHECK_DIGIT"


def check_vid(vid: str, length: int = VID_LENGTH) -> None:
    """Raise unless vid has the form of an issued VID.

    Raises:
        IdError: LENGTH, NOT_DIGITS, LEADING_DIGIT or CHECK_DIGIT; field "vid".
    """
    if violation := vid_violation(vid, length):
        raise IdError(violation, "vid")


def is_issuable_vid(vid: str) -> bool:
    """Return whether vid passes every filter for new numbers, the check digit included."""
    return has_valid_check_digit(vid) and first_violation(vid, VID_RULES) is None


def draw_vid(length: int = VID_LENGTH, rng: random.Random | None = None) -> str:
    """Return a VID, each issuable one equally likely.

    Args:
        length: digits with the check digit, 6 to 20.
        rng: the source of randomness; None is the operating system's. Give another in tests only.

    Raises:
        ValueError: length is out of range.
    """
    if not 6 <= length <= 20:
        raise ValueError(f"length must be 6 to 20, got {length}")
    source = rng if rng is not None else random.SystemRandom()
    lowest = 2 * 10 ** (length - 2)
    beyond = 10 ** (length - 1)
    while True:
        payload = str(source.randrange(lowest, beyond))
        vid = payload + check_digit(payload)
        if is_issuable_vid(vid):
            return vid
