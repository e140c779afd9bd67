"""The machine's signature over a plain sub-packet, and the hash of the sealed one."""

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.common.packet.errors import PacketError
from services.common.packet.hashes import verify_hash_files
from services.common.packet.metadata import PacketMetadata
from services.common.packet.sub_packet import SubPacket

_MIN_KEY_BITS = 2048


def sign_sub_packet(plain_zip: bytes, machine_key: rsa.RSAPrivateKey) -> bytes:
    """Return RSASSA-PKCS1-v1_5 with SHA-256 over the plain zip, as the client's TPM makes it."""
    return machine_key.sign(plain_zip, padding.PKCS1v15(), hashes.SHA256())


def verify_sub_packet(
    metadata: PacketMetadata,
    plain_zip: bytes,
    sealed: bytes,
    machine_key: rsa.RSAPublicKey,
) -> None:
    """Check that the machine signed the plain zip, and that sealed is what it sealed.

    Raises:
        PacketError: SIGNATURE_INVALID (field "signature"), SEALED_HASH_MISMATCH (field
            "encryptedhash"), MACHINE_KEY_TOO_SHORT.
    """
    if machine_key.key_size < _MIN_KEY_BITS:
        raise PacketError("MACHINE_KEY_TOO_SHORT", "machine_key")
    try:
        machine_key.verify(metadata.signature, plain_zip, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise PacketError("SIGNATURE_INVALID", "signature") from None
    if not hmac.compare_digest(hashlib.sha256(sealed).digest(), metadata.encrypted_hash):
        raise PacketError("SEALED_HASH_MISMATCH", "encryptedhash")


def verify_hashes(sub_packet: SubPacket, *, required: bool = True) -> None:
    """Check packet_data_hash.txt and packet_operations_hash.txt; see verify_hash_files."""
    verify_hash_files(sub_packet.files, sub_packet.meta_info, required=required)
