"""Sealed requests, thumbprints, base64, strict JSON and JWS."""

import base64
import hashlib
import json
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from services.common.mosip_wire import (
    JwsError,
    WireError,
    assemble_detached,
    open_request,
    parse_compact,
    parse_detached,
    parse_request_signature,
    parse_thumbprint,
    seal_request,
    sign_compact,
    sign_detached,
    signing_input,
    thumbprint_of,
    unwrap_session_key,
    verify,
    verify_request_signature,
)
from services.common.mosip_wire import base64url as b64
from services.common.mosip_wire.jws import sign_raw
from services.common.mosip_wire.sealed import decrypt_behind, encrypt_behind
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object
from tests.unit.common.mosip_wire.conftest import Holder

PLAIN = b'{"timestamp":"2026-03-01T12:00:00.000Z","otp":"111111"}'
KEY = bytes(range(32))


def wire_code(error: pytest.ExceptionInfo[WireError]) -> str:
    return error.value.code


def test_a_sealed_request_has_mosip_s_form(platform: Holder) -> None:
    sealed = seal_request(PLAIN, platform.certificate)
    key = unwrap_session_key(b64.decode(sealed.request_session_key), platform.rsa_key)
    data = b64.decode(sealed.request)
    # Ciphertext and tag, then the IV of 16 bytes; no AAD.
    assert AESGCM(key).decrypt(data[-16:], data[:-16], None) == PLAIN
    digest = decrypt_behind(b64.decode(sealed.request_hmac), key)
    assert digest == hashlib.sha256(PLAIN).hexdigest().upper().encode()
    assert parse_thumbprint(sealed.thumbprint) == thumbprint_of(platform.certificate)


def test_a_sealed_request_opens_with_the_unwrapped_key(platform: Holder) -> None:
    sealed = seal_request(PLAIN, platform.certificate)
    key = unwrap_session_key(b64.decode(sealed.request_session_key), platform.rsa_key)
    assert open_request(b64.decode(sealed.request), b64.decode(sealed.request_hmac), key) == PLAIN


def test_a_digest_of_something_else_is_mpa_016() -> None:
    other = hashlib.sha256(b"other").hexdigest().upper().encode()
    with pytest.raises(WireError) as refused:
        open_request(encrypt_behind(PLAIN, KEY), encrypt_behind(other, KEY), KEY)
    assert wire_code(refused) == "IDA-MPA-016"


def test_a_lower_case_digest_is_mpa_016_as_in_mosip() -> None:
    lower = hashlib.sha256(PLAIN).hexdigest().encode()
    with pytest.raises(WireError) as refused:
        open_request(encrypt_behind(PLAIN, KEY), encrypt_behind(lower, KEY), KEY)
    assert wire_code(refused) == "IDA-MPA-016"


@pytest.mark.parametrize("position", [0, -1, -17, -33])
def test_an_altered_request_is_mpa_003(position: int) -> None:
    digest = hashlib.sha256(PLAIN).hexdigest().upper().encode()
    data = bytearray(encrypt_behind(PLAIN, KEY))
    data[position] ^= 1
    with pytest.raises(WireError) as refused:
        open_request(bytes(data), encrypt_behind(digest, KEY), KEY)
    assert wire_code(refused) == "IDA-MPA-003"


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32)])
def test_too_short_a_request_is_mpa_003(data: bytes) -> None:
    with pytest.raises(WireError) as refused:
        open_request(data, data, KEY)
    assert wire_code(refused) == "IDA-MPA-003"


def test_a_thumbprint_is_read_in_hex_and_in_both_base64() -> None:
    value = hashlib.sha256(b"\xff").digest()
    standard = base64.b64encode(value).decode()
    for text in (value.hex(), value.hex().upper(), standard, b64.encode(value), standard[:-1]):
        assert parse_thumbprint(text) == value


@pytest.mark.parametrize("text", ["", "AAAA", "g" * 64, "é" * 64, "A" * 44])
def test_other_thumbprints_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_thumbprint(text)


@given(st.binary(max_size=64))
def test_base64_is_read_in_every_mixture(data: bytes) -> None:
    standard = base64.b64encode(data).decode()
    for text in (standard, standard.rstrip("="), b64.encode(data), standard.replace("+", "-")):
        assert b64.decode(text) == data
    assert b64.decode("\n ".join(standard), allow_whitespace=True) == data


