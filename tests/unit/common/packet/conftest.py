"""Keys, and where the published sample packet lies."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def sample_packet() -> Path:
    data = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
    folder = data / "mosip" / "packet-sample"
    if not folder.is_dir():
        pytest.skip("MOSIP's sample packet is not here: set IDMESH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def centre_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def machine_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def centre_certificate(centre_key: rsa.RSAPrivateKey) -> x509.Certificate:
    return certificate_for(centre_key)


@pytest.fixture(scope="session")
def certificate_of() -> Callable[[rsa.RSAPrivateKey], x509.Certificate]:
    return certificate_for


def certificate_for(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "10001_10077")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
