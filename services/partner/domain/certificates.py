"""What a certificate must be before it is trusted.

Source: mosip/keymanager:kernel/kernel-keymanager-service, PartnerCertificateManagerServiceImpl
(rules and KER-PCM codes); unlike there, a chain is checked to its root at every use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from services.common.certificate_path import CertificateUntrustedError, find_path
from services.common.errors import InvalidArgument

LEAST_RSA_BITS = 2048
WEAK_HASHES = (hashes.MD5, hashes.SHA1)


def parse_pem(text: str) -> x509.Certificate:
    """Return the one certificate in a PEM text.

    Raises:
        InvalidArgument: CERTIFICATE_MALFORMED.
    """
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise _refused("CERTIFICATE_MALFORMED", "Not a PEM certificate.") from error
    if len(found) != 1:
        raise _refused("CERTIFICATE_MALFORMED", "Exactly one certificate is expected.")
    return found[0]


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is its own issuer, by name and signature."""
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def check_authority(
    certificate: x509.Certificate,
    trusted: Sequence[x509.Certificate],
    now: datetime,
    least_validity: timedelta,
) -> None:
    """Refuse a certificate authority that cannot be trusted.

    Raises:
        InvalidArgument: CERTIFICATE_NOT_CA, CERTIFICATE_EXPIRED, CERTIFICATE_KEY_WEAK,
            CERTIFICATE_UNTRUSTED (KER-PCM-005: its root is not among the trusted).
    """
    _check_form(certificate, now)
    if not _is_authority(certificate):
        raise _refused("CERTIFICATE_NOT_CA", "Basic constraints do not say CA.")
    if certificate.not_valid_after_utc < now + least_validity:
        raise _refused("CERTIFICATE_EXPIRED", "It ends too soon for an authority.")
    if not is_self_signed(certificate) and not chains_to(certificate, trusted, now):
        raise _refused("CERTIFICATE_UNTRUSTED", "No path to a trusted root.", "KER-PCM-005")


def check_partner(
    certificate: x509.Certificate,
    organisation: str,
    trusted: Sequence[x509.Certificate],
    now: datetime,
) -> None:
    """Refuse a partner's certificate that cannot be trusted.

    Raises:
        InvalidArgument: CERTIFICATE_SELF_SIGNED, CERTIFICATE_EXPIRED, CERTIFICATE_KEY_WEAK,
            CERTIFICATE_ORGANISATION (KER-PCM-008), CERTIFICATE_UNTRUSTED (KER-PCM-006).
    """
    _check_form(certificate, now)
    if is_self_signed(certificate):
        raise _refused("CERTIFICATE_SELF_SIGNED", "Self-signed certificates are not taken.")
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [name.value for name in names] != [organisation]:
        text = "Its organisation (O) is not the registered one."
        raise _refused("CERTIFICATE_ORGANISATION", text, "KER-PCM-008")
    if not chains_to(certificate, trusted, now):
        raise _refused("CERTIFICATE_UNTRUSTED", "No path to a trusted root.", "KER-PCM-006")


def chains_to(
    certificate: x509.Certificate, trusted: Sequence[x509.Certificate], now: datetime
) -> bool:
    """Tell whether trusted authorities lead from a certificate to a self-signed root."""
    try:
        find_path(certificate, trusted=trusted, at=now)
    except CertificateUntrustedError:
        return False
    return True


def _check_form(certificate: x509.Certificate, now: datetime) -> None:
    if certificate.version is not x509.Version.v3:
        raise _refused("CERTIFICATE_MALFORMED", "Not X.509 version 3.")
    if not _in_time(certificate, now):
        raise _refused("CERTIFICATE_EXPIRED", "It is not valid at present.")
    if isinstance(certificate.signature_hash_algorithm, WEAK_HASHES):
        raise _refused("CERTIFICATE_KEY_WEAK", "Its signature is not SHA-2.")
    key = certificate.public_key()
    strong_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS
    strong_ec = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256
    if not (strong_rsa or strong_ec or isinstance(key, ed25519.Ed25519PublicKey)):
        raise _refused("CERTIFICATE_KEY_WEAK", "Its key is too weak.")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _in_time(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _refused(reason: str, message: str, mosip_code: str = "") -> InvalidArgument:
    metadata = {"mosip_code": mosip_code} if mosip_code else None
    return InvalidArgument(reason, message, field="certificate_pem", metadata=metadata)
