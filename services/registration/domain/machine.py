"""Machines, and the tokens by which they prove who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.common.errors import PermissionDenied, Unauthenticated
from services.common.mosip_wire.jws import Jws, JwsError, parse_compact, verify
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object

AUDIENCE = "idmesh/registration"
MAX_LIFE = timedelta(minutes=5)
# Machines are offline for days; their clocks drift.
LEEWAY = timedelta(seconds=30)
MAX_TOKEN_CHARS = 4096
_CLAIM_LIMITS = JsonLimits(max_bytes=2048, max_depth=3, max_nodes=32)


@dataclass(frozen=True)
class Machine:
    """A machine as masterdata knows it.

    operational: the machine and its centre are active. signing_public_key is DER.
    """

    machine_id: str
    centre_id: str
    signing_public_key: bytes = field(repr=False)
    operational: bool


@dataclass(frozen=True)
class MachineToken:
    """A token as parsed: who it says it is from. Nothing is verified yet."""

    machine_id: str
    expires_at: datetime
    not_before: datetime | None
    jws: Jws = field(repr=False)


def parse_token(text: str) -> MachineToken:
    """Read a compact JWS, RS256, with the claims iss, aud and exp, perhaps nbf.

    Raises:
        Unauthenticated: MACHINE_TOKEN_INVALID.
    """
    if len(text) > MAX_TOKEN_CHARS:
        raise token_invalid("it is too long")
    try:
        jws = parse_compact(text)
        claims = loads_object(jws.payload or b"", _CLAIM_LIMITS)
    except (JwsError, JsonRefusedError) as error:
        raise token_invalid("it is no signed JWT") from error
    # One algorithm: a token does not choose how it is verified.
    if jws.algorithm != "RS256" or jws.certificates:
        raise token_invalid("its algorithm is not RS256")
    issuer = claims.get("iss")
    if not (isinstance(issuer, str) and len(issuer) == 5 and issuer.isascii() and issuer.isdigit()):
        raise token_invalid("iss is not a machine id")
    audience = claims.get("aud")
    if audience not in (AUDIENCE, [AUDIENCE]):
        raise token_invalid("aud is not ours")
    expires_at = _instant(claims.get("exp"))
    if expires_at is None:
        raise token_invalid("exp is missing")
    not_before = None
    if "nbf" in claims and (not_before := _instant(claims["nbf"])) is None:
        raise token_invalid("nbf is no time")
    return MachineToken(issuer, expires_at, not_before, jws)


def is_signed_by(token: MachineToken, machine: Machine) -> bool:
    """Tell whether the machine's key made the token's signature."""
    try:
        verify(token.jws, load_der_public_key(machine.signing_public_key))
    except (JwsError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def check_times(token: MachineToken, now: datetime) -> None:
    """Check that the token is of the present.

    Raises:
        Unauthenticated: MACHINE_TOKEN_INVALID; its metadata tells the time, for a machine's
            clock is the usual cause.
    """
    told = {"server_time": now.isoformat(timespec="seconds")}
    if token.expires_at < now - LEEWAY:
        raise token_invalid("it has expired", told)
    if token.expires_at > now + MAX_LIFE + LEEWAY:
        raise token_invalid("it is valid for more than five minutes", told)
    if token.not_before is not None and token.not_before > now + LEEWAY:
        raise token_invalid("it is not valid yet", told)


def check_operational(machine: Machine) -> None:
    """Check that the machine may send.

    Raises:
        PermissionDenied: MACHINE_NOT_OPERATIONAL.
    """
    if not machine.operational:
        raise PermissionDenied(
            "MACHINE_NOT_OPERATIONAL", "The machine or its centre is not active."
        )


def token_invalid(why: str, metadata: dict[str, str] | None = None) -> Unauthenticated:
    """Return the one error of a token that is not accepted."""
    return Unauthenticated(
        "MACHINE_TOKEN_INVALID", f"The machine's token is refused: {why}.", metadata=metadata
    )


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
