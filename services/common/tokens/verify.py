"""What makes an operator's token good. Pure: keys and revocations are given.

Source: RFC 7519, RFC 8725 (an algorithm is never the token's to choose), RFC 9068.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.common.errors import Unauthenticated
from services.common.mosip_wire.jws import Jws, JwsError, parse_compact
from services.common.mosip_wire.jws import verify as verify_signature
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object
from services.common.tokens.jwk import PublicKey

LEEWAY_S = 10.0
MOST_CHARS = 16 * 1024
_LIMITS = JsonLimits(max_bytes=12 * 1024, max_depth=8, max_nodes=1024)
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


@dataclass(frozen=True)
class Issuer:
    """Whose tokens are trusted.

    name is empty for the platform itself; any other is put before its operators' names, so that
    nobody elsewhere can be named as one of ours. roles says what its roles mean here; None, they
    are ours already.
    """

    name: str
    issuer: str
    audience: str
    algorithms: frozenset[str]
    keys: Mapping[str, PublicKey] = field(repr=False)
    roles_claim: str = "roles"
    subject_claim: str = "sub"
    roles: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True)
class Trust:
    """Issuers by their `iss`, ids of revoked tokens, and per operator the least generation."""

    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    revoked_tokens: frozenset[str] = frozenset()
    least_generations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Operator:
    """Whom a token proves. expires_at is in seconds since the epoch; claims as they came."""

    operator_id: str
    roles: frozenset[str]
    token_id: str
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False)


def verify(token: str, trust: Trust, now: datetime, *, leeway_s: float = LEEWAY_S) -> Operator:
    """Return the operator that a token proves.

    Raises:
        Unauthenticated: TOKEN_MALFORMED, TOKEN_ALGORITHM_REFUSED (none and every HMAC among
            them), TOKEN_ISSUER_UNKNOWN, TOKEN_KEY_UNKNOWN, TOKEN_SIGNATURE_INVALID,
            TOKEN_TYPE_REFUSED, TOKEN_AUDIENCE_REFUSED, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID,
            TOKEN_REVOKED (that one), OPERATOR_REVOKED (all that the operator had).
    """
    jws, claims = _parsed(token)
    issuer = trust.issuers.get(_text(claims, "iss"))
    if issuer is None:
        raise _refused("TOKEN_ISSUER_UNKNOWN", "Its issuer is not trusted.")
    _check_signature(jws, issuer)
    if not issuer.name and jws.header.get("typ") not in _TYPES:
        raise _refused("TOKEN_TYPE_REFUSED", "It is no access token.")
    audiences = claims.get("aud")
    if issuer.audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise _refused("TOKEN_AUDIENCE_REFUSED", "It is meant for somebody else.")
    expires_at = _check_times(claims, now.timestamp(), leeway_s)
    operator_id = _operator_id(claims, issuer)
    token_id = _text(claims, "jti")
    if token_id in trust.revoked_tokens:
        raise _refused("TOKEN_REVOKED", "It is revoked.")
    if _generation(claims) < trust.least_generations.get(operator_id, 0):
        raise _refused("OPERATOR_REVOKED", "What its operator may do was changed; log in again.")
    return Operator(operator_id, _roles(claims, issuer), token_id, expires_at, claims)


def _parsed(token: str) -> tuple[Jws, dict[str, Any]]:
    if len(token) > MOST_CHARS:
        raise _refused("TOKEN_MALFORMED", "It is too long.")
    try:
        jws = parse_compact(token)
        return jws, loads_object(jws.payload or b"", _LIMITS)
    except JwsError as error:
        if error.reason == "ALGORITHM_REFUSED":
            raise _refused("TOKEN_ALGORITHM_REFUSED", "Its algorithm is not taken.") from None
        raise _refused("TOKEN_MALFORMED", "It is no signed JWT.") from None
    except JsonRefusedError:
        raise _refused("TOKEN_MALFORMED", "Its claims are no JSON object.") from None


def _check_signature(jws: Jws, issuer: Issuer) -> None:
    if jws.algorithm not in issuer.algorithms:
        raise _refused("TOKEN_ALGORITHM_REFUSED", "Its algorithm is not the issuer's.")
    kid = jws.header.get("kid")
    key = issuer.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise _refused("TOKEN_KEY_UNKNOWN", "No key of its issuer has this name.")
    try:
        verify_signature(jws, key)
    except JwsError as error:
        if error.reason == "ALGORITHM_REFUSED":
            raise _refused("TOKEN_ALGORITHM_REFUSED", "Its key has another algorithm.") from None
        raise _refused("TOKEN_SIGNATURE_INVALID", "Its signature is wrong.") from None


def _check_times(claims: Mapping[str, Any], now: float, leeway_s: float) -> float:
    expires_at = _instant(claims, "exp")
    if expires_at is None:
        raise _refused("TOKEN_MALFORMED", "It says no end of its life.")
    if now >= expires_at + leeway_s:
        raise _refused("TOKEN_EXPIRED", "It has expired.")
    for name in ("nbf", "iat"):
        begins_at = _instant(claims, name)
        if begins_at is not None and now < begins_at - leeway_s:
            raise _refused("TOKEN_NOT_YET_VALID", "It is from the future.")
    return expires_at


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused("TOKEN_MALFORMED", f"Its {name} is no time.")
    return float(value)


def _operator_id(claims: Mapping[str, Any], issuer: Issuer) -> str:
    name = claims.get(issuer.subject_claim)
    if not isinstance(name, str) or not 1 <= len(name) <= 128 or not name.isprintable():
        raise _refused("TOKEN_MALFORMED", "It names nobody.")
    return f"{issuer.name}:{name}" if issuer.name else name


def _roles(claims: Mapping[str, Any], issuer: Issuer) -> frozenset[str]:
    value: Any = claims
    for step in issuer.roles_claim.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list):
        return frozenset()
    theirs = frozenset(role for role in value if isinstance(role, str))
    if issuer.roles is None:
        return theirs
    return frozenset().union(*(issuer.roles.get(role, frozenset()) for role in theirs))


def _generation(claims: Mapping[str, Any]) -> int:
    value = claims.get("gen", 0)
    return value if isinstance(value, int) else 0


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _refused(reason: str, why: str) -> Unauthenticated:
    return Unauthenticated(reason, f"The token is refused. {why}")
