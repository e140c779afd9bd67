"""What a password must be. Source: NIST SP 800-63B-4, 3.1.1.2: length, no composition rules."""

from __future__ import annotations

import secrets
import unicodedata

from services.common.errors import InvalidArgument

LEAST_CHARS = 12
# No look-alikes: it is read from a screen or a slip of paper.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_COMMON = (
    *("password", "passw0rd", "qwerty", "letmein", "welcome", "iloveyou", "administrator"),
    *("idmesh", "mosip", "changeme", "secret", "123456", "abcdef", "111111", "000000"),
)


def normalised(password: str) -> bytes:
    """Return the bytes that are hashed: one spelling for what looks the same."""
    return unicodedata.normalize("NFKC", password).encode("utf-8")


def check(password: str, operator_id: str) -> None:
    """Refuse a new password that is easily guessed.

    Raises:
        InvalidArgument: PASSWORD_TOO_WEAK.
    """
    text = unicodedata.normalize("NFKC", password).casefold()
    if len(text) < LEAST_CHARS:
        raise _weak(f"It needs {LEAST_CHARS} characters or more.")
    if operator_id.casefold() in text:
        raise _weak("It holds the operator's name.")
    if len(set(text)) < 6:
        raise _weak("It repeats few characters.")
    rest = text
    for common in _COMMON:
        rest = rest.replace(common, "")
    if len(rest) < LEAST_CHARS // 2:
        raise _weak("It is made of what everybody tries first.")


def one_time() -> str:
    """Return a password for the first login: about 79 bits in four groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _weak(why: str) -> InvalidArgument:
    return InvalidArgument("PASSWORD_TOO_WEAK", why, field="new_password")


def unchanged() -> InvalidArgument:
    """Return the refusal of a new password that is the old one."""
    return _weak("It is the old one.")
