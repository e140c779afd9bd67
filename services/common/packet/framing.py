"""How MOSIP seals a packet: the outer container and each sub-packet alike.

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
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.packet.errors import PacketError

KEY_SPLITTER = b"#KEY_SPLITTER#"
WRAPPED_KEY_BYTES = (256, 384)
SESSION_KEY_BYTES = 32
MAX_SEALED_BYTES = 128 * 1024 * 1024

_NONCE_BYTES = 12
_AAD_BYTES = 32
_THUMBPRINT_BYTES = 32
_TAG_BYTES = 16
_KEY_OFFSET = _NONCE_BYTES + _AAD_BYTES + _THUMBPRINT_BYTES


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
    """Take a sealed packet or sub-packet apart; nothing is decrypted.

    Raises:
        PacketError: PACKET_TOO_LARGE, PACKET_TRUNCATED, or PACKET_SPLITTER_MISSING where neither
            RSA size puts the splitter.
    """
    if len(data) > max_bytes:
        raise PacketError("PACKET_TOO_LARGE", "sealed")
    shortest = _KEY_OFFSET + min(WRAPPED_KEY_BYTES) + len(KEY_SPLITTER) + _TAG_BYTES
    if len(data) < shortest:
        raise PacketError("PACKET_TRUNCATED", "sealed")
    for key_bytes in WRAPPED_KEY_BYTES:
        splitter = _KEY_OFFSET + key_bytes
        if data.startswith(KEY_SPLITTER, splitter):
            break
    else:
        raise PacketError("PACKET_SPLITTER_MISSING", "sealed")
    ciphertext = data[splitter + len(KEY_SPLITTER) :]
    if len(ciphertext) < _TAG_BYTES:
        raise PacketError("PACKET_TRUNCATED", "sealed")
    thumbprint_offset = _NONCE_BYTES + _AAD_BYTES
    return SealedParts(
        nonce=data[:_NONCE_BYTES],
        aad=data[_NONCE_BYTES:thumbprint_offset],
        thumbprint=data[thumbprint_offset:_KEY_OFFSET],
        wrapped_key=data[_KEY_OFFSET:splitter],
        ciphertext=ciphertext,
    )


def open_sealed(parts: SealedParts, session_key: bytes) -> bytes:
    """Decrypt with the unwrapped session key.

    Raises:
        PacketError: PACKET_SESSION_KEY_INVALID when it is not 32 bytes, PACKET_DECRYPT_FAILED
            when anything was altered or the key is another packet's.
    """
    if len(session_key) != SESSION_KEY_BYTES:
        raise PacketError("PACKET_SESSION_KEY_INVALID", "session_key")
    try:
        return AESGCM(session_key).decrypt(parts.nonce, parts.ciphertext, parts.aad)
    except InvalidTag:
        raise PacketError("PACKET_DECRYPT_FAILED", "sealed") from None


def seal(plaintext: bytes, certificate: x509.Certificate) -> bytes:
    """Encrypt for the holder of certificate's private key.

    Raises:
        ValueError: the certificate's key is not RSA of 2048 or 3072 bits. A mistake of whoever
            configured it, hence no PacketError.
    """
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size // 8 not in WRAPPED_KEY_BYTES:
        raise ValueError("packets are sealed with RSA keys of 2048 or 3072 bits")
    session_key = AESGCM.generate_key(bit_length=8 * SESSION_KEY_BYTES)
    nonce = os.urandom(_NONCE_BYTES)
    aad = os.urandom(_AAD_BYTES)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
    return b"".join(
        (
            nonce,
            aad,
            certificate.fingerprint(hashes.SHA256()),
            key.encrypt(session_key, oaep),
            KEY_SPLITTER,
            AESGCM(session_key).encrypt(nonce, plaintext, aad),
        )
    )
