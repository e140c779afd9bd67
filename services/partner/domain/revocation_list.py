"""What other authorities say of revocations: their lists (RFC 5280) and responders (RFC 6960)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from services.common.errors import InvalidArgument
from services.common.revocation import serial_bytes
from services.partner.domain.certificates import STRONG_HASHES, has_strong_signature

# Clocks of others may be ahead of ours by so much.
SKEW = timedelta(minutes=5)
# An answer that does not say when the next comes is believed for so long.
UNDATED_ANSWER = timedelta(hours=12)
REASON = "REVOCATION_LIST_"


@dataclass(frozen=True)
class RevocationList:
    """A list that an authority of ours has signed."""

    issuer: x509.Certificate
    this_update: datetime
    next_update: datetime
    serials: frozenset[bytes] = field(repr=False)


@dataclass(frozen=True)
class Status:
    """What a responder says of one certificate."""

    revoked: bool
    this_update: datetime
    next_update: datetime


def read_list(data: bytes, trusted: Sequence[x509.Certificate], now: datetime) -> RevocationList:
    """Return a revocation list, DER or PEM, that an authority has signed.

    Raises:
        InvalidArgument: REVOCATION_LIST_MALFORMED, _UNTRUSTED, _WEAK, _KIND, _EXPIRED,
            _NOT_YET_VALID.
    """
    try:
        load = x509.load_pem_x509_crl if data.lstrip().startswith(b"-----") else _load_der
        crl = load(data)
        extensions = list(crl.extensions)
    except ValueError as error:
        raise _refused("MALFORMED", "Not an X.509 revocation list.") from error
    issuer = next((one for one in trusted if _has_signed(one, crl)), None)
    if issuer is None:
        raise _refused("UNTRUSTED", "No authority of the domain has signed it.")
    if not has_strong_signature(crl):
        raise _refused("WEAK", "Its signature is not SHA-2.")
    # A delta, or one for some reasons or by another than the issuer, says so critically.
    if any(extension.critical for extension in extensions):
        raise _refused("KIND", "Only whole lists are taken.")
    this, following = crl.last_update_utc, crl.next_update_utc
    if this > now + SKEW:
        raise _refused("NOT_YET_VALID", "It was made in the future.")
    if following is None or following <= now:
        raise _refused("EXPIRED", "A newer list should be there by now.")
    serials = frozenset(serial_bytes(one.serial_number) for one in crl)
    return RevocationList(issuer, this, following, serials)


def list_urls(certificate: x509.Certificate) -> list[str]:
    """Return where a certificate says that its issuer's list is."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    names = [name for point in points for name in point.full_name or ()]
    return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]


def responder_urls(certificate: x509.Certificate) -> list[str]:
    """Return where a certificate says that its issuer's responder is."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [
        one.access_location.value
        for one in found.value
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]


def question(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """Return the request for the status of a certificate, DER."""
    # The hash names the issuer and protects nothing; every responder knows this one (RFC 5019).
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def read_answer(
    data: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    nonce: bytes,
    now: datetime,
) -> Status:
    """Return what a responder says.

    Raises:
        InvalidArgument: ANSWER_MALFORMED, ANSWER_REFUSED by the responder,
            ANSWER_OF_ANOTHER_CERTIFICATE, ANSWER_REPLAYED, ANSWER_UNTRUSTED, ANSWER_EXPIRED,
            ANSWER_UNKNOWN: the responder does not know the certificate.
    """
    try:
        answer = ocsp.load_der_ocsp_response(data)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise _answer("REFUSED")
        asked = ocsp.load_der_ocsp_request(question(certificate, issuer, nonce))
        same = (answer.serial_number, answer.issuer_key_hash, answer.issuer_name_hash) == (
            (asked.serial_number, asked.issuer_key_hash, asked.issuer_name_hash)
        )
        _check_nonce(answer, nonce)
    except ValueError as error:
        raise _answer("MALFORMED") from error
    if not same:
        raise _answer("OF_ANOTHER_CERTIFICATE")
    if not _is_trusted(answer, issuer, now):
        raise _answer("UNTRUSTED")
    this = answer.this_update_utc
    following = answer.next_update_utc or this + UNDATED_ANSWER
    if this > now + SKEW or following <= now:
        raise _answer("EXPIRED")
    if answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise _answer("UNKNOWN")
    revoked = answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    return Status(revoked, this, following)


def _check_nonce(answer: ocsp.OCSPResponse, nonce: bytes) -> None:
    """Refuse an answer to another question; responders that prepare theirs send none back."""
    try:
        echoed = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return
    if echoed != nonce:
        raise _answer("REPLAYED")


def _is_trusted(answer: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether the issuer has signed an answer, or one whom it lets answer."""
    if answer.signature_algorithm_oid != x509.SignatureAlgorithmOID.ED25519 and not isinstance(
        answer.signature_hash_algorithm, STRONG_HASHES
    ):
        return False
    signers = [issuer, *(one for one in answer.certificates if _may_answer(one, issuer, now))]
    return any(_verifies(one, answer) for one in signers)


def _may_answer(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage and in_time


def _verifies(signer: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    key, digest = signer.public_key(), answer.signature_hash_algorithm
    signature, signed = answer.signature, answer.tbs_response_bytes
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, signed, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _has_signed(authority: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    if authority.subject != crl.issuer:
        return False
    try:
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
        may = usage.crl_sign
    except x509.ExtensionNotFound:
        may = True
    key = authority.public_key()
    if not may or not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    ):
        return False
    try:
        return crl.is_signature_valid(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _load_der(data: bytes) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(data)


def _refused(what: str, message: str) -> InvalidArgument:
    return InvalidArgument(REASON + what, message, field="revocation_list")


def _answer(what: str) -> InvalidArgument:
    return InvalidArgument(f"ANSWER_{what}", "The responder's answer is not believed.")
