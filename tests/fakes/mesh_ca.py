"""A certificate authority for the mesh, in memory, for tests without Vault."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.common.clock import Clock, SystemClock

PEM = serialization.Encoding.PEM


class MeshCa:
    """Signs whatever it is asked to; `sign` fits rpc.ensure_certificate.

    life is that of the next certificate; `refuse` makes the next calls raise it.
    """

    def __init__(self, life: timedelta = timedelta(hours=24), clock: Clock | None = None) -> None:
        self.life = life
        self._clock = clock or SystemClock()
        self.refuse: Exception | None = None
        self.signed = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test mesh")])
        now = self._clock.now()
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(PEM)

    async def sign(self, csr: bytes) -> tuple[bytes, bytes]:
        if self.refuse is not None:
            raise self.refuse
        request = x509.load_pem_x509_csr(csr)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        now = self._clock.now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self._certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + self.life)
            .add_extension(names.value, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        self.signed += 1
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM), self.pem
