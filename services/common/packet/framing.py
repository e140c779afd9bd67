"""How MOSIP seals a packet: the outer container and each sub-packet alike.

Nonce and AAD, then what mosip_wire.sealed calls the framing with a nonce given:

    offset 0    12   GCM nonce, random
          12    32   AAD, random
          44    32   SHA-256 of the DER of the encryption certificate
          76   256   AES-256 session key under RSA-2048 (384 under RSA-3072),
                     OAEP with SHA-256 and MGF1-SHA-256
         332    14   "#KEY_SPLITTER#"
         346   n+16  AES-256-GCM ciphertext, then the 128-bit tag

Unwrapping the session key is left to the caller, for the private key never leaves Vault: parse,
have `wrapped_key` decrypted, open.
Source: mosip/packet-manager, OfflinePacketCryptoServiceImpl; mosip/khazana, EncryptionUtil.
"""

import os
from dataclasses import dataclass, field

from cryptography import x509

from services.common.mosip_wire import sealed
from services.common.mosip_wire.sealed import SealedError
from services.common.packet.errors import PacketError

MAX_SEALED_BYTES = sealed.MAX_SEALED_BYTES

_NONCE_BYTES = 12
_AAD_BYTES = 32
_KEY_PART = _NONCE_BYTES + _AAD_BYTES


@dataclass(frozen=True, slots=True)
class SealedParts:
    """A sealed packet, taken apart.

    Attributes:
        nonce: 12 bytes.
        aad: 32 bytes, authenticated with the ciphertext.
        thumbprint: SHA-256 of the certificate whose private key unwraps wrapped_key.
        wrapped_key: 256 or 384 bytes.
        ciphertext: with the tag in its last 16 bytes.
    """

    nonce: bytes
    aad: bytes
    thumbprint: bytes
    wrapped_key: bytes
    ciphertext: bytes = field(repr=False)


def parse_sealed(data: bytes, max_bytes: int = MAX_SEALED_BYTES) -> SealedParts:
    """Take a sealed packet apart; nothing is decrypted.

    Raises:
        PacketError: PACKET_TOO_LARGE, PACKET_TRUNCATED, PACKET_SPLITTER_MISSING,
            PACKET_KEY_PART_MALFORMED or PACKET_VERSION_UNKNOWN as SealedError says, and
            PACKET_FRAMING_MISMATCH where a packet is sealed in another of MOSIP's framings.
    """
    try:
        parts = sealed.parse(data, max_bytes, offset=_KEY_PART)
    except SealedError as error:
        raise PacketError(f"PACKET_{error.reason}", "sealed") from None
    if parts.versioned:
        raise PacketError("PACKET_FRAMING_MISMATCH", "sealed")
    return SealedParts(
        nonce=data[:_NONCE_BYTES],
        aad=data[_NONCE_BYTES:_KEY_PART],
        thumbprint=parts.thumbprint,
        wrapped_key=parts.wrapped_key,
        ciphertext=parts.data,
    )


def open_sealed(parts: SealedParts, session_key: bytes) -> bytes:
    """Decrypt with the unwrapped session key.

    Raises:
        PacketError: PACKET_SESSION_KEY_INVALID when it is not 32 bytes, PACKET_DECRYPT_FAILED
            when anything was altered or the key is another packet's.
    """
    try:
        return sealed.decrypt(session_key, parts.nonce, parts.ciphertext, parts.aad)
    except SealedError as error:
        field_name = "session_key" if error.reason == "SESSION_KEY_INVALID" else "sealed"
        raise PacketError(f"PACKET_{error.reason}", field_name) from None


def seal(plaintext: bytes, certificate: x509.Certificate) -> bytes:
    """Encrypt for the holder of certificate's private key.

    Raises:
        ValueError: the certificate's key is not RSA of 2048 or 3072 bits. A mistake of whoever
            configured it, hence no PacketError.
    """
    nonce, aad = os.urandom(_NONCE_BYTES), os.urandom(_AAD_BYTES)
    return nonce + aad + sealed.seal_with_nonce(plaintext, certificate, nonce, aad)
