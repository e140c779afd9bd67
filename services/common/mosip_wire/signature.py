"""The `signature` header of a request and the `response-signature` of its answer."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, missing
from services.common.mosip_wire.jws import Jws, JwsError, parse_detached, verify

REQUEST_HEADER = "signature"
RESPONSE_HEADER = "response-signature"
_FIELD = "signature header"


def parse_request_signature(header: str | None) -> Jws:
    """Read the header; nothing is verified. Jws.thumbprint finds the partner's certificate.

    Raises:
        WireError: IDA-MLC-006 without the header, IDA-MPA-022 without x5c, IDA-MPA-001.
    """
    if not header:
        raise missing(_FIELD)
    try:
        jws = parse_detached(header.strip())
    except JwsError:
        raise WireError(IdaError.SIGNATURE_FAILED, _FIELD) from None
    if not jws.certificates:
        raise WireError(IdaError.PARTNER_CERTIFICATE_NOT_FOUND_IN_REQ_HEADER)
    return jws


def verify_request_signature(jws: Jws, body: bytes, certificate: x509.Certificate) -> None:
    """Verify over the exact bytes of the body with the partner's certificate on file.

    Raises:
        WireError: IDA-MPA-021 when x5c holds another certificate, IDA-MPA-001.
    """
    if jws.certificates[0] != certificate.public_bytes(Encoding.DER):
        raise WireError(IdaError.PARTNER_CERTIFICATE_NOT_MATCHED)
    try:
        verify(jws, certificate.public_key(), body)
    except JwsError:
        raise WireError(IdaError.SIGNATURE_FAILED, _FIELD) from None
