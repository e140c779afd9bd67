"""How MOSIP's data share seals what it serves, since release 1.2.0.

URL-safe base64 of

    offset 0     6   "VER_R2"
           6    32   SHA-256 of the DER of the receiver's certificate
          38   256   AES-256 session key under RSA-2048 (384 under RSA-3072), OAEP with SHA-256
         294    14   "#KEY_SPLITTER#"
         308    32   AAD, whose first 12 bytes are the nonce
         340   n+16  AES-256-GCM ciphertext, then the tag

Source: mosip/documentation, biometrics/abis-api.md. The older form without a version is not read:
code and documentation do not agree on the length of its nonce.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.abis.domain.message import Failure, MessageRefusedError
from services.common.mosip_wire import base64url

VERSION: Final = b"VER_R2"
KEY_SPLITTER: Final = b"#KEY_SPLITTER#"

_THUMBPRINT_END = len(VERSION) + 32
_WRAPPED_KEY_BYTES = (256, 384)
_AAD_BYTES, _NONCE_BYTES, _TAG_BYTES, _SESSION_KEY_BYTES = 32, 12, 16, 32


@dataclass(frozen=True, slots=True)
class SealedShare:
    """A sealed document, taken apart; thumbprint names the certificate that it is sealed for."""

    thumbprint: bytes
    wrapped_key: bytes
    aad: bytes
    ciphertext: bytes = field(repr=False)


def parse_share(body: bytes) -> SealedShare:
    """Take a sealed document apart; nothing is decrypted.

    Raises:
        MessageRefusedError: CBEFF_FORMAT.
    """
    try:
        data = base64url.decode(body, allow_whitespace=True)
    except ValueError:
        raise MessageRefusedError(Failure.CBEFF_FORMAT) from None
    for key_bytes in _WRAPPED_KEY_BYTES:
        splitter = _THUMBPRINT_END + key_bytes
        if data.startswith(KEY_SPLITTER, splitter):
            break
    else:
        raise MessageRefusedError(Failure.CBEFF_FORMAT)
    sealed = data[splitter + len(KEY_SPLITTER) :]
    if not data.startswith(VERSION) or len(sealed) < _AAD_BYTES + _TAG_BYTES:
        raise MessageRefusedError(Failure.CBEFF_FORMAT)
    return SealedShare(
        thumbprint=data[len(VERSION) : _THUMBPRINT_END],
        wrapped_key=data[_THUMBPRINT_END:splitter],
        aad=sealed[:_AAD_BYTES],
        ciphertext=sealed[_AAD_BYTES:],
    )


def open_share(share: SealedShare, session_key: bytes) -> bytes:
    """Decrypt with the unwrapped session key.

    Raises:
        MessageRefusedError: UNEXPECTED, it was altered or the key is another's.
    """
    if len(session_key) != _SESSION_KEY_BYTES:
        raise MessageRefusedError(Failure.UNEXPECTED)
    try:
        return AESGCM(session_key).decrypt(share.aad[:_NONCE_BYTES], share.ciphertext, share.aad)
    except InvalidTag:
        raise MessageRefusedError(Failure.UNEXPECTED) from None
