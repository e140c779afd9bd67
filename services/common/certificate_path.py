"""Whether a certificate leads to one that we trust: X.509 paths without name constraints.

Pure: which certificates are trusted, and as of when, the caller says.
Source: RFC 5280, section 6.1, the parts that MOSIP's partner, device and FTM chains use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

MAX_PATH = 6


class CertificateUntrustedError(ValueError):
    """No path. Attributes: reason: NOT_VALID_NOW or NO_PATH."""

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
        may = _may_issue(issuer, below=len(path) - 1) and _is_valid(issuer, at)
        if not may or not _signed(last, issuer):
            continue
        found = _extend((*path, issuer), trusted, issuers, at)
        if found is not None:
            return found
    return None


def _is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    """Return whether an authority may stand above that many other authorities."""
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


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
