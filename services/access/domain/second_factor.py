"""Time-based codes (RFC 6238) and the codes that replace a lost device."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

# What authenticator applications take without exception.
DIGITS = 6
STEP_S = 30
SECRET_BYTES = 20
# A device's clock may be a step behind or ahead.
STEPS_OFF = 1
RECOVERY_CODES = 10


def new_secret() -> bytes:
    """Return a secret for one device."""
    return secrets.token_bytes(SECRET_BYTES)


def uri(secret: bytes, operator_id: str, issuer: str) -> str:
    """Return what an authenticator application reads from a QR code; it holds the secret."""
    return _totp(secret).get_provisioning_uri(operator_id, issuer)


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step."""
    return _totp(secret).generate(step * STEP_S).decode()


def step_of(now: datetime) -> int:
    """Return the time step of an instant."""
    return int(now.timestamp()) // STEP_S


def matching_step(secret: bytes, code: str, now: datetime, last_step: int) -> int | None:
    """Return the step of a right code, None for a wrong one or one not newer than last_step.

    All steps are compared, whichever is right, so that time tells nothing.
    """
    present, found = step_of(now), None
    for step in range(present - STEPS_OFF, present + STEPS_OFF + 1):
        right = hmac.compare_digest(code_at(secret, step).encode(), code.encode())
        if right and step > last_step:
            found = step
    return found


def looks_like_totp(code: str) -> bool:
    """Tell a code of the device from a recovery code."""
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def recovery_codes() -> list[str]:
    """Return fresh codes, 50 bits each: they are only taken with the password, and few times."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return [
        "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(2))
        for _ in range(RECOVERY_CODES)
    ]


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 - the standard's and the devices'
