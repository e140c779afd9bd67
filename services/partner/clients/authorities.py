"""The platform's certificate authorities, in the key service."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.vault import VaultClient
from services.partner.domain.partner import TrustDomain
from services.partner.ports import Reissue

MOUNTS = {
    TrustDomain.AUTH: "core/pki-partner",
    TrustDomain.DEVICE: "core/pki-device",
    TrustDomain.FTM: "core/pki-ftm",
}


class VaultAuthorities:
    """One mount for each domain, with a role that is called as the end of its name."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def reissue(
        self, domain: TrustDomain, csr_pem: bytes, common_name: str, ttl_s: int
    ) -> Reissue:
        """Certify the key of a request; the role decides what the certificate is good for."""
        mount = MOUNTS[domain]
        role = f"{mount}/{mount.rpartition('-')[2]}"
        made = await self._vault.sign_csr(role, csr_pem, common_name=common_name, ttl_s=ttl_s)
        chain = _ders(made.chain_pem + made.ca_pem)
        leaf = x509.load_pem_x509_certificate(made.certificate_pem)
        own = leaf.public_bytes(Encoding.DER)
        return Reissue(
            chain=(own, *(der for der in chain if der != own)),
            serial=f"{leaf.serial_number:x}",
            not_after=leaf.not_valid_after_utc,
        )

    async def chain(self, domain: TrustDomain) -> list[bytes]:
        """Return the authority's own certificates, DER, its root last."""
        return _ders(await self._vault.ca_pem(MOUNTS[domain]))

    async def revoke(self, domain: TrustDomain, serial: str) -> None:
        """Put a certificate on the authority's list; again is no change."""
        digits = serial.zfill(len(serial) + len(serial) % 2)
        pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
        await self._vault.revoke(MOUNTS[domain], ":".join(pairs))
        await self._vault.rotate_crl(MOUNTS[domain])

    async def crl(self, domain: TrustDomain) -> bytes:
        """Return the authority's revocation list, DER."""
        pem = await self._vault.crl_pem(MOUNTS[domain])
        return x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)


def _ders(pem: bytes) -> list[bytes]:
    found = x509.load_pem_x509_certificates(pem)
    return list(dict.fromkeys(one.public_bytes(Encoding.DER) for one in found))
