"""MOSIP's partner REST wire format, both sides: cryptography, envelopes, error catalogue.

The platform's side of an authentication, RSA unwrapping and trust left to the caller:

    document = parse_body(body); check_api(document, AUTH_ID)
    jws = parse_request_signature(header); find the partner by jws.thumbprint
    verify_request_signature(jws, body, partner's certificate)
    request = parse_auth_request(document, AUTH_ID)
    plain = open_request(request.request, request.request_hmac, unwrapped session key)
    block = parse_block(plain)
    check_auth_request, check_block, resolve_individual_id
    for each biometric: see biometric_block; together: check_captures
    build_response, signed by signing_input and assemble_detached

A refusal is a WireError: MOSIP's code and its arguments, never a value of the request.
"""

from services.common.mosip_wire.biometric_block import (
    FIRST_LINK,
    Capture,
    DigitalId,
    SealedBiometric,
    SealedSample,
    capture_json,
    check_link,
    open_sample,
    parse_capture,
    parse_digital_id,
    seal_sample,
)
from services.common.mosip_wire.block import (
    AttributeValue,
    KeyBoundToken,
    LanguageValue,
    RequestBlock,
    build_block,
    check_block,
    parse_block,
)
from services.common.mosip_wire.capture_rules import CaptureRules, check_captures
from services.common.mosip_wire.catalogue import RESERVED_CODES, IdaError
from services.common.mosip_wire.crypto import (
    SealedRequest,
    open_request,
    parse_thumbprint,
    seal_request,
)
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.individual import (
    IdRules,
    IndividualId,
    IndividualIdType,
    resolve_individual_id,
)
from services.common.mosip_wire.jws import (
    Jws,
    JwsError,
    SigningKey,
    assemble_compact,
    assemble_detached,
    parse_compact,
    parse_detached,
    protected_header,
    sign_compact,
    sign_detached,
    signing_input,
    verify,
)
from services.common.mosip_wire.requests import (
    AUTH_ID,
    KYC_AUTH_ID,
    KYC_ID,
    OTP_ID,
    AuthRequest,
    BaseRequest,
    EnvironmentRules,
    OtpChannel,
    OtpRequest,
    build_auth_request,
    build_otp_request,
    check_api,
    check_auth_request,
    echo_of,
    parse_auth_request,
    parse_body,
    parse_otp_request,
)
from services.common.mosip_wire.responses import (
    SealedKyc,
    auth_response,
    build_response,
    kyc_response,
    open_kyc,
    otp_response,
    seal_kyc,
)
from services.common.mosip_wire.sealed import (
    SealedError,
    thumbprint_of,
    unwrap_session_key,
    wrap_session_key,
)
from services.common.mosip_wire.signature import (
    REQUEST_HEADER,
    RESPONSE_HEADER,
    parse_request_signature,
    verify_request_signature,
)
from services.common.mosip_wire.times import (
    TimeWindow,
    format_time,
    parse_biometric_time,
    parse_request_time,
)

__all__ = [
    "AUTH_ID",
    "FIRST_LINK",
    "KYC_AUTH_ID",
    "KYC_ID",
    "OTP_ID",
    "REQUEST_HEADER",
    "RESERVED_CODES",
    "RESPONSE_HEADER",
    "AttributeValue",
    "AuthRequest",
    "BaseRequest",
    "Capture",
    "CaptureRules",
    "DigitalId",
    "EnvironmentRules",
    "IdRules",
    "IdaError",
    "IndividualId",
    "IndividualIdType",
    "Jws",
    "JwsError",
    "KeyBoundToken",
    "LanguageValue",
    "OtpChannel",
    "OtpRequest",
    "RequestBlock",
    "SealedBiometric",
    "SealedError",
    "SealedKyc",
    "SealedRequest",
    "SealedSample",
    "SigningKey",
    "TimeWindow",
    "WireError",
    "assemble_compact",
    "assemble_detached",
    "auth_response",
    "build_auth_request",
    "build_block",
    "build_otp_request",
    "build_response",
    "capture_json",
    "check_api",
    "check_auth_request",
    "check_block",
    "check_captures",
    "check_link",
    "echo_of",
    "format_time",
    "kyc_response",
    "open_kyc",
    "open_request",
    "open_sample",
    "otp_response",
    "parse_auth_request",
    "parse_biometric_time",
    "parse_block",
    "parse_body",
    "parse_capture",
    "parse_compact",
    "parse_detached",
    "parse_digital_id",
    "parse_otp_request",
    "parse_request_signature",
    "parse_request_time",
    "parse_thumbprint",
    "protected_header",
    "resolve_individual_id",
    "seal_kyc",
    "seal_request",
    "seal_sample",
    "sign_compact",
    "sign_detached",
    "signing_input",
    "thumbprint_of",
    "unwrap_session_key",
    "verify",
    "verify_request_signature",
    "wrap_session_key",
]
