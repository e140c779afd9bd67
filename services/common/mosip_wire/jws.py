"""JWS in compact form, attached and detached, with the certificate in x5c.

No library, because MOSIP's dialect is a narrow one, and because the signer is often elsewhere
(Vault): signing_input and the two assemble functions let any signer in. Whether a certificate is
trusted is not decided here.
Source: RFC 7515, 7518, 8037; mosip/keymanager, SignatureUtil.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from services.common.mosip_wire import base64url
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, dumps, loads_object

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_HEADER_LIMITS = JsonLimits(max_bytes=64 * 1024, max_depth=4, max_nodes=64)
_MAX_CERTIFICATES = 8
# Remembered as parsed: so many, each at most so long in base64.
_MAX_HEADERS = 512
_MAX_REMEMBERED_CHARS = 16 * 1024
_MIN_RSA_BITS = 2048
_COORDINATE_BYTES = 32
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", re.ASCII
)
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256().digest_size)


class JwsError(ValueError):
    """A JWS is refused.

    Attributes:
        reason: MALFORMED, ALGORITHM_REFUSED, CERTIFICATE_MISSING, CERTIFICATE_MALFORMED or
            SIGNATURE_INVALID.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS as parsed; its signature is not verified.

    Attributes:
        protected: the header as transmitted, in base64url.
        header: the header as JSON.
        algorithm: one of ALGORITHMS.
        certificates: x5c as DER, the signer's first; may be empty.
        payload: decoded; None in the detached form.
        payload_b64: the payload as transmitted; empty in the detached form.
        signature: raw.
    """

    protected: str
    header: dict[str, Any]
    algorithm: str
    certificates: tuple[bytes, ...]
    payload: bytes | None = field(repr=False)
    payload_b64: str = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 of the signer's certificate (DER).

        Raises:
            JwsError: CERTIFICATE_MISSING.
        """
        if not self.certificates:
            raise JwsError("CERTIFICATE_MISSING")
        return hashlib.sha256(self.certificates[0]).digest()

    def certificate(self) -> x509.Certificate:
        """Return the signer's certificate.

        Raises:
            JwsError: CERTIFICATE_MISSING or CERTIFICATE_MALFORMED.
        """
        if not self.certificates:
            raise JwsError("CERTIFICATE_MISSING")
        try:
            return x509.load_der_x509_certificate(self.certificates[0])
        except ValueError:
            raise JwsError("CERTIFICATE_MALFORMED") from None


def parse_detached(text: str) -> Jws:
    """Read `header..signature`.

    Raises:
        JwsError: MALFORMED, ALGORITHM_REFUSED, CERTIFICATE_MALFORMED.
    """
    jws = _parse(text)
    if jws.payload_b64:
        raise JwsError("MALFORMED")
    return jws


def parse_compact(text: str) -> Jws:
    """Read `header.payload.signature`, the payload included.

    Raises:
        JwsError: MALFORMED, ALGORITHM_REFUSED, CERTIFICATE_MALFORMED.
    """
    jws = _parse(text)
    if not jws.payload_b64:
        raise JwsError("MALFORMED")
    return jws


def _parse(text: str) -> Jws:
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():
        raise JwsError("MALFORMED")
    protected, payload_b64, signature_b64 = parts
    read = _header if len(protected) <= _MAX_REMEMBERED_CHARS else _header.__wrapped__
    header = read(protected)
    try:
        payload = base64url.decode(payload_b64) if payload_b64 else None
        signature = base64url.decode(signature_b64)
    except ValueError:
        raise JwsError("MALFORMED") from None
    if not signature:
        raise JwsError("MALFORMED")
    return Jws(
        protected,
        dict(header.members),
        header.algorithm,
        header.certificates,
        payload,
        payload_b64,
        signature,
    )


@dataclass(frozen=True, slots=True)
class _Header:
    members: dict[str, Any]
    algorithm: str
    certificates: tuple[bytes, ...]


@lru_cache(maxsize=_MAX_HEADERS)
def _header(protected: str) -> _Header:
    """Read a header; a partner's or device's is the same bytes with every request."""
    try:
        header = loads_object(base64url.decode(protected), _HEADER_LIMITS)
    except (JsonRefusedError, ValueError):
        raise JwsError("MALFORMED") from None
    # crit asks for extensions, b64 for an unencoded payload: neither is MOSIP's.
    if "crit" in header or "b64" in header:
        raise JwsError("MALFORMED")
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise JwsError("ALGORITHM_REFUSED")
    return _Header(header, str(algorithm), _certificates(header.get("x5c")))


def _certificates(x5c: object) -> tuple[bytes, ...]:
    if x5c is None:
        return ()
    if not isinstance(x5c, list) or len(x5c) > _MAX_CERTIFICATES:
        raise JwsError("CERTIFICATE_MALFORMED")
    certificates = []
    for entry in x5c:
        if not isinstance(entry, str):
            raise JwsError("CERTIFICATE_MALFORMED")
        try:
            certificates.append(_certificate_der(entry))
        except ValueError:
            raise JwsError("CERTIFICATE_MALFORMED") from None
    return tuple(certificates)


