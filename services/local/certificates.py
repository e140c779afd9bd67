"""The certificates that the supervisor keeps: the edge's and the operator's at the keyboard.

A pair lies in NAME/SERIAL/ and the link NAME/current is switched by rename, so that a reader
never sees one half new and the other old. Services sign their own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.local.folder import DataFolder, write_private
from vault.bootstrap.minting import Minter, mesh_ca

KEPT_SERIALS = 2


@dataclass(frozen=True)
class Identity:
    """Whom a certificate is for."""

    name: str
    trust_domain: str = "idmesh.local"
    dns: Sequence[str] = ()
    ip: Sequence[str] = ()

    @property
    def spiffe_id(self) -> str:
        """The URI that other parts of the mesh check."""
        return f"spiffe://{self.trust_domain}/{self.name}"


EDGE = Identity("envoy", dns=("localhost", "envoy.idmesh"), ip=("127.0.0.1",))
OPERATOR = Identity("operator-cli", dns=("operator-cli.idmesh",))


def write_ca(folder: DataFolder, address: str) -> None:
    """Keep the mesh's root certificate beside the others."""
    pem = mesh_ca(address)
    path = folder.tls / "ca.pem"
    if not path.exists() or path.read_text() != pem:
        write_private(path, pem)


def renew(
    folder: DataFolder, minter: Minter, identity: Identity, *, now: datetime | None = None
) -> bool:
    """Sign a new certificate if the present one is past half its life. True when it did."""
    home = folder.tls / identity.name
    if not is_past_half_life(home / "current" / "chain.pem", now or datetime.now(UTC)):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
    )
    signed = minter.sign(
        identity.name,
        request.public_bytes(serialization.Encoding.PEM).decode(),
        uri=identity.spiffe_id,
        dns=identity.dns,
        ip=identity.ip,
    )
    place = home / signed.serial
    place.mkdir(parents=True, mode=0o700)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(place / "key.pem", key_pem)
    write_private(place / "chain.pem", signed.chain_pem)
    write_private(place / "ca.pem", (folder.tls / "ca.pem").read_text())
    _switch(home, signed.serial)
    return True


def is_past_half_life(chain: Path, now: datetime) -> bool:
    """Whether a certificate is missing, unreadable, or older than half of its life."""
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    except (OSError, ValueError):
        return True
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begin <= now < begin + (end - begin) / 2


def _switch(home: Path, serial: str) -> None:
    link = home / "next"
    link.unlink(missing_ok=True)
    link.symlink_to(serial)
    os.replace(link, home / "current")
    serials = [path for path in home.iterdir() if path.is_dir() and not path.is_symlink()]
    serials.sort(key=lambda path: path.stat().st_mtime)
    for old in serials[:-KEPT_SERIALS]:
        shutil.rmtree(old)
