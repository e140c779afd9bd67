"""A service's certificate: made, stored, renewed and read.

The layout is FOLDER/NAME/SERIAL/{key,chain,ca}.pem with the link FOLDER/NAME/current, which
is switched by rename: whoever reads through it sees a key and its own chain. The private key
is made here and never leaves the folder.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.common import telemetry
from services.common.clock import Clock, SystemClock
from services.common.config import TlsConfig
from services.common.errors import Internal, Unauthenticated

Sign: TypeAlias = Callable[[bytes], Awaitable[tuple[bytes, bytes]]]
"""Takes a CSR, gives the chain (leaf first) and the CA certificates; all PEM."""

CURRENT = "current"
# Machines disagree a little about the time.
CLOCK_SKEW = timedelta(minutes=1)
LONGEST_SLEEP_S = 60.0
RETRY_S = (2.0, 5.0, 15.0, 30.0)

_log = telemetry.get_logger("rpc.certificates")


@dataclass(frozen=True)
class Certificate:
    """A stored certificate; the instants are in UTC."""

    serial: str
    not_before: datetime
    not_after: datetime
    spiffe_id: str

    def half_life(self) -> datetime:
        """Return when to renew it."""
        return self.not_before + (self.not_after - self.not_before) / 2

    def life_s(self) -> float:
        """Return how long it lasts from beginning to end, in seconds."""
        return (self.not_after - self.not_before).total_seconds()


@dataclass(frozen=True)
class Pem:
    """What a handshake needs, and a fingerprint that changes when any of it does."""

    key: bytes
    chain: bytes
    ca: bytes
    fingerprint: tuple[str, int]


def fingerprint(tls: TlsConfig, name: str) -> tuple[str, int]:
    """Return what changes when the certificate or the CA file does.

    Raises:
        OSError: there is no certificate.
    """
    link = os.readlink(Path(tls.folder) / name / CURRENT)
    return link, os.stat(_ca_path(tls, name)).st_mtime_ns


def read(tls: TlsConfig, name: str) -> Pem:
    """Return the current key, chain and CA certificates of one and the same moment.

    Raises:
        OSError: there is no certificate.
    """
    seen = fingerprint(tls, name)
    folder = Path(tls.folder) / name / seen[0]
    ca = Path(tls.ca_file) if tls.ca_file else folder / "ca.pem"
    return Pem(
        (folder / "key.pem").read_bytes(),
        (folder / "chain.pem").read_bytes(),
        ca.read_bytes(),
        seen,
    )


def stored(folder: Path | str, name: str) -> Certificate | None:
    """Return the current certificate, None when there is none that can be read."""
    current = Path(folder) / name / CURRENT
    try:
        leaf = x509.load_pem_x509_certificate((current / "chain.pem").read_bytes())
        serialization.load_pem_private_key((current / "key.pem").read_bytes(), None)
    except (OSError, ValueError):
        return None
    return _certificate(leaf)


async def ensure_certificate(
    folder: Path | str,
    name: str,
    sign: Sign,
    *,
    trust_domain: str = "idmesh.local",
    clock: Clock | None = None,
) -> Certificate:
    """Return the current certificate, a new one if it is past its half life or not this service's.

    A machine that was off until every certificate had expired starts again by this.

    Raises:
        Internal: CERTIFICATE_UNUSABLE, what was signed is not what was asked for.
        PlatformError: whatever sign raises.
    """
    now = (clock or SystemClock()).now()
    present = await asyncio.to_thread(stored, folder, name)
    wanted = spiffe_id(trust_domain, name)
    if present is not None and present.spiffe_id == wanted and now < present.half_life():
        return present
    key = ec.generate_private_key(ec.SECP256R1())
    chain, ca = await sign(_signing_request(key, name, wanted))
    leaf = _checked(key, chain, ca, wanted, now)
    await asyncio.to_thread(_store, Path(folder) / name, key, chain, ca, f"{leaf.serial_number:x}")
    made = _certificate(leaf)
    _log.info("certificate_stored", service=name, serial=made.serial, not_after=made.not_after)
    return made


async def renew_forever(
    folder: Path | str,
    name: str,
    sign: Sign,
    *,
    trust_domain: str = "idmesh.local",
    clock: Clock | None = None,
) -> None:
    """Renew the certificate at half life, for ever; a refused login ends it by raising.

    Servers and channels notice by themselves. While the signer is away it is asked again and
    again: half a life is left to get through.
    """
    clock = clock or SystemClock()
    failures = 0
    while True:
        try:
            present = await ensure_certificate(
                folder, name, sign, trust_domain=trust_domain, clock=clock
            )
            failures = 0
            wait = _until_due_s(present, clock)
        except Unauthenticated:
            raise
        except Exception as error:
            wait = RETRY_S[min(failures, len(RETRY_S) - 1)]
            failures += 1
            _log.error("certificate_not_renewed", service=name, failures=failures, exc_info=error)
        # In short sleeps by the wall clock: a suspended laptop wakes up late.
        await asyncio.sleep(min(wait, LONGEST_SLEEP_S))


def spiffe_id(trust_domain: str, name: str) -> str:
    """Return the SPIFFE id of a service."""
    return f"spiffe://{trust_domain}/{name}"


def dns_name(name: str) -> str:
    """Return the name by which channels know a service's certificate."""
    return f"{name}.idmesh"


