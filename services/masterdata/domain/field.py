"""Centres and machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.common.errors import InvalidArgument

MIN_KEY_BITS = 2048
MAX_KEY_BITS = 4096


@dataclass(frozen=True)
class Centre:
    """A registration centre, as it has been since changed_at."""

    centre_id: str
    name: str
    active: bool
    changed_at: datetime | None = None


@dataclass(frozen=True)
class Machine:
    """A registration machine, as it has been since changed_at.

    signing_public_key is a DER SubjectPublicKeyInfo.
    """

    machine_id: str
    centre_id: str
    name: str
    signing_public_key: bytes = field(repr=False)
    active: bool
    changed_at: datetime | None = None


def check_signing_key(der: bytes) -> None:
    """Check that a machine may sign with the key.

    Raises:
        InvalidArgument: PUBLIC_KEY_MALFORMED, or PUBLIC_KEY_WEAK: no RSA of 2048 to 4096 bits
            with the exponent that everybody uses.
    """
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidArgument(
            "PUBLIC_KEY_MALFORMED",
            "The signing key is not a DER SubjectPublicKeyInfo.",
            field="machine.signing_public_key",
        ) from error
    if (
        not isinstance(key, rsa.RSAPublicKey)
        or not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS
        or key.public_numbers().e != 65537
    ):
        raise InvalidArgument(
            "PUBLIC_KEY_WEAK",
            f"The signing key must be RSA of {MIN_KEY_BITS} to {MAX_KEY_BITS} bits.",
            field="machine.signing_public_key",
        )
