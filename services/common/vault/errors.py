"""What Vault's answers mean to a caller."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    Unauthenticated,
    Unavailable,
)


class VaultLoginRefused(Unauthenticated):
    """The login is gone and cannot be had again by this process.

    A secret id is used once, so only its supervisor can help: the process ends with status 75
    and is started again with a new one.
    """

    def __init__(self, message: str) -> None:
        super().__init__("VAULT_LOGIN_REFUSED", message)


def away(cause: str, *, retry_after_s: float = 1.0) -> Unavailable:
    """Return the error of a Vault that does not answer in time."""
    return Unavailable(
        "VAULT_UNAVAILABLE",
        "The key service cannot answer now.",
        metadata={"cause": cause},
        retry_after_s=retry_after_s,
    )


def sealed() -> Unavailable:
    """Return the error of a Vault that a person must unseal."""
    return Unavailable("VAULT_SEALED", "The key service is sealed.", retry_after_s=5.0)


def refused_ciphertext(cause: str = "") -> InvalidArgument:
    """Return the error of a ciphertext that no key, version or context opens."""
    return InvalidArgument(
        "CIPHERTEXT_REFUSED",
        "The ciphertext cannot be decrypted with this key.",
        metadata={"cause": cause} if cause else None,
    )


def unknown_key() -> NotFound:
    """Return the error of a key, role or mount that does not exist."""
    return NotFound("VAULT_KEY_UNKNOWN", "The key service has no such key.")


def forbidden() -> PermissionDenied:
    """Return the error of a call that the service's policy does not allow."""
    return PermissionDenied("VAULT_FORBIDDEN", "The policy does not allow this use of the key.")


def item_error(text: str) -> PlatformError:
    """Return the error that one item's text (or a whole request's, status 400) stands for."""
    lowered = text.lower()
    # Each a part of a message of the transit engine; anything else is a request we made wrong.
    if any(part in lowered for part in _CIPHERTEXT_PARTS):
        cause = "too old" if "too old" in lowered else ""
        return refused_ciphertext(cause)
    if "not found" in lowered:
        return unknown_key()
    return InvalidArgument("VAULT_REQUEST_REFUSED", "The key service refused the request.")


_CIPHERTEXT_PARTS: Sequence[str] = (
    "ciphertext",
    "message authentication failed",
    "decryption error",
    "too old",
    "unable to decrypt",
    "invalid key version",
    "cannot decrypt",
)
