"""Keys and certificates of the platform, a partner and a capture device."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.common.mosip_wire import SigningKey

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Holder:
    key: SigningKey
    certificate: x509.Certificate

    @property
    def rsa_key(self) -> rsa.RSAPrivateKey:
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return self.key


def holder(name: str, key: SigningKey) -> Holder:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=365))
        .sign(key, algorithm)
    )
    return Holder(key, certificate)


def rsa_holder(name: str) -> Holder:
    return holder(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def platform() -> Holder:
    return rsa_holder("IDA PARTNER")


@pytest.fixture(scope="session")
def partner() -> Holder:
    return rsa_holder("partner")


@pytest.fixture(scope="session")
def device() -> Holder:
    return rsa_holder("device")


@pytest.fixture(scope="session")
def holders(partner: Holder) -> dict[str, Holder]:
    """One holder for each algorithm."""
    return {
        "RS256": partner,
        "PS256": partner,
        "ES256": holder("ec", ec.generate_private_key(ec.SECP256R1())),
        "EdDSA": holder("ed", ed25519.Ed25519PrivateKey.generate()),
    }
