"""How a client proves itself with a key of its own: private_key_jwt (RFC 7523, 2.2 and 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.common.errors import Unauthenticated
from services.common.mosip_wire.jws import Jws, JwsError, parse_compact, verify
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object
from services.common.tokens import jwk

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFE = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)
MOST_CHARS = 8192
_LIMITS = JsonLimits(max_bytes=4096, max_depth=3, max_nodes=64)


@dataclass(frozen=True)
class Assertion:
    """An assertion as parsed and judged but for its signature."""

    client_id: str
    assertion_id: str
    expires_at: datetime
    jws: Jws = field(repr=False)

    def is_signed_by(self, keys: Mapping[str, str]) -> bool:
        """Tell whether one of a client's keys (JWK by id) made it; the named one, if one is."""
        kid = self.jws.header.get("kid")
        named = [keys[kid]] if isinstance(kid, str) and kid in keys else []
        return any(self._fits(each) for each in (named if kid is not None else keys.values()))

    def _fits(self, document: str) -> bool:
        try:
            verify(self.jws, jwk.from_jwk(json.loads(document)))
        except (JwsError, ValueError):
            return False
        return True


def parse(text: str, audiences: frozenset[str], now: datetime) -> Assertion:
    """Read an assertion and judge its claims.

    Raises:
        Unauthenticated: ASSERTION_MALFORMED, ASSERTION_ALGORITHM_REFUSED,
            ASSERTION_AUDIENCE_REFUSED, ASSERTION_EXPIRED, ASSERTION_TOO_LONG_LIVED.
    """
    if len(text) > MOST_CHARS:
        raise _refused("ASSERTION_MALFORMED")
    try:
        jws = parse_compact(text)
        claims = loads_object(jws.payload or b"", _LIMITS)
    except JwsError as error:
        refused = error.reason == "ALGORITHM_REFUSED"
        raise _refused(f"ASSERTION_{error.reason if refused else 'MALFORMED'}") from None
    except JsonRefusedError:
        raise _refused("ASSERTION_MALFORMED") from None
    client_id, assertion_id = claims.get("sub"), claims.get("jti")
    named = isinstance(client_id, str) and claims.get("iss") == client_id
    if not named or not isinstance(assertion_id, str) or not 1 <= len(assertion_id) <= 128:
        raise _refused("ASSERTION_MALFORMED")
    audience = claims.get("aud")
    offered = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(each, str) and each in audiences for each in offered):
        raise _refused("ASSERTION_AUDIENCE_REFUSED")
    expires_at = _instant(claims.get("exp"))
    if expires_at is None:
        raise _refused("ASSERTION_MALFORMED")
    if expires_at + LEEWAY <= now:
        raise _refused("ASSERTION_EXPIRED")
    if expires_at > now + MAX_LIFE + LEEWAY:
        raise _refused("ASSERTION_TOO_LONG_LIVED")
    return Assertion(str(client_id), assertion_id, expires_at, jws)


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(reason, "The client's assertion is refused.")
