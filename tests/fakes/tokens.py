"""Tokens, good and forged, by an issuer whose keys are at hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc.aio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.access.v1 import access_service_pb2_grpc

from services.common.mosip_wire import base64url
from services.common.mosip_wire.jws import SigningKey, algorithm_for, sign_raw
from services.common.tokens import Issuer, Trust, jwk

ISSUER, AUDIENCE = "https://issuer.test", "idmesh"


class TokenMaker:
    """An issuer of our own tokens, or (name) one elsewhere."""

    def __init__(self, key: SigningKey | None = None, *, name: str = "") -> None:
        self.key: SigningKey = key or ec.generate_private_key(ec.SECP256R1())
        self.kid = "the-key"
        self.name = name

    def claims(self, operator: str, *roles: str, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            **{"iss": ISSUER, "aud": AUDIENCE, "sub": operator, "roles": list(roles)},
            **{"jti": "an-id", "iat": now, "exp": now + 600, "gen": 1},
        } | other

    def token(self, operator: str, *roles: str, **other: Any) -> str:
        return self.signed(self.claims(operator, *roles, **other))

    def signed(
        self, claims: Mapping[str, Any], *, key: SigningKey | None = None, **header: Any
    ) -> str:
        key = key or self.key
        head = {"alg": algorithm_for(key), "kid": self.kid, "typ": "at+jwt"} | header
        text = parts(head, claims)
        return f"{text}.{base64url.encode(sign_raw(text.encode(), key, algorithm_for(key)))}"

    def trust(
        self,
        *,
        revoked_tokens: set[str] = frozenset(),  # type: ignore[assignment]
        least_generations: Mapping[str, int] | None = None,
    ) -> Trust:
        own = Issuer(
            name=self.name,
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=frozenset({algorithm_for(self.key)}),
            keys={self.kid: self.key.public_key()},
        )
        return Trust({ISSUER: own}, frozenset(revoked_tokens), least_generations or {})

    def jwks(self) -> str:
        members = jwk.to_jwk(self.key.public_key())
        alg = algorithm_for(self.key)
        return json.dumps({"keys": [{**members, "kid": self.kid, "use": "sig", "alg": alg}]})


class TokenAccess(access_service_pb2_grpc.AccessServiceServicer):
    """Stands in for access: tells one issuer, for as long as anybody listens."""

    def __init__(self, maker: TokenMaker, *, every_s: float = 5.0) -> None:
        self._maker = maker
        self._every_s = every_s

    async def WatchTokens(
        self,
        request: pb.WatchTokensRequest,
        context: grpc.aio.ServicerContext[pb.WatchTokensRequest, pb.WatchTokensResponse],
    ) -> AsyncIterator[pb.WatchTokensResponse]:
        issuer = pb.TokenIssuer(
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=[algorithm_for(self._maker.key)],
            jwks=self._maker.jwks(),
            roles_claim="roles",
            subject_claim="sub",
        )
        while True:
            yield pb.WatchTokensResponse(issuers=[issuer])
            await asyncio.sleep(self._every_s)


def parts(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))


def unsigned(maker: TokenMaker) -> str:
    return parts({"alg": "none", "typ": "at+jwt"}, maker.claims("ada")) + "."


def hmac_by_the_public_key(maker: TokenMaker, encoding: Encoding = Encoding.PEM) -> str:
    """The confusion of algorithms: what everybody knows taken for a shared secret."""
    public = maker.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    text = parts({"alg": "HS256", "kid": maker.kid, "typ": "at+jwt"}, maker.claims("ada"))
    return f"{text}.{base64url.encode(hmac.digest(public, text.encode(), hashlib.sha256))}"


def altered(maker: TokenMaker) -> str:
    head, _, signature = maker.token("ada").split(".")
    grown = base64url.encode(json.dumps(maker.claims("root")).encode())
    return f"{head}.{grown}.{signature}"


def by_a_stranger(maker: TokenMaker) -> str:
    return maker.signed(maker.claims("ada"), key=ec.generate_private_key(ec.SECP256R1()))


def no_end(maker: TokenMaker) -> str:
    claims = maker.claims("ada")
    del claims["exp"]
    return maker.signed(claims)


_NOW = time.time
# How to make a bad token of a good issuer, and by which reason it is refused. The issuer's trust
# has "revoked" among its revoked ids and generation 2 as the least of "leaver".
FORGERIES: Mapping[str, tuple[Callable[[TokenMaker], str], str]] = {
    "none": (unsigned, "TOKEN_ALGORITHM_REFUSED"),
    "hs256 by the public key": (hmac_by_the_public_key, "TOKEN_ALGORITHM_REFUSED"),
    "hs256 by its der": (
        lambda m: hmac_by_the_public_key(m, Encoding.DER),
        "TOKEN_ALGORITHM_REFUSED",
    ),
    "altered claims": (altered, "TOKEN_SIGNATURE_INVALID"),
    "another's key": (by_a_stranger, "TOKEN_SIGNATURE_INVALID"),
    "unknown kid": (
        lambda m: m.signed(m.claims("ada"), kid="never-heard-of"),
        "TOKEN_KEY_UNKNOWN",
    ),
    "no kid": (lambda m: m.signed(m.claims("ada"), kid=None), "TOKEN_KEY_UNKNOWN"),
    "a key of its own": (
        lambda m: m.signed(m.claims("ada"), kid="x", jwk=json.loads(m.jwks())["keys"][0]),
        "TOKEN_KEY_UNKNOWN",
    ),
    "wrong issuer": (lambda m: m.token("ada", iss="https://evil"), "TOKEN_ISSUER_UNKNOWN"),
    "no issuer": (lambda m: m.token("ada", iss=None), "TOKEN_ISSUER_UNKNOWN"),
    "wrong audience": (lambda m: m.token("ada", aud="mosip"), "TOKEN_AUDIENCE_REFUSED"),
    "no audience": (lambda m: m.token("ada", aud=None), "TOKEN_AUDIENCE_REFUSED"),
    "expired": (lambda m: m.token("ada", exp=_NOW() - 11), "TOKEN_EXPIRED"),
    "not yet": (lambda m: m.token("ada", nbf=_NOW() + 60), "TOKEN_NOT_YET_VALID"),
    "from the future": (lambda m: m.token("ada", iat=_NOW() + 60), "TOKEN_NOT_YET_VALID"),
    "without end": (no_end, "TOKEN_MALFORMED"),
    "an end that is no time": (lambda m: m.token("ada", exp="never"), "TOKEN_MALFORMED"),
    "an end that is true": (lambda m: m.token("ada", exp=True), "TOKEN_MALFORMED"),
    "another type": (
        lambda m: m.signed(m.claims("ada"), typ="idmesh-signer+jwt"),
        "TOKEN_TYPE_REFUSED",
    ),
    "critical extension": (
        lambda m: m.signed(m.claims("ada"), crit=["b64"], b64=False),
        "TOKEN_MALFORMED",
    ),
    "nobody": (lambda m: m.token(""), "TOKEN_MALFORMED"),
    "too long": (lambda m: m.token("ada", x="y" * 16_000), "TOKEN_MALFORMED"),
    "two parts": (lambda m: m.token("ada").rpartition(".")[0], "TOKEN_MALFORMED"),
    "nonsense": (lambda m: "nonsense", "TOKEN_MALFORMED"),
    "revoked": (lambda m: m.token("ada", jti="revoked"), "TOKEN_REVOKED"),
    "deactivated": (lambda m: m.token("leaver"), "OPERATOR_REVOKED"),
}
