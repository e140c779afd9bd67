"""Whether a certificate leads to one that we trust: X.509 paths.

Pure: which certificates are trusted, and as of when, the caller says.
Source: RFC 5280, section 6.1, the parts that MOSIP's partner, device and FTM chains use:
signatures, time, basic constraints, path lengths, key usage, name constraints, unknown critical
extensions.
The verifier of the cryptography library asks for names of servers or clients, which these
certificates do not bear, and refuses Ed25519.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from services.common import name_constraints

MAX_PATH = 6
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        # Said of policies by the issuer; we ask for none.
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)


class CertificateUntrustedError(ValueError):
    """No path, or none to believe. Attributes: reason.

    NOT_VALID_NOW, NO_PATH; a caller that knows of revocations adds REVOKED and REVOCATION_UNKNOWN.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def find_path(
    leaf: x509.Certificate,
    *,
    trusted: Sequence[x509.Certificate],
    offered: Sequence[x509.Certificate] = (),
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """Return the path from leaf to a self-signed trusted certificate, leaf first.

    Args:
        leaf: whose trust is asked for; never an anchor itself.
        trusted: roots, and intermediates that were accepted together with them.
        offered: intermediates that came with the leaf, such as the rest of an x5c.
        at: aware; every certificate of the path must be valid then.

    Raises:
        CertificateUntrustedError: NOT_VALID_NOW for the leaf itself, NO_PATH.
    """
    if not _is_valid(leaf, at):
        raise CertificateUntrustedError("NOT_VALID_NOW")
    if not _is_understood(leaf):
        raise CertificateUntrustedError("NO_PATH")
    path = _extend((leaf,), tuple(trusted), (*trusted, *offered), at)
    if path is None:
        raise CertificateUntrustedError("NO_PATH")
    return path


def _extend(
    path: tuple[x509.Certificate, ...],
    trusted: tuple[x509.Certificate, ...],
    issuers: tuple[x509.Certificate, ...],
    at: datetime,
) -> tuple[x509.Certificate, ...] | None:
    last = path[-1]
    if len(path) > 1 and last.issuer == last.subject and last in trusted:
        return path
    if len(path) == MAX_PATH:
        return None
    for issuer in issuers:
        if issuer in path or issuer.subject != last.issuer:
            continue
        # One that bears its own name does not count: RFC 5280, 6.1.4 (l).
        between = sum(one.issuer != one.subject for one in path[1:])
        may = _may_issue(issuer, below=between) and _is_valid(issuer, at)
        if not may or not _signed(last, issuer) or not name_constraints.permits(issuer, path):
            continue
        found = _extend((*path, issuer), trusted, issuers, at)
        if found is not None:
            return found
    return None


def _is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    """Return whether an authority may stand above that many other authorities."""
    if not _is_understood(issuer):
        return False
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if not constraints.ca:
        return False
    if constraints.path_length is not None and below > constraints.path_length:
        return False
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return usage.key_cert_sign


def _is_understood(certificate: x509.Certificate) -> bool:
    """Return whether every extension that must be understood is."""
    try:
        extensions = list(certificate.extensions)
    except ValueError:
        return False
    return all(one.oid in _UNDERSTOOD for one in extensions if one.critical)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
