"""Packet keys in Vault: made and certified there, opened by processing alone."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.errors import NotFound
from services.common.vault import VaultClient
from services.masterdata.ports import PacketKeys

_ROLE = "core/pki-machine/packet"


class VaultPacketKeys(PacketKeys):
    """The port on Vault's transit and PKI engines."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def create(self, key_name: str, key_type: str) -> None:
        """Make the key; one that exists stays as it is."""
        try:
            await self._vault.public_keys(key_name)
        except NotFound:
            # Vault refuses a key of another type than one that exists, so it is looked for first.
            await self._vault.create_key(key_name, key_type)

    async def latest_version(self, key_name: str) -> int:
        """Return the version to seal for now."""
        return (await self._vault.public_keys(key_name)).latest

    async def certify(self, key_name: str, version: int, common_name: str, ttl_s: int) -> bytes:
        """Return a DER certificate of the machine authority over one version of a key."""
        request = await self._vault.key_csr(key_name, version=version)
        issued = await self._vault.sign_csr(_ROLE, request, common_name=common_name, ttl_s=ttl_s)
        certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
        return certificate.public_bytes(Encoding.DER)