@pytest.mark.parametrize("text", ["A", "A===", "AA=A", "AA\n", "A*==", "é", "AA AA"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64"):
        b64.decode(text)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "SYNTAX"),
        (b"{", "SYNTAX"),
        (b"{} {}", "SYNTAX"),
        (b'{"a":NaN}', "SYNTAX"),
        (b'{"a":-Infinity}', "SYNTAX"),
        (b'{"a":' + b"9" * 5000 + b"}", "SYNTAX"),
        (b'{"a":1,"a":2}', "DUPLICATE_KEY"),
        (b'{"b":{"a":1,"a":2}}', "DUPLICATE_KEY"),
        (b"[]", "NOT_OBJECT"),
        (b'"x"', "NOT_OBJECT"),
        (b"\xff{}", "NOT_UTF8"),
        (b'{"a":"\\ud800"}', "BAD_TEXT"),
        (b'{"\\udc00":1}', "BAD_TEXT"),
        (b'{"a":"\\u0000"}', "BAD_TEXT"),
        (b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", "TOO_DEEP"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "TOO_DEEP"),
        (b'{"a":[' + b"0," * 200 + b"0]}", "TOO_MANY_NODES"),
        (b'{"a":"' + b"x" * 1_000_000 + b'"}', "TOO_LARGE"),
    ],
)
def test_json_with_another_meaning_or_without_bounds_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(JsonRefusedError) as refused:
        loads_object(data, JsonLimits(max_bytes=500_000, max_nodes=200))
    assert refused.value.reason == reason


def test_json_at_its_limits_is_read() -> None:
    assert loads_object(b'{"a":[[1]]}', JsonLimits(max_depth=3)) == {"a": [[1]]}
    assert loads_object('{"a":"é😀"}'.encode()) == {"a": "é😀"}


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_json_or_refused(data: bytes) -> None:
    with suppress(JsonRefusedError):
        loads_object(data)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_every_algorithm_signs_and_verifies(algorithm: str, holders: dict[str, Holder]) -> None:
    signer = holders[algorithm]
    public_key = signer.certificate.public_key()
    detached = sign_detached(b"body", signer.key, [signer.certificate], algorithm)
    jws = parse_detached(detached)
    verify(jws, public_key, b"body")
    assert jws.certificate() == signer.certificate
    assert jws.thumbprint == thumbprint_of(signer.certificate)
    with pytest.raises(JwsError) as refused:
        verify(jws, public_key, b"other body")
    assert refused.value.reason == "SIGNATURE_INVALID"
    compact = parse_compact(sign_compact(b"inside", signer.key, [signer.certificate], algorithm))
    verify(compact, public_key)
    assert compact.payload == b"inside"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_key_of_another_kind_is_refused(algorithm: str, holders: dict[str, Holder]) -> None:
    signer = holders[algorithm]
    jws = parse_detached(sign_detached(b"x", signer.key, [signer.certificate], algorithm))
    other = holders["EdDSA" if algorithm != "EdDSA" else "ES256"].certificate.public_key()
    with pytest.raises(JwsError) as refused:
        verify(jws, other, b"x")
    assert refused.value.reason == "ALGORITHM_REFUSED"


def test_another_curve_and_a_short_rsa_key_are_refused(holders: dict[str, Holder]) -> None:
    ecdsa = holders["ES256"]
    jws = parse_detached(sign_detached(b"x", ecdsa.key, [ecdsa.certificate]))
    with pytest.raises(JwsError) as refused:
        verify(jws, ec.generate_private_key(ec.SECP384R1()).public_key(), b"x")
    assert refused.value.reason == "ALGORITHM_REFUSED"
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    signed = signing_input({"alg": "RS256"}, b"x")
    jws = parse_detached(assemble_detached(signed, sign_raw(signed, weak, "RS256")))
    with pytest.raises(JwsError) as refused:
        verify(jws, weak.public_key(), b"x")
    assert refused.value.reason == "ALGORITHM_REFUSED"