def _ca_path(tls: TlsConfig, name: str) -> Path:
    return Path(tls.ca_file) if tls.ca_file else Path(tls.folder) / name / CURRENT / "ca.pem"


def _until_due_s(present: Certificate, clock: Clock) -> float:
    left = (present.half_life() - clock.now()).total_seconds()
    # Not all services of a process at the same moment.
    return max(0.1, left + random.uniform(0.0, 0.02) * present.life_s())  # noqa: S311


def _signing_request(key: ec.EllipticCurvePrivateKey, name: str, spiffe: str) -> bytes:
    names = [x509.UniformResourceIdentifier(spiffe), x509.DNSName(dns_name(name))]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM)


def _certificate(leaf: x509.Certificate) -> Certificate:
    return Certificate(
        f"{leaf.serial_number:x}",
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        _only_spiffe_id(leaf),
    )


def _only_spiffe_id(leaf: x509.Certificate) -> str:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    found = names.get_values_for_type(x509.UniformResourceIdentifier)
    return found[0] if len(found) == 1 else ""


def _checked(
    key: ec.EllipticCurvePrivateKey, chain: bytes, ca: bytes, spiffe: str, now: datetime
) -> x509.Certificate:
    """Return the leaf if it is for this key and name, valid now and issued under ca."""
    try:
        certificates = x509.load_pem_x509_certificates(chain)
        roots = x509.load_pem_x509_certificates(ca)
        issued = _issued_under(certificates, roots)
    except ValueError:
        raise _unusable("it is no certificate") from None
    leaf = certificates[0]
    if leaf.public_key() != key.public_key():
        raise _unusable("it is for another key")
    if _only_spiffe_id(leaf) != spiffe:
        raise _unusable("it names another service")
    if not leaf.not_valid_before_utc - CLOCK_SKEW <= now < leaf.not_valid_after_utc:
        raise _unusable("it is not valid now")
    if not issued:
        raise _unusable("it does not lead to the CA")
    return leaf


def _issued_under(chain: list[x509.Certificate], roots: list[x509.Certificate]) -> bool:
    present = chain[0]
    for _ in range(len(chain) + 1):
        if any(_issued(present, root) for root in roots):
            return True
        above = next((c for c in chain[1:] if c != present and _issued(present, c)), None)
        if above is None:
            return False
        present = above
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _unusable(why: str) -> Internal:
    return Internal("CERTIFICATE_UNUSABLE", f"The certificate signed is refused: {why}.")


def _store(
    folder: Path, key: ec.EllipticCurvePrivateKey, chain: bytes, ca: bytes, serial: str
) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for name, content, mode in (
        ("key.pem", private, 0o600),
        ("chain.pem", chain, 0o644),
        ("ca.pem", ca, 0o644),
    ):
        _write_durably(fresh / name, content, mode)
    _sync_folder(fresh)
    fresh.rename(folder / serial)
    link = folder / f".{CURRENT}-{serial}"
    link.unlink(missing_ok=True)
    link.symlink_to(serial)
    previous = os.readlink(folder / CURRENT) if (folder / CURRENT).is_symlink() else ""
    link.replace(folder / CURRENT)
    _sync_folder(folder)
    # The previous one stays: somebody may have read the link and not yet the files.
    for old in folder.iterdir():
        if not old.is_symlink() and old.is_dir() and old.name not in (serial, previous):
            shutil.rmtree(old, ignore_errors=True)


def _write_durably(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
