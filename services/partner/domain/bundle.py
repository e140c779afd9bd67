"""Certificates as partners send and receive them: PEM, and PKCS #7 that holds certificates only."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from services.common.errors import InvalidArgument

MAX_CERTIFICATES = 16
_PKCS7 = "-----BEGIN PKCS7-----"


def parse(text: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM or p7b text, in its order, each once.

    Raises:
        InvalidArgument: CERTIFICATE_MALFORMED (KER-PCM-001), also for none or too many.
    """
    try:
        if _PKCS7 in text:
            found = pkcs7.load_pem_pkcs7_certificates(text.encode())
        else:
            found = x509.load_pem_x509_certificates(text.encode())
        for one in found:
            # Read now what would fail later: keys and extensions are parsed on demand.
            one.public_key()
            _ = one.extensions
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise _malformed("It is neither PEM nor PKCS #7 in PEM.") from error
    once = list(dict.fromkeys(found))
    if not 0 < len(once) <= MAX_CERTIFICATES:
        raise _malformed(f"Between one and {MAX_CERTIFICATES} certificates are expected.")
    return once


def parse_request(text: str, certificate: x509.Certificate) -> bytes:
    """Return a PKCS #10 request, PEM, that proves who holds a certificate's key.

    Raises:
        InvalidArgument: CSR_MALFORMED; CSR_OF_ANOTHER_KEY, also when its signature is wrong.
    """
    try:
        request = x509.load_pem_x509_csr(text.encode())
        own = _public_der(request)
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidArgument("CSR_MALFORMED", "Not a PEM request.", field="csr_pem") from error
    if not signed or own != _public_der(certificate):
        text = "The key of the certificate has not signed this request."
        raise InvalidArgument("CSR_OF_ANOTHER_KEY", text, field="csr_pem")
    return request.public_bytes(Encoding.PEM)


def to_pem(certificates: Sequence[x509.Certificate]) -> str:
    """Return certificates one after the other."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def to_p7b(certificates: Sequence[x509.Certificate]) -> str:
    """Return certificates as PKCS #7, PEM."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.PEM).decode()


def _public_der(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _malformed(message: str) -> InvalidArgument:
    return InvalidArgument(
        "CERTIFICATE_MALFORMED",
        message,
        field="certificate_pem",
        metadata={"mosip_code": "KER-PCM-001"},
    )
