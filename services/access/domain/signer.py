"""Signers: keys that live in one process for an hour, and the statement that makes them good.

A statement is a compact JWS by the certifying key in Vault over the signer's public key and its
times. Whoever can write our tables but cannot use that key makes no signer that is published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.access.domain.token import jws_input
from services.common.mosip_wire.jws import JwsError, parse_compact, sign_raw, verify
from services.common.mosip_wire.strict_json import JsonRefusedError, loads_object
from services.common.tokens import jwk

CERTIFIER = "token-signer"
_TYPE = "idmesh-signer+jwt"


@dataclass(frozen=True)
class SignerRules:
    """Times in seconds.

    overlap_s: between publishing a key and its first signature; longer than verifiers keep a JWK
    set. life_s: for how long a key signs. token_ttl_s: of what it signs.
    """

    overlap_s: float = 90.0
    life_s: float = 3600.0
    token_ttl_s: int = 900
    leeway_s: float = 60.0


@dataclass(frozen=True)
class PublishedSigner:
    """A signer as everybody may know it; certified_by is the certifying key's version."""

    kid: str
    key: ec.EllipticCurvePublicKey
    certified_by: int
    usable_from: datetime
    signs_until: datetime
    verifies_until: datetime


@dataclass(frozen=True)
class SignerRow:
    """A signer as it is stored: nothing of it counts but the statement, if that is good."""

    kid: str
    statement: str
    certified_by: int
    usable_from: datetime
    signs_until: datetime
    verifies_until: datetime


@dataclass(frozen=True)
class LocalSigner:
    """A private key in memory, and what is published of it."""

    published: PublishedSigner
    _private: ec.EllipticCurvePrivateKey

    def can_sign(self, now: datetime) -> bool:
        """Tell whether verifiers know it by now, and it has not ended."""
        return self.published.usable_from <= now < self.published.signs_until

    def is_due(self, now: datetime) -> bool:
        """Tell whether its successor is to be made: half of its life is left for that."""
        half = (self.published.signs_until - self.published.usable_from) / 2
        return now >= self.published.usable_from + half

    def sign(self, signed: bytes) -> bytes:
        """Return the ES256 signature, r || s."""
        return sign_raw(signed, self._private, "ES256")


def make(now: datetime, version: int, rules: SignerRules) -> LocalSigner:
    """Return a new signer, to be certified by a version of the certifying key."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    usable_from = now + timedelta(seconds=rules.overlap_s)
    signs_until = usable_from + timedelta(seconds=rules.life_s)
    verifies_until = signs_until + timedelta(seconds=rules.token_ttl_s + rules.leeway_s)
    times = (_whole(usable_from), _whole(signs_until), _whole(verifies_until))
    kid = jwk.thumbprint(jwk.to_jwk(public))
    return LocalSigner(PublishedSigner(kid, public, version, *times), private)


def statement_input(signer: PublishedSigner) -> bytes:
    """Return what the certifying key signs."""
    header = {"alg": "ES256", "kid": certifier_kid(signer.certified_by), "typ": _TYPE}
    payload = {
        "sub": signer.kid,
        "jwk": jwk.to_jwk(signer.key),
        "nbf": int(signer.usable_from.timestamp()),
        "signs_until": int(signer.signs_until.timestamp()),
        "exp": int(signer.verifies_until.timestamp()),
    }
    return jws_input(header, payload)


def certified(statement: str, certifiers: Mapping[int, bytes]) -> PublishedSigner:
    """Return the signer that a statement certifies.

    Args:
        certifiers: the certifying key's public halves, PEM by version.

    Raises:
        ValueError: it is no statement of a version that is there.
    """
    try:
        jws = parse_compact(statement)
        payload = loads_object(jws.payload or b"")
        version = int(str(jws.header.get("kid", "")).removeprefix(f"{CERTIFIER}:"))
        if jws.algorithm != "ES256" or jws.header.get("typ") != _TYPE:
            raise ValueError("this is no signer's statement")
        verify(jws, p256(certifiers[version]))
        key = jwk.from_jwk(payload["jwk"])
        times = [datetime.fromtimestamp(payload[name], UTC) for name in _TIMES]
    except (JwsError, JsonRefusedError, KeyError, TypeError) as error:
        raise ValueError("the statement is not good") from error
    kid = jwk.thumbprint(jwk.to_jwk(key))
    if payload.get("sub") != kid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the statement is for another key")
    return PublishedSigner(kid, key, version, times[0], times[1], times[2])


_TIMES = ("nbf", "signs_until", "exp")


def certifier_kid(version: int) -> str:
    """Return the name of a version of the certifying key in tokens and key sets."""
    return f"{CERTIFIER}:{version}"


def p256(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return a public key on P-256.

    Raises:
        ValueError: it is another key.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key is not on P-256")
    return key


def jwk_set(keys: Iterable[tuple[str, ec.EllipticCurvePublicKey]]) -> str:
    """Return a JWK set (RFC 7517) of keys on P-256 by kid."""
    listed = [
        {**jwk.to_jwk(key), "use": "sig", "alg": "ES256", "kid": kid}
        for kid, key in sorted(keys, key=_first)
    ]
    return json.dumps({"keys": listed}, separators=(",", ":"))


def _first(pair: tuple[str, ec.EllipticCurvePublicKey]) -> str:
    return pair[0]


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
