"""Certificate authorities and key pairs of the sandbox's outside parties."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)
from cryptography.x509.oid import NameOID

RSA_BITS = 2048
VALID = timedelta(days=3 * 365)


@dataclass(frozen=True)
class KeyPair:
    """A private key, its certificate, and the certificates above it, nearest first."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def pkcs12(self, name: str, password: str) -> bytes:
        """Return key and certificates as clients of MOSIP keep them."""
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            self.key,
            self.certificate,
            self.chain,
            BestAvailableEncryption(password.encode()),
        )


def make_authority(name: str) -> KeyPair:
    """Return a self-signed certificate authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    subject = _name(name, "idmesh sandbox")
    builder = _builder(subject, subject, key, ca=True)
    return KeyPair(key, builder.sign(key, hashes.SHA256()))


def make_key_pair(common_name: str, organisation: str, authority: KeyPair) -> KeyPair:
    """Return a key pair certified by an authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    subject = _name(common_name, organisation)
    builder = _builder(subject, authority.certificate.subject, key, ca=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    return KeyPair(key, certificate, (authority.certificate, *authority.chain))


def _name(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, *, ca: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
