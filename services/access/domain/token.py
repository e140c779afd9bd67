"""Access tokens: JWTs (RFC 7519) signed ES256, with the claims of RFC 9068."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key


@dataclass(frozen=True)
class Claims:
    """What a token says."""

    issuer: str
    audience: str
    operator_id: str
    roles: tuple[str, ...]
    token_id: str
    issued_at: datetime
    expires_at: datetime


def signing_input(claims: Claims, kid: str) -> bytes:
    """Return header and payload as they are signed."""
    header = {"alg": "ES256", "kid": kid, "typ": "at+jwt"}
    payload = {
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.operator_id,
        "client_id": claims.operator_id,
        "roles": ",".join(claims.roles),
        "jti": claims.token_id,
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
    }
    return b".".join(
        _b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload)
    )


def assemble(signed: bytes, signature: bytes) -> str:
    """Return the compact JWS; `signature` is r || s, 64 bytes (RFC 7518, 3.4)."""
    return (signed + b"." + _b64url(signature)).decode()


def jwk_set(public_keys: Mapping[str, bytes]) -> bytes:
    """Return a JWK set (RFC 7517) of P-256 keys given as PEM by kid."""
    return json.dumps(
        {"keys": [_jwk(kid, pem) for kid, pem in sorted(public_keys.items())]}
    ).encode()


def _jwk(kid: str, pem: bytes) -> dict[str, str]:
    key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"key {kid} is not on P-256")
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "use": "sig",
        "alg": "ES256",
        "kid": kid,
        "x": _b64url(point.x.to_bytes(32, "big")).decode(),
        "y": _b64url(point.y.to_bytes(32, "big")).decode(),
    }


def _b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
