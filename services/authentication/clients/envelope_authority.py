"""Certificates over transit keys: the key signs a request, the authority of answers signs it."""

from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.authentication.ports import EnvelopeAuthority, MadeCertificate
from services.common.mosip_wire.sealed import thumbprint_of
from services.common.vault.types import IssuedCertificate, PublicKeys

ROLE = "ida/pki-response/envelope"


class PkiVault(Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str) -> PublicKeys:
        """Return a key's versions."""
        ...

    async def key_csr(self, key: str, *, version: int) -> bytes:
        """Return a certificate request that a transit key signed, PEM."""
        ...

    async def sign_csr(
        self, role: str, csr_pem: bytes, *, common_name: str = "", ttl_s: int
    ) -> IssuedCertificate:
        """Return a certificate."""
        ...


class VaultEnvelopeAuthority(EnvelopeAuthority):
    """The private key never leaves Vault."""

    def __init__(self, vault: PkiVault, ttl_s: int) -> None:
        self._vault = vault
        self._ttl_s = ttl_s

    async def latest_version(self, key: str) -> int:
        """Return the newest version of a transit key."""
        return (await self._vault.public_keys(key)).latest

    async def certify(self, key: str, version: int, common_name: str) -> MadeCertificate:
        """Return a new certificate over a transit key's version."""
        csr = await self._vault.key_csr(key, version=version)
        issued = await self._vault.sign_csr(ROLE, csr, common_name=common_name, ttl_s=self._ttl_s)
        certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
        return MadeCertificate(
            der=certificate.public_bytes(Encoding.DER),
            thumbprint=thumbprint_of(certificate),
            not_after=certificate.not_valid_after_utc,
        )
