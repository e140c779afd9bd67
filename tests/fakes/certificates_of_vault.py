"""The certificate authorities of the key service in memory."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = timedelta(days=1)


class Authority:
    """One mount's root; it issues whatever it is asked for."""

    def __init__(self, mount: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"fake {mount}")
        self.revoked: set[int] = set()
        now = datetime.now(UTC)
        root = (
            _builder(self._name, self._name, self._key.public_key(), now + 365 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = root.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        public_key: Any,
        *,
        common_name: str,
        uri_sans: Sequence[str],
        dns_names: Sequence[str],
        ip_sans: Sequence[str],
        not_after: datetime,
    ) -> x509.Certificate:
        """Return a certificate over a public key."""
        names: list[x509.GeneralName] = [
            *map(x509.UniformResourceIdentifier, uri_sans),
            *map(x509.DNSName, dns_names),
            *(x509.IPAddress(ipaddress.ip_address(each)) for each in ip_sans),
        ]
        builder = _builder(_name(common_name), self._name, public_key, not_after)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def crl_pem(self) -> bytes:
        """Return the list of what was revoked."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, now, now + _DAY)
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(serial, now).build()
            )
        crl = builder.sign(self._key, hashes.SHA256())
        return crl.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, not_after: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=datetime.now(UTC) - timedelta(minutes=1),
        not_valid_after=not_after,
    )
