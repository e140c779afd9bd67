"""The PKI engine: certificates for requests that services make, revocation, revocation lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from services.common.vault.limits import VaultLimits
from services.common.vault.session import Session
from services.common.vault.transit import split_key
from services.common.vault.types import IssuedCertificate


class PkiCalls:
    """The part of the client that deals with certificates."""

    def __init__(self, session: Session, limits: VaultLimits) -> None:
        self.__session = session
        self.__limits = limits

    async def sign_csr(
        self,
        role: str,
        csr_pem: bytes,
        *,
        common_name: str = "",
        uri_sans: Sequence[str] = (),
        dns_names: Sequence[str] = (),
        ip_sans: Sequence[str] = (),
        ttl_s: int,
    ) -> IssuedCertificate:
        """Return a certificate for a request; the private key stays where it is.

        Args:
            role: mount and role, such as "core/pki/mesh".
            csr_pem: the signed request; the role decides what of it counts.
            common_name: empty where the role requires none.
            uri_sans: SPIFFE ids.
            dns_names: further names.
            ip_sans: further addresses.
            ttl_s: how long it is to be valid, at most what the role allows.
        """
        mount, name = split_key(role)
        body: dict[str, Any] = {"csr": csr_pem.decode("ascii"), "ttl": f"{ttl_s}s"}
        given = {
            "common_name": common_name,
            "uri_sans": ",".join(uri_sans),
            "alt_names": ",".join(dns_names),
            "ip_sans": ",".join(ip_sans),
        }
        body.update({name: value for name, value in given.items() if value})
        answer = await self.__session.call(
            "POST", f"{mount}/sign/{name}", body, timeout_s=self.__limits.rsa_call_s
        )
        data = answer["data"]
        chain = [str(each) for each in data.get("ca_chain") or [data["issuing_ca"]]]
        roots = [each for each in chain if _is_root(each)]
        between = [each for each in chain if each not in roots]
        return IssuedCertificate(
            certificate_pem=_pem([data["certificate"]]),
            chain_pem=_pem([data["certificate"], *between]),
            ca_pem=_pem(roots or [data["issuing_ca"]]),
            serial=str(data["serial_number"]),
            not_after=datetime.fromtimestamp(int(data["expiration"]), UTC),
        )

    async def key_csr(self, key: str, *, version: int) -> bytes:
        """Return a request (PEM), naming nobody, that a version of a transit key has signed.

        For certificates over keys that never leave: give it to sign_csr with a common name.
        """
        mount, name = split_key(key)
        answer = await self.__session.call(
            "POST",
            f"{mount}/keys/{name}/csr",
            {"version": version},
            timeout_s=self.__limits.rsa_call_s,
        )
        return str(answer["data"]["csr"]).encode("ascii")

    async def ca_pem(self, mount: str) -> bytes:
        """Return the mount's chain, its own CA first."""
        # Not cert/ca_chain: that one is refused for a root whose key is kept elsewhere.
        answer = await self.__session.call("GET", f"{mount}/issuer/default/json")
        return _pem([str(each) for each in answer["data"]["ca_chain"]])

    async def revoke(self, mount: str, serial: str) -> None:
        """Revoke a certificate that the mount keeps (a role with no_store does not)."""
        await self.__session.call("POST", f"{mount}/revoke", {"serial_number": serial})

    async def rotate_crl(self, mount: str) -> None:
        """Make the mount's revocation list anew: a revocation alone waits for its next one."""
        await self.__session.call("GET", f"{mount}/crl/rotate", timeout_s=self.__limits.rsa_call_s)

    async def crl_pem(self, mount: str) -> bytes:
        """Return the mount's revocation list."""
        answer = await self.__session.call("GET", f"{mount}/cert/crl")
        return _pem([str(answer["data"]["certificate"])])


def _is_root(pem: str) -> bool:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return certificate.issuer == certificate.subject


def _pem(parts: Sequence[str]) -> bytes:
    return "".join(part.strip() + "\n" for part in parts).encode("ascii")
