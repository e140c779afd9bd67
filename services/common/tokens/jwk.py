"""Public keys as JSON (RFC 7517) and back: RSA, P-256 and Ed25519."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.common.mosip_wire import base64url

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
_COORDINATE_BYTES = 32


def to_jwk(key: PublicKey) -> dict[str, str]:
    """Return the members that make the key; no kid, no alg.

    Raises:
        ValueError: another kind of key, or too weak a one.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_numbers()
        x, y = (each.to_bytes(_COORDINATE_BYTES, "big") for each in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": base64url.encode(x), "y": base64url.encode(y)}
    if isinstance(key, rsa.RSAPublicKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    raise ValueError("a key of RSA >= 2048 bits, P-256 or Ed25519 is needed")


def from_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """Return the key.

    Raises:
        ValueError: it is none of the known kinds, not on its curve, or too weak.
    """
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
            case "EC", "P-256":
                x, y = (int.from_bytes(_bytes(jwk, axis), "big") for axis in "xy")
                return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            case "RSA", _:
                n, e = (int.from_bytes(_bytes(jwk, part), "big") for part in "ne")
                if not LEAST_RSA_BITS <= n.bit_length() <= MOST_RSA_BITS:
                    raise ValueError("RSA of this size is refused")
                return rsa.RSAPublicNumbers(e, n).public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError("the key is not supported") from error
    raise ValueError("the kind of key is not known")


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the key's name that follows from itself (RFC 7638), base64url of SHA-256."""
    members = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
    required = {name: jwk[name] for name in members[jwk["kty"]]}
    text = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return base64url.encode(hashlib.sha256(text.encode()).digest())


def algorithms_of(key: PublicKey) -> tuple[str, ...]:
    """Return the signature algorithms (RFC 7518, 8037) that fit a key."""
    if isinstance(key, rsa.RSAPublicKey):
        return ("RS256", "PS256")
    return ("ES256",) if isinstance(key, ec.EllipticCurvePublicKey) else ("EdDSA",)


def keys_of(document: str | bytes) -> dict[str, PublicKey]:
    """Return the signing keys of a JWK set by kid. What is not known here is left out.

    Raises:
        ValueError: it is no JWK set.
    """
    try:
        listed = json.loads(document)["keys"]
        if not isinstance(listed, list):
            raise ValueError("keys is no array")
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("this is no JWK set") from error
    found: dict[str, PublicKey] = {}
    for jwk in listed:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid:
            continue
        try:
            found[kid] = from_jwk(jwk)
        except ValueError:
            continue
    return found


def read(document: str) -> PublicKey:
    """Return a public key from PEM (SubjectPublicKeyInfo) or a JWK.

    Raises:
        ValueError: it is neither, or a private key, or of no known kind.
    """
    if "-----BEGIN" in document:
        try:
            key = load_pem_public_key(document.encode())
        except UnsupportedAlgorithm as error:
            raise ValueError("the key is not supported") from error
        return from_jwk(to_jwk(key))  # type: ignore[arg-type]  # to_jwk refuses all others
    try:
        jwk = json.loads(document)
    except RecursionError as error:
        raise ValueError("this is no JWK") from error
    if not isinstance(jwk, dict) or "d" in jwk:
        raise ValueError("this is no public JWK")
    return from_jwk(jwk)


def dumps(members: Mapping[str, str]) -> str:
    """Return a JWK as text, always the same for the same key."""
    return json.dumps(members, separators=(",", ":"), sort_keys=True)


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")
    return base64url.decode(value)


def _number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
