"""Access tokens: JWTs (RFC 7519) signed ES256, with the claims of RFC 9068."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.common.mosip_wire import base64url


@dataclass(frozen=True)
class Claims:
    """What a token says.

    generation is the operator's when it was issued: raising it refuses all earlier tokens.
    methods is how a person was recognised (RFC 8176); empty for a program.
    """

    issuer: str
    audience: str
    operator_id: str
    roles: tuple[str, ...]
    scope: str
    generation: int
    token_id: str
    issued_at: datetime
    expires_at: datetime
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class IssuedToken:
    """A token, and what OAuth tells beside it."""

    token: str
    token_id: str
    scope: str
    expires_in_s: int
    refresh_token: str = ""


def signing_input(claims: Claims, kid: str) -> bytes:
    """Return header and payload as they are signed."""
    payload: dict[str, object] = {
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.operator_id,
        "client_id": claims.operator_id,
        "roles": list(claims.roles),
        "scope": claims.scope,
        "gen": claims.generation,
        "jti": claims.token_id,
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
    }
    if claims.methods:
        payload["amr"] = list(claims.methods)
    return jws_input({"alg": "ES256", "kid": kid, "typ": "at+jwt"}, payload)


def jws_input(header: Mapping[str, object], payload: Mapping[str, object]) -> bytes:
    """Return header and payload as a compact JWS signs them."""
    return ".".join(
        base64url.encode(json.dumps(part, separators=(",", ":")).encode())
        for part in (header, payload)
    ).encode()


def assemble(signed: bytes, signature: bytes) -> str:
    """Return the compact JWS; `signature` is r || s, 64 bytes (RFC 7518, 3.4)."""
    return f"{signed.decode()}.{base64url.encode(signature)}"