def detached_with(header: dict[str, object], signer: Holder, body: bytes) -> str:
    signed = signing_input(header, body)
    return assemble_detached(signed, sign_raw(signed, signer.key, "RS256"))


@pytest.mark.parametrize("form", ["der", "pem", "pem with line breaks", "wrapped der"])
def test_every_form_of_x5c_that_clients_send_is_read(form: str, partner: Holder) -> None:
    der = partner.certificate.public_bytes(Encoding.DER)
    pem = partner.certificate.public_bytes(Encoding.PEM)
    entry = {
        "der": base64.b64encode(der),
        "pem": base64.b64encode(pem),
        "pem with line breaks": base64.encodebytes(pem),
        "wrapped der": base64.encodebytes(der),
    }[form].decode()
    text = detached_with({"alg": "RS256", "x5c": [entry]}, partner, b"body")
    jws = parse_request_signature(text)
    assert jws.certificates == (der,)
    verify_request_signature(jws, b"body", partner.certificate)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none"}, "ALGORITHM_REFUSED"),
        ({"alg": "HS256"}, "ALGORITHM_REFUSED"),
        ({}, "ALGORITHM_REFUSED"),
        ({"alg": ["RS256"]}, "ALGORITHM_REFUSED"),
        ({"alg": "RS256", "crit": ["exp"]}, "MALFORMED"),
        ({"alg": "RS256", "b64": False}, "MALFORMED"),
        ({"alg": "RS256", "x5c": "text"}, "CERTIFICATE_MALFORMED"),
        ({"alg": "RS256", "x5c": [7]}, "CERTIFICATE_MALFORMED"),
        ({"alg": "RS256", "x5c": ["***"]}, "CERTIFICATE_MALFORMED"),
        ({"alg": "RS256", "x5c": ["AA=="] * 9}, "CERTIFICATE_MALFORMED"),
    ],
)
def test_a_header_that_asks_for_something_else_is_refused(
    header: dict[str, object], reason: str
) -> None:
    text = f"{b64.encode(json.dumps(header).encode())}..{b64.encode(b'signature')}"
    with pytest.raises(JwsError) as refused:
        parse_detached(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("text", ["", "..", "a.b", "a..b.c", "e30..", "é..x", "e30.e30.AA"])
def test_what_is_no_detached_jws_is_refused(text: str) -> None:
    with pytest.raises(JwsError):
        parse_detached(text)


def test_a_certificate_that_does_not_parse_is_found_when_asked_for() -> None:
    header = b64.encode(b'{"alg":"RS256","x5c":["AAAA"]}')
    jws = parse_detached(f"{header}..AAAA")
    with pytest.raises(JwsError) as refused:
        jws.certificate()
    assert refused.value.reason == "CERTIFICATE_MALFORMED"


@given(st.text(max_size=60), st.text("eyJhbGci.0123=", max_size=60))
def test_arbitrary_text_is_a_jws_or_a_jws_error(one: str, two: str) -> None:
    for text in (one, two, f"{one}..{two}", f"{two}.{two}.{two}"):
        with suppress(JwsError):
            parse_detached(text)
        with suppress(JwsError):
            parse_compact(text)


def test_requests_signatures_are_refused_with_mosip_s_codes(
    partner: Holder, platform: Holder
) -> None:
    text = sign_detached(b"body", partner.key, [partner.certificate])
    bare = detached_with({"alg": "RS256"}, partner, b"body")
    forged = detached_with(
        {
            "alg": "RS256",
            "x5c": [base64.b64encode(partner.certificate.public_bytes(Encoding.DER)).decode()],
        },
        platform,
        b"body",
    )
    cases = [
        ("IDA-MLC-006", None, b"body", partner),
        ("IDA-MLC-006", "", b"body", partner),
        ("IDA-MPA-001", "rubbish", b"body", partner),
        ("IDA-MPA-022", bare, b"body", partner),
        ("IDA-MPA-021", text, b"body", platform),
        ("IDA-MPA-001", text, b"body ", partner),
        ("IDA-MPA-001", forged, b"body", partner),
    ]
    for code, header, body, on_file in cases:
        with pytest.raises(WireError) as refused:
            verify_request_signature(parse_request_signature(header), body, on_file.certificate)
        assert wire_code(refused) == code