def _certificate_der(entry: str) -> bytes:
    """Return the DER of an x5c entry: base64 of the DER, or, as some SDKs send, of PEM text."""
    value = base64url.decode(entry, allow_whitespace=True)
    found = _PEM.search(value)
    return base64url.decode(found[1], allow_whitespace=True) if found else value


def verify(jws: Jws, public_key: PublicKeyTypes, payload: bytes | None = None) -> None:
    """Check the signature against a key.

    Args:
        jws: as parsed.
        public_key: the signer's; RSA below 2048 bits is refused.
        payload: the exact bytes that were signed, for the detached form.

    Raises:
        JwsError: ALGORITHM_REFUSED when the key does not fit the algorithm, SIGNATURE_INVALID.
    """
    assert (payload is None) == bool(jws.payload_b64)
    body = jws.payload_b64 if payload is None else base64url.encode(payload)
    signed = f"{jws.protected}.{body}".encode("ascii")
    try:
        _verify_raw(jws.algorithm, public_key, jws.signature, signed)
    except InvalidSignature:
        raise JwsError("SIGNATURE_INVALID") from None


def _verify_raw(algorithm: str, key: PublicKeyTypes, signature: bytes, signed: bytes) -> None:
    if algorithm in ("RS256", "PS256") and isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            raise JwsError("ALGORITHM_REFUSED")
        scheme = _PSS if algorithm == "PS256" else padding.PKCS1v15()
        key.verify(signature, signed, scheme, hashes.SHA256())
    elif (
        algorithm == "ES256"
        and isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
    ):
        if len(signature) != 2 * _COORDINATE_BYTES:
            raise JwsError("SIGNATURE_INVALID")
        r = int.from_bytes(signature[:_COORDINATE_BYTES], "big")
        s = int.from_bytes(signature[_COORDINATE_BYTES:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    elif algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        raise JwsError("ALGORITHM_REFUSED")


def protected_header(
    algorithm: str, certificates: Sequence[x509.Certificate], **extra: str
) -> dict[str, Any]:
    """Return a header with alg, x5c (base64 of DER) and x5t#S256 of the first certificate."""
    ders = [c.public_bytes(serialization.Encoding.DER) for c in certificates]
    header: dict[str, Any] = {"alg": algorithm, **extra}
    if ders:
        header["x5c"] = [base64.b64encode(der).decode("ascii") for der in ders]
        header["x5t#S256"] = base64url.encode(hashlib.sha256(ders[0]).digest())
    return header


def signing_input(header: dict[str, Any], payload: bytes) -> bytes:
    """Return the bytes to sign: ASCII `b64url(header).b64url(payload)`."""
    return f"{base64url.encode(dumps(header))}.{base64url.encode(payload)}".encode("ascii")


def assemble_compact(signed: bytes, signature: bytes) -> str:
    """Return the attached form; signature raw, for ES256 the 64 bytes r and s."""
    return f"{signed.decode('ascii')}.{base64url.encode(signature)}"


def assemble_detached(signed: bytes, signature: bytes) -> str:
    """Return the detached form, `header..signature`."""
    protected = signed.split(b".", 1)[0].decode("ascii")
    return f"{protected}..{base64url.encode(signature)}"


def algorithm_for(key: SigningKey) -> str:
    """Return the algorithm that clients of MOSIP use with such a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def sign_raw(signed: bytes, key: SigningKey, algorithm: str) -> bytes:
    """Sign with a key in hand.

    Raises:
        ValueError: the key does not fit the algorithm.
    """
    if isinstance(key, rsa.RSAPrivateKey) and algorithm in ("RS256", "PS256"):
        scheme = _PSS if algorithm == "PS256" else padding.PKCS1v15()
        return key.sign(signed, scheme, hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    if isinstance(key, ed25519.Ed25519PrivateKey) and algorithm == "EdDSA":
        return key.sign(signed)
    raise ValueError("the key does not fit the algorithm")


def sign_detached(
    payload: bytes,
    key: SigningKey,
    certificates: Sequence[x509.Certificate],
    algorithm: str | None = None,
) -> str:
    """Return the detached JWS over payload, as the `signature` header carries it."""
    algorithm = algorithm or algorithm_for(key)
    signed = signing_input(protected_header(algorithm, certificates), payload)
    return assemble_detached(signed, sign_raw(signed, key, algorithm))


def sign_compact(
    payload: bytes,
    key: SigningKey,
    certificates: Sequence[x509.Certificate],
    algorithm: str | None = None,
) -> str:
    """Return the JWS with payload inside, as devices and key-bound tokens use it."""
    algorithm = algorithm or algorithm_for(key)
    signed = signing_input(protected_header(algorithm, certificates, typ="JWT"), payload)
    return assemble_compact(signed, sign_raw(signed, key, algorithm))
