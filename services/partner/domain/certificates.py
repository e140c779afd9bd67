"""What a certificate must be before it is trusted.

Source: mosip/keymanager:kernel/kernel-keymanager-service, PartnerCertificateManagerServiceImpl
(rules and KER-PCM codes); unlike there, a chain is checked to its root at every use, and for
revocation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from services.common.certificate_path import CertificateUntrustedError, find_path
from services.common.errors import InvalidArgument
from services.common.revocation import Name, names_of
from services.partner.domain.partner import TrustDomain

LEAST_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
STRONG_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
MALFORMED, DATES, NO_ROOT, NO_PATH = "KER-PCM-001", "KER-PCM-004", "KER-PCM-005", "KER-PCM-006"
VERSION, ORGANISATION, WRONG_DOMAIN = "KER-PCM-007", "KER-PCM-008", "KER-PCM-011"
KEY_SIZE, SIGNATURE = "KER-PCM-013", "KER-PCM-014"

Trusted = Mapping[TrustDomain, Sequence[x509.Certificate]]
IsRevoked = Callable[[Sequence[Name]], bool]


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is its own issuer, by name and signature."""
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def check_authority(
    certificate: x509.Certificate,
    domain: TrustDomain,
    trusted: Trusted,
    now: datetime,
    least_validity: timedelta,
) -> None:
    """Refuse a certificate authority that cannot be trusted.

    Args:
        certificate: the authority.
        domain: where it is to be trusted.
        trusted: what is trusted already, by domain.
        now: aware.
        least_validity: how long it must last from now.

    Raises:
        InvalidArgument: as of check_form; CERTIFICATE_NOT_CA, CERTIFICATE_ENDS_TOO_SOON
            (KER-PCM-004), CERTIFICATE_UNTRUSTED (KER-PCM-005: its root is not among the
            trusted), CERTIFICATE_WRONG_DOMAIN (KER-PCM-011).
    """
    check_form(certificate, now)
    if not is_authority(certificate):
        raise refused("CERTIFICATE_NOT_CA", "Basic constraints do not say CA.")
    if certificate.not_valid_after_utc < now + least_validity:
        raise refused("CERTIFICATE_ENDS_TOO_SOON", "It ends too soon for an authority.", DATES)
    if not is_self_signed(certificate):
        trust_path(certificate, domain, trusted, now, NO_ROOT)


def check_partner(
    certificate: x509.Certificate,
    organisation: str,
    domain: TrustDomain,
    trusted: Trusted,
    now: datetime,
    *,
    least_validity: timedelta = timedelta(0),
) -> tuple[x509.Certificate, ...]:
    """Return the path of a partner's certificate; refuse one that cannot be trusted.

    Raises:
        InvalidArgument: as of check_form; CERTIFICATE_SELF_SIGNED, CERTIFICATE_NOT_LEAF,
            CERTIFICATE_ENDS_TOO_SOON (KER-PCM-004), CERTIFICATE_ORGANISATION (KER-PCM-008),
            CERTIFICATE_UNTRUSTED (KER-PCM-006), CERTIFICATE_WRONG_DOMAIN (KER-PCM-011).
    """
    check_form(certificate, now)
    if is_self_signed(certificate):
        raise refused("CERTIFICATE_SELF_SIGNED", "Self-signed certificates are not taken.")
    if is_authority(certificate):
        raise refused("CERTIFICATE_NOT_LEAF", "A partner signs with no authority's certificate.")
    if certificate.not_valid_after_utc < now + least_validity:
        raise refused("CERTIFICATE_ENDS_TOO_SOON", "It ends too soon.", DATES)
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [name.value for name in names] != [organisation]:
        text = "Its organisation (O) is not the registered one."
        raise refused("CERTIFICATE_ORGANISATION", text, ORGANISATION)
    return trust_path(certificate, domain, trusted, now)


def trust_path(
    certificate: x509.Certificate,
    domain: TrustDomain,
    trusted: Trusted,
    now: datetime,
    code: str = NO_PATH,
) -> tuple[x509.Certificate, ...]:
    """Return the path from a certificate to a root of its domain.

    Raises:
        InvalidArgument: CERTIFICATE_WRONG_DOMAIN, a path leads to a root of another domain;
            CERTIFICATE_UNTRUSTED with the code, there is none at all.
    """
    try:
        return find_path(certificate, trusted=trusted.get(domain, ()), at=now)
    except CertificateUntrustedError:
        pass
    for other, authorities in trusted.items():
        if other is domain:
            continue
        try:
            find_path(certificate, trusted=authorities, at=now)
        except CertificateUntrustedError:
            continue
        text = f"Its root is trusted in the domain {other.name}, not in {domain.name}."
        raise refused("CERTIFICATE_WRONG_DOMAIN", text, WRONG_DOMAIN)
    raise refused("CERTIFICATE_UNTRUSTED", "No path to a trusted root.", code)


def issuer_of(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Return the authority that signed a certificate, whether or not either is still valid."""
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return authority
    return None


def check_not_revoked(path: Sequence[x509.Certificate], is_revoked: IsRevoked) -> None:
    """Refuse a path with a revoked certificate.

    Raises:
        InvalidArgument: CERTIFICATE_REVOKED.
    """
    if is_revoked(names_of(path)):
        raise refused("CERTIFICATE_REVOKED", "It, or an authority above it, is revoked.")


def check_form(certificate: x509.Certificate, now: datetime) -> None:
    """Refuse a certificate for what stands in it alone.

    Raises:
        InvalidArgument: CERTIFICATE_VERSION (KER-PCM-007), CERTIFICATE_NOT_YET_VALID and
            CERTIFICATE_EXPIRED (KER-PCM-004), CERTIFICATE_KEY_WEAK (KER-PCM-013),
            CERTIFICATE_SIGNATURE_WEAK (KER-PCM-014).
    """
    if certificate.version is not x509.Version.v3:
        raise refused("CERTIFICATE_VERSION", "Not X.509 version 3.", VERSION)
    if certificate.not_valid_before_utc > now:
        raise refused("CERTIFICATE_NOT_YET_VALID", "It is not valid yet.", DATES)
    if certificate.not_valid_after_utc < now:
        raise refused("CERTIFICATE_EXPIRED", "It is not valid any more.", DATES)
    key = certificate.public_key()
    strong_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS
    strong_ec = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)
    if not (strong_rsa or strong_ec or isinstance(key, ed25519.Ed25519PublicKey)):
        raise refused("CERTIFICATE_KEY_WEAK", "Its key is too weak.", KEY_SIZE)
    if not has_strong_signature(certificate):
        raise refused("CERTIFICATE_SIGNATURE_WEAK", "Its signature is not SHA-2.", SIGNATURE)


def has_strong_signature(
    signed: x509.Certificate | x509.CertificateRevocationList,
) -> bool:
    """Tell whether a signature is SHA-2 or Ed25519."""
    if signed.signature_algorithm_oid == x509.SignatureAlgorithmOID.ED25519:
        return True
    try:
        return isinstance(signed.signature_hash_algorithm, STRONG_HASHES)
    except UnsupportedAlgorithm:
        return False


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether basic constraints say CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def refused(reason: str, message: str, mosip_code: str = "") -> InvalidArgument:
    """Return the error for a certificate that is not taken."""
    metadata = {"mosip_code": mosip_code} if mosip_code else None
    return InvalidArgument(reason, message, field="certificate_pem", metadata=metadata)
