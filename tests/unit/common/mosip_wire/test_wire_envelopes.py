"""Envelopes, inner requests, identifiers, times, errors and responses."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.ids import draw_uin, draw_vid
from services.common.mosip_wire import (
    AUTH_ID,
    KYC_ID,
    OTP_ID,
    RESERVED_CODES,
    AuthRequest,
    EnvironmentRules,
    IdaError,
    IdRules,
    IndividualIdType,
    LanguageValue,
    OtpChannel,
    SealedRequest,
    TimeWindow,
    WireError,
    auth_response,
    build_auth_request,
    build_block,
    build_otp_request,
    build_response,
    check_auth_request,
    check_block,
    echo_of,
    format_time,
    kyc_response,
    open_kyc,
    parse_auth_request,
    parse_biometric_time,
    parse_block,
    parse_body,
    parse_otp_request,
    parse_request_time,
    resolve_individual_id,
    seal_kyc,
    unwrap_session_key,
)
from services.common.mosip_wire import base64url as b64
from tests.unit.common.mosip_wire.conftest import AT, Holder

SEALED = SealedRequest("cmVxdWVzdA", "aG1hYw", "a2V5", "ab" * 32)
WINDOW = TimeWindow(allowed_s=30, adjustment_s=30)


def auth_document(**changes: Any) -> dict[str, Any]:
    """An authentication request; None removes a member."""
    body = build_auth_request(
        SEALED,
        individual_id="5274963815274",
        individual_id_type="UIN",
        transaction_id="ab12345678",
        at=AT,
        env="Staging",
        domain_uri="https://idmesh.example",
    )
    document = parse_body(body)
    document |= changes
    return {name: value for name, value in document.items() if value is not None}


def refused(call: Any) -> WireError:
    with pytest.raises(WireError) as caught:
        call()
    return caught.value


def test_what_a_partner_builds_is_read() -> None:
    request = parse_auth_request(auth_document(), AUTH_ID)
    assert (request.request, request.request_hmac, request.session_key) == (
        b"request",
        b"hmac",
        b"key",
    )
    assert request.thumbprint == bytes.fromhex("ab" * 32)
    assert request.request_time == AT
    assert request.transaction_id == "ab12345678"
    assert request.consent
    assert (request.env, request.domain_uri) == ("Staging", "https://idmesh.example")
    check_auth_request(request, AT, WINDOW, EnvironmentRules())


def test_neither_identifier_nor_sealed_parts_are_in_the_repr() -> None:
    text = repr(parse_auth_request(auth_document(), AUTH_ID))
    assert "5274963815274" not in text
    assert "request=b" not in text


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"id": None}, "IDA-MLC-006", "id"),
        ({"id": KYC_ID}, "IDA-MLC-009", "id"),
        ({"id": 7}, "IDA-MLC-009", "id"),
        ({"version": None}, "IDA-MLC-006", "version"),
        ({"version": "v1"}, "IDA-MLC-009", "version"),
        ({"version": 1.0}, "IDA-MLC-009", "version"),
        ({"requestTime": None}, "IDA-MLC-006", "requestTime"),
        ({"requestTime": "2026-03-01T12:00:00Z"}, "IDA-MLC-009", "requestTime"),
        ({"transactionID": ""}, "IDA-MLC-006", "transactionID"),
        ({"transactionID": "123456789"}, "IDA-MLC-009", "transactionID"),
        ({"transactionID": "12345678901"}, "IDA-MLC-009", "transactionID"),
        ({"transactionID": "123456789_"}, "IDA-MLC-009", "transactionID"),
        ({"transactionID": "123456789\n"}, "IDA-MLC-009", "transactionID"),
        ({"thumbprint": None}, "IDA-MLC-006", "thumbprint"),
        ({"thumbprint": "abcd"}, "IDA-MLC-009", "thumbprint"),
        ({"request": None}, "IDA-MLC-006", "request"),
        ({"request": {"otp": "1"}}, "IDA-MLC-009", "request"),
        ({"request": "***"}, "IDA-MLC-009", "request"),
        ({"requestHMAC": None}, "IDA-MLC-006", "requestHMAC"),
        ({"requestSessionKey": "A" * 2000}, "IDA-MLC-009", "requestSessionKey"),
        ({"consentObtained": "true"}, "IDA-MLC-009", "consentObtained"),
        ({"env": 1}, "IDA-MLC-009", "env"),
        ({"individualId": 5274963815274}, "IDA-MLC-009", "individualId"),
    ],
)
def test_a_field_at_fault_is_named(changes: dict[str, Any], code: str, name: str) -> None:
    document = {**auth_document(), **changes}
    document = {key: value for key, value in document.items() if value is not None}
    error = refused(lambda: parse_auth_request(document, AUTH_ID))
    assert (error.code, error.arguments) == (code, (name,))


def test_members_that_are_not_ours_are_passed_over() -> None:
    document = auth_document(requestedAuth={"otp": True}, metadata={}, futureMember=[1])
    assert isinstance(parse_auth_request(document, AUTH_ID), AuthRequest)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id":1,"id":2}', b"\xff", b"{" * 9999])
def test_a_body_that_is_no_strict_object_is_refused(body: bytes) -> None:
    assert refused(lambda: parse_body(body)).code == "IDA-MLC-009"


def test_only_proper_values_are_echoed() -> None:
    assert echo_of(auth_document()) == (AUTH_ID, "ab12345678")
    assert echo_of({"id": "<script>", "transactionID": "x' OR 1=1"}) == (None, None)
    assert echo_of({"id": 1}) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-61, False), (-60, True), (0, True), (30, True), (31, False)]
)
def test_the_window_is_sixty_seconds_back_and_thirty_ahead(seconds: int, accepted: bool) -> None:
    at = AT + timedelta(seconds=seconds)
    if accepted:
        WINDOW.check(at, AT)
    else:
        error = refused(lambda: WINDOW.check(at, AT))
        assert error.to_json() == {
            "errorCode": "IDA-MLC-001",
            "errorMessage": "Request to be received at MOSIP within 30 seconds",
            "actionMessage": "Please send the request within 30 seconds",
        }


def test_consent_time_environment_and_domain_are_checked_in_this_order() -> None:
    request = parse_auth_request(auth_document(), AUTH_ID)
    late = AT + timedelta(seconds=90)
    rules = EnvironmentRules(envs=frozenset({"production"}), domain_uris=frozenset({"x"}))
    cases = [
        (replace(request, consent=False), "IDA-MLC-012", ()),
        (replace(request, request_time=late), "IDA-MLC-001", ("30",)),
        (request, "IDA-MLC-009", ("request/env",)),
        (replace(request, env="PRODUCTION"), "IDA-MLC-009", ("request/domainUri",)),
    ]
    for case, code, arguments in cases:
        error = refused(lambda case=case: check_auth_request(case, AT, WINDOW, rules))
        assert (error.code, error.arguments) == (code, arguments)
    check_auth_request(replace(request, env=None, domain_uri=None), AT, WINDOW, rules)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00.123Z", datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-03-01T17:30:00.123+05:30", datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)),
    ],
)
def test_request_times_are_read_in_any_zone(text: str, expected: datetime) -> None:
    assert parse_request_time(text) == expected
    assert parse_biometric_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.123",
        "2026-03-01 12:00:00.123Z",
        "2026-03-01T12:00:00.123456Z",
        "2026-13-01T12:00:00.123Z",
        "0001-01-01T00:00:00.000+14:00",
        "٢٠٢٦-03-01T12:00:00.123Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_request_time(text)


def test_a_time_is_written_as_mosip_writes_it() -> None:
    assert format_time(AT.replace(microsecond=7_999)) == "2026-03-01T12:00:00.007Z"


UIN, VID = draw_uin(10), draw_vid()
RULES = IdRules(uin_length=10)


@pytest.mark.parametrize(
    ("value", "type_name", "expected"),
    [
        (UIN, "UIN", IndividualIdType.UIN),
        (VID, "VID", IndividualIdType.VID),
        ("jane@phone", "HANDLE", IndividualIdType.HANDLE),
        (UIN, None, IndividualIdType.UIN),
        (VID, None, IndividualIdType.VID),
        ("jane@phone", None, IndividualIdType.HANDLE),
    ],
)
def test_an_identifier_is_resolved_with_or_without_its_type(
    value: str, type_name: str | None, expected: IndividualIdType
) -> None:
    resolved = resolve_individual_id(value, type_name, RULES)
    assert (resolved.type, resolved.value) == (expected, value)
    assert value not in repr(resolved)


@pytest.mark.parametrize(
    ("value", "type_name", "code", "arguments"),
    [
        (None, "UIN", "IDA-MLC-006", ("individualId",)),
        ("  ", "UIN", "IDA-MLC-006", ("individualId",)),
        (VID, "UIN", "IDA-MLC-002", ()),
        (UIN, "VID", "IDA-MLC-004", ()),
        (UIN, "uin", "IDA-MLC-009", ("individualIdType",)),
        (UIN, "PASSPORT", "IDA-MLC-009", ("individualIdType",)),
        ("nobody", None, "IDA-MLC-009", ("individualId",)),
        ("jane", "HANDLE", "IDA-MLC-009", ("individualId",)),
    ],
)
def test_a_malformed_identifier_is_refused(
    value: str | None, type_name: str | None, code: str, arguments: tuple[str, ...]
) -> None:
    error = refused(lambda: resolve_individual_id(value, type_name, RULES))
    assert (error.code, error.arguments) == (code, arguments)


def test_a_type_that_is_not_allowed_is_mlc_015() -> None:
    rules = IdRules(10, allowed=frozenset({IndividualIdType.UIN}))
    error = refused(lambda: resolve_individual_id(VID, "VID", rules))
    assert error.message == "Identity Type - VID not configured for the country"
    assert refused(lambda: resolve_individual_id(VID, None, rules)).code == "IDA-MLC-009"


def test_an_otp_request_is_built_and_read() -> None:
    body = build_otp_request(
        [OtpChannel.PHONE, OtpChannel.EMAIL],
        individual_id=VID,
        individual_id_type="VID",
        transaction_id="1234567890",
        at=AT,
    )
    request = parse_otp_request(parse_body(body))
    assert request.channels == (OtpChannel.PHONE, OtpChannel.EMAIL)
    assert (request.id, request.individual_id) == (OTP_ID, VID)


@pytest.mark.parametrize(
    ("channels", "code"),
    [
        (None, "IDA-OTA-008"),
        ([], "IDA-OTA-008"),
        (["FAX"], "IDA-MLC-009"),
        ("EMAIL", "IDA-MLC-009"),
    ],
)
def test_an_otp_request_needs_a_known_channel(channels: object, code: str) -> None:
    document = auth_document(id=OTP_ID, otpChannel=channels)
    assert refused(lambda: parse_otp_request(document)).code == code


def test_channels_are_read_in_any_case_and_once() -> None:
    document = auth_document(id=OTP_ID, otpChannel=["EMAIL", "Phone", "email"])
    assert parse_otp_request(document).channels == (OtpChannel.EMAIL, OtpChannel.PHONE)


def block_json(**members: Any) -> bytes:
    return json.dumps({"timestamp": "2026-03-01T12:00:00.000Z", **members}).encode()


def test_an_inner_request_is_built_and_read() -> None:
    name = (LanguageValue("eng", "Åsa"), LanguageValue("fra", "Asa"))
    plain = build_block(AT, otp="111111", demographics={"name": name, "dob": "1990/01/01"})
    block = parse_block(plain)
    assert block.otp == "111111"
    assert block.demographics == {"name": name, "dob": "1990/01/01"}
    assert block.factors == ("otp", "demo")
    assert "Åsa" not in repr(block)
    check_block(block, AT, WINDOW)


def test_what_sdks_send_empty_counts_as_absent() -> None:
    block = parse_block(
        block_json(
            otp="",
            biometrics=[],
            demographics={"age": 42, "dob": "", "name": [], "gender": None, "metadata": {"x": 1}},
        )
    )
    assert block.otp is None
    assert block.demographics == {"age": "42"}
    assert block.factors == ("demo",)


def test_the_inner_time_keeps_the_window_too() -> None:
    block = parse_block(block_json(otp="1"))
    error = refused(lambda: check_block(block, AT + timedelta(minutes=5), WINDOW))
    assert error.message.endswith("within 30 seconds. Attribute: request/timestamp")


@pytest.mark.parametrize(
    ("members", "code", "name"),
    [
        ({}, "IDA-MLC-008", None),
        ({"demographics": {}}, "IDA-MLC-008", None),
        ({"timestamp": "now", "otp": "1"}, "IDA-MLC-009", "request/timestamp"),
        ({"timestamp": None, "otp": "1"}, "IDA-MLC-006", "request/timestamp"),
        ({"otp": 111111}, "IDA-MLC-009", "request/otp"),
        ({"demographics": []}, "IDA-MLC-009", "request/demographics"),
        ({"demographics": {"dob": 1990}}, "IDA-MLC-009", "request/demographics/dob"),
        ({"demographics": {"age": True}}, "IDA-MLC-009", "request/demographics/age"),
        ({"demographics": {"name": "Jane"}}, "IDA-MLC-009", "request/demographics/name"),
        ({"demographics": {"name": ["Jane"]}}, "IDA-MLC-009", "request/demographics/name"),
        (
            {"demographics": {"name": [{"value": "Jane"}]}},
            "IDA-MLC-006",
            "request/demographics/name/language",
        ),
        (
            {"demographics": {"name": [{"language": "English", "value": "Jane"}]}},
            "IDA-MLC-009",
            "request/demographics/name/language",
        ),
        (
            {"demographics": {"name": [{"language": "eng", "value": "x"}] * 2}},
            "IDA-MLC-009",
            "request/demographics/name",
        ),
        ({"demographics": {"dob": [{"language": "eng", "value": "x"}]}}, "IDA-MLC-009", None),
        ({"demographics": {"a b": "x"}}, "IDA-MLC-009", "request/demographics"),
        (
            {
                "demographics": {
                    "fullAddress": [{"language": "eng", "value": "x"}],
                    "location1": [{"language": "eng", "value": "x"}],
                }
            },
            "IDA-MLC-013",
            "fullAddress",
        ),
        ({"biometrics": {}}, "IDA-MLC-009", "request/biometrics"),
        ({"biometrics": ["x"]}, "IDA-MLC-009", "request/biometrics/0"),
        ({"biometrics": [{}]}, "IDA-MLC-006", "request/biometrics/0/data"),
        ({"biometrics": [{"data": {}}]}, "IDA-MLC-009", "request/biometrics/0/data"),
        ({"biometrics": [{}] * 17}, "IDA-MLC-009", "request/biometrics"),
        ({"keyBindedTokens": ["x"]}, "IDA-MLC-009", "request/keyBindedTokens/0"),
        ({"keyBindedTokens": [{"type": "WLA"}]}, "IDA-MLC-006", "request/keyBindedTokens/0/token"),
    ],
)
def test_an_inner_request_at_fault_is_refused(
    members: dict[str, Any], code: str, name: str | None
) -> None:
    error = refused(lambda: parse_block(block_json(**members)))
    assert error.code == code
    if name is not None:
        assert error.arguments == (name,)
    assert "Jane" not in str(error)


def test_a_token_and_a_password_are_factors() -> None:
    tokens = [{"type": "WLA", "token": "ey", "format": "jwt"}]
    block = parse_block(block_json(password="secret", keyBindedTokens=tokens))
    assert block.factors == ("kbt", "pwd")
    assert block.key_bound_tokens[0].format == "jwt"


def test_the_catalogue_is_mosip_s() -> None:
    assert len(IdaError) == 158
    codes = [error.code for error in IdaError]
    assert len(set(codes)) == 155
    assert {c for c in codes if codes.count(c) > 1} == {"IDA-MLC-022", "IDA-DEA-001", "IDA-DEA-003"}
    assert len(RESERVED_CODES) == 36
    assert set(codes) >= RESERVED_CODES


def test_arguments_fill_message_and_action() -> None:
    error = WireError(IdaError.DEMOGRAPHIC_DATA_MISMATCH_LANG, "name", "eng")
    assert error.to_json() == {
        "errorCode": "IDA-DEA-001",
        "errorMessage": "Demographic data name in eng did not match",
        "actionMessage": "Please re-enter your name in eng",
    }
    assert WireError(IdaError.BIO_MISMATCH).message == "Biometric data did not match"
    assert "actionMessage" not in WireError(IdaError.INVALID_HASH).to_json()


def test_every_error_can_be_written() -> None:
    for error in IdaError:
        item = WireError(error, "a", "b").to_json()
        assert "%" not in "".join(item.values())


def test_a_success_has_null_errors() -> None:
    body = build_response(AUTH_ID, "1234567890", AT, auth_response(True, "token"))
    assert body == (
        b'{"id":"mosip.identity.auth","version":"1.0","transactionID":"1234567890",'
        b'"responseTime":"2026-03-01T12:00:00.000Z",'
        b'"response":{"authStatus":true,"authToken":"token"},"errors":null}'
    )


def test_a_refusal_lists_its_errors() -> None:
    body = build_response(
        None, None, AT, auth_response(False, None), [WireError(IdaError.INVALID_OTP)]
    )
    assert json.loads(body) == {
        "id": None,
        "version": "1.0",
        "transactionID": None,
        "responseTime": "2026-03-01T12:00:00.000Z",
        "response": {"authStatus": False, "authToken": None},
        "errors": [
            {
                "errorCode": "IDA-OTA-004",
                "errorMessage": "OTP is invalid",
                "actionMessage": "Please provide correct OTP value",
            }
        ],
    }


def test_an_identity_is_sealed_for_the_partner_alone(partner: Holder, platform: Holder) -> None:
    identity = {"name_eng": "Åsa", "photo": "AAAA"}
    sealed = seal_kyc(identity, partner.certificate)
    response = kyc_response(True, "token", sealed)
    key = unwrap_session_key(b64.decode(response["sessionKey"]), partner.rsa_key)
    assert open_kyc(response["identity"], key) == identity
    assert response["thumbprint"] == sealed.thumbprint
    assert sealed.thumbprint == sealed.thumbprint.upper()
    with pytest.raises(ValueError, match=r"."):
        unwrap_session_key(b64.decode(sealed.session_key), platform.rsa_key)
    assert kyc_response(False, None, None)["identity"] is None
