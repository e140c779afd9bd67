"""How MOSIP's data share seals what it serves, since release 1.2.0.

URL-safe base64 of the versioned framing of mosip_wire.sealed.

Source: mosip/documentation, biometrics/abis-api.md. The older form without a version is not read:
code and documentation do not agree on the length of its nonce.
"""

from __future__ import annotations

from services.abis.domain.message import Failure, MessageRefusedError
from services.common.mosip_wire import sealed
from services.common.mosip_wire.sealed import Sealed, SealedError


def parse_share(body: bytes) -> Sealed:
    """Take a sealed document apart; nothing is decrypted.

    Raises:
        MessageRefusedError: CBEFF_FORMAT.
    """
    try:
        share = sealed.parse_text(body, allow_whitespace=True)
    except SealedError:
        raise MessageRefusedError(Failure.CBEFF_FORMAT) from None
    if not share.versioned:
        raise MessageRefusedError(Failure.CBEFF_FORMAT)
    return share


def open_share(share: Sealed, session_key: bytes) -> bytes:
    """Decrypt with the unwrapped session key.

    Raises:
        MessageRefusedError: UNEXPECTED, it was altered or the key is another's.
    """
    try:
        return sealed.open_versioned(share, session_key)
    except SealedError:
        raise MessageRefusedError(Failure.UNEXPECTED) from None
