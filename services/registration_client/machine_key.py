"""The machine's own key: it signs packets and requests and never leaves the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.common.mosip_wire.jws import sign_compact
from services.common.mosip_wire.strict_json import dumps

KEY_BITS = 2048
AUDIENCE = "idmesh/registration"
# The server takes at most 300; short, for a token that leaks is of use that long.
TOKEN_LIFE_S = 120


def make_key(path: Path) -> rsa.RSAPrivateKey:
    """Make a key and store it, readable by its owner alone.

    Raises:
        FileExistsError: there is one already; a machine's key is never replaced silently.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    return key


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a machine's key.

    Raises:
        ValueError: it is no RSA key, or others may read it.
    """
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 it, or make a new key")
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key")
    return key


def public_key_der(key: rsa.RSAPrivateKey) -> bytes:
    """Return what masterdata is told: the DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def machine_token(machine_id: str, key: rsa.RSAPrivateKey, *, clock_offset_s: float = 0.0) -> str:
    """Return a token that proves, for two minutes, that the machine is speaking.

    clock_offset_s: the server's time minus the machine's.
    """
    issued_at = int(time.time() + clock_offset_s)
    claims = {
        "iss": machine_id,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + TOKEN_LIFE_S,
    }
    return sign_compact(dumps(claims), key, [], "RS256")
