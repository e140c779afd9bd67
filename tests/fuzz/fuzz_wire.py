"""Whatever the bytes: the partner API's parsers return, or raise their own errors."""

from contextlib import suppress

from services.common.mosip_wire import (
    AUTH_ID,
    IdRules,
    JwsError,
    OtpChannel,
    SealedRequest,
    WireError,
    build_auth_request,
    build_block,
    build_otp_request,
    check_api,
    echo_of,
    open_request,
    parse_auth_request,
    parse_block,
    parse_body,
    parse_capture,
    parse_compact,
    parse_detached,
    parse_digital_id,
    parse_otp_request,
    parse_thumbprint,
    resolve_individual_id,
)
from tests.fuzz.times import AT


def seeds() -> list[bytes]:
    """Return inputs that reach deep, to start from."""
    sealed = SealedRequest("cmVx", "aG1h", "a2V5", "ab" * 32)
    who = {"individual_id": "x@y", "individual_id_type": "HANDLE", "transaction_id": "1234567890"}
    return [
        build_auth_request(sealed, at=AT, **who),
        build_otp_request([OtpChannel.EMAIL], at=AT, **who),
        build_block(AT, otp="1", demographics={"dob": "1990/01/01"}),
        b"eyJhbGciOiJSUzI1NiIsIng1YyI6WyJBQUFBIl19..AAAA",
    ]


def fuzz_one(data: bytes) -> None:
    """Read data as body, inner request, capture, signature and identifier."""
    with suppress(WireError):
        document = parse_body(data)
        echo_of(document)
        with suppress(WireError):
            check_api(document, AUTH_ID)
        with suppress(WireError):
            parse_auth_request(document, AUTH_ID)
        with suppress(WireError):
            parse_otp_request(document)
    with suppress(WireError):
        parse_block(data)
    for parse in (parse_capture, parse_digital_id):
        with suppress(WireError):
            parse(data, 0)
    with suppress(WireError):
        open_request(data, data, bytes(32))
    text = data.decode("utf-8", errors="replace")
    for parse_jws in (parse_detached, parse_compact):
        with suppress(JwsError):
            parse_jws(text)
    with suppress(ValueError):
        parse_thumbprint(text)
    with suppress(WireError):
        resolve_individual_id(text, None, IdRules())
