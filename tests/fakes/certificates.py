"""Certificate authorities and certificates for tests, in a few milliseconds each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def issue(
    common_name: str,
    *,
    organisation: str = "Test",
    issuer: Issued | None = None,
    ca: bool = False,
    not_before: datetime | None = None,
    valid_days: float = 730,
    curve: ec.EllipticCurve | None = None,
    key: PrivateKey | None = None,
    public_key: Any = None,
    path_length: int | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """Return a certificate, self-signed without an issuer; extensions with whether critical."""
    key = key or ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    start = not_before or datetime.now(UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public_key or key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signer = issuer.key if issuer else key
    return Issued(builder.sign(signer, _digest(signer)), key)


def request(holder: Issued, *, signer: Issued | None = None) -> str:
    """Return a PKCS #10 request, PEM, by a certificate's own key or by another's."""
    key = (signer or holder).key
    builder = x509.CertificateSigningRequestBuilder(holder.certificate.subject)
    return builder.sign(key, _digest(key)).public_bytes(Encoding.PEM).decode()


def crl(
    authority: Issued,
    serials: Sequence[int] = (),
    *,
    number: int = 1,
    at: datetime | None = None,
    valid: timedelta = timedelta(days=1),
    signer: Issued | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.CertificateRevocationList:
    """Return a revocation list of an authority, or one that another signed in its name."""
    now = at or datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(
        authority.certificate.subject, now, now + valid
    ).add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, now).build()
        )
    key = (signer or authority).key
    return builder.sign(key, _digest(key))


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
