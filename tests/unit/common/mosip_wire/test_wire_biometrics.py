"""Biometric blocks: a device seals and signs, the platform opens and checks."""

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.mosip_wire import (
    FIRST_LINK,
    AuthRequest,
    Capture,
    CaptureRules,
    DigitalId,
    EnvironmentRules,
    TimeWindow,
    WireError,
    build_auth_request,
    build_block,
    capture_json,
    check_captures,
    check_link,
    format_time,
    open_sample,
    parse_auth_request,
    parse_block,
    parse_body,
    parse_capture,
    parse_compact,
    parse_digital_id,
    seal_request,
    seal_sample,
    sign_compact,
    unwrap_session_key,
    verify,
)
from services.common.mosip_wire.biometric_block import iv_and_aad
from tests.unit.common.mosip_wire.conftest import AT, Holder

TRANSACTION = "1234567890"
WINDOW = TimeWindow()
DIGITAL_ID = {
    "serialNo": "1",
    "make": "MOSIP",
    "model": "SLAP01",
    "type": "Finger",
    "deviceSubType": "Slap",
    "deviceProvider": "MOSIP",
    "deviceProviderId": "MOSIP.PROXY.SBI",
    "dateTime": "2026-03-01T12:00:00Z",
}
CAPTURE = Capture(
    digital_id="ey",
    device_code="device",
    device_service_version="1.0",
    bio_type="Finger",
    bio_subtype="Left IndexFinger",
    bio_value=b"",
    transaction_id=TRANSACTION,
    timestamp=AT,
    timestamp_text=format_time(AT),
    env="Staging",
    domain_uri="https://idmesh.example",
)
DEVICE = DigitalId("1", "make", "model", "Finger", "Slap", "dp", "dpId", AT)
SAMPLES = {"Left IndexFinger": b"left", "Right Thumb": b"right", "Left LittleFinger": b"little"}


def sealed_items(platform: Holder, device: Holder) -> list[dict[str, str]]:
    """Return the items of a request as a capture device makes them, chained."""
    digital_id = sign_compact(json.dumps(DIGITAL_ID).encode(), device.key, [device.certificate])
    items, link = [], FIRST_LINK
    for subtype, sample in SAMPLES.items():
        sealed = seal_sample(
            sample,
            platform.certificate,
            timestamp_text=format_time(AT),
            transaction_id=TRANSACTION,
            previous=link,
        )
        link = sealed.link
        payload = capture_json(
            sealed,
            digital_id=digital_id,
            device_code="device",
            device_service_version="1.0",
            bio_type="Finger",
            bio_subtype=subtype,
            timestamp_text=format_time(AT),
            transaction_id=TRANSACTION,
            env="Staging",
            domain_uri="https://idmesh.example",
        )
        data = sign_compact(json.dumps(payload).encode(), device.key, [device.certificate])
        items.append(sealed.item(data))
    return items


def an_auth_request(platform: Holder) -> AuthRequest:
    body = build_auth_request(
        seal_request(b"{}", platform.certificate),
        individual_id="x@y",
        individual_id_type=None,
        transaction_id=TRANSACTION,
        at=AT,
        env="Staging",
        domain_uri="https://idmesh.example",
    )
    return parse_auth_request(parse_body(body), "mosip.identity.auth")


def refused(call: Any) -> WireError:
    with pytest.raises(WireError) as caught:
        call()
    return caught.value


def test_blocks_go_through_signature_decryption_and_chain(platform: Holder, device: Holder) -> None:
    block = parse_block(build_block(AT, biometrics=sealed_items(platform, device)))
    link, captures, opened = FIRST_LINK, [], {}
    for index, sealed in enumerate(block.biometrics):
        data = parse_compact(sealed.data)
        verify(data, device.certificate.public_key())
        assert data.payload is not None
        capture = parse_capture(data.payload, index)
        chip = parse_compact(capture.digital_id)
        verify(chip, device.certificate.public_key())
        assert chip.payload is not None
        captures.append((capture, parse_digital_id(chip.payload, index)))
        key = unwrap_session_key(sealed.session_key, platform.rsa_key)
        sample = open_sample(capture, key, index)
        link = check_link(link, sealed.hash, sample)
        opened[capture.bio_subtype] = sample
    assert opened == SAMPLES
    check_captures(an_auth_request(platform), captures, AT, WINDOW, CaptureRules())


def test_the_chain_is_of_raw_digests_in_uppercase_hex() -> None:
    first = hashlib.sha256(hashlib.sha256(b"").digest() + hashlib.sha256(b"one").digest())
    second = hashlib.sha256(first.digest() + hashlib.sha256(b"two").digest())
    link = check_link(FIRST_LINK, first.hexdigest().upper(), b"one")
    assert check_link(link, second.hexdigest().upper(), b"two") == second.digest()
    for stated in (first.hexdigest(), second.hexdigest().upper(), "", "é"):
        error = refused(lambda stated=stated: check_link(FIRST_LINK, stated, b"one"))
        assert error.code == "IDA-BIA-014"


def test_blocks_in_another_order_break_the_chain(platform: Holder, device: Holder) -> None:
    items = sealed_items(platform, device)
    block = parse_block(build_block(AT, biometrics=[items[1], items[0]]))
    payload = parse_compact(block.biometrics[0].data).payload
    assert payload is not None
    key = unwrap_session_key(block.biometrics[0].session_key, platform.rsa_key)
    sample = open_sample(parse_capture(payload, 0), key, 0)
    error = refused(lambda: check_link(FIRST_LINK, block.biometrics[0].hash, sample))
    assert error.code == "IDA-BIA-014"


@pytest.mark.parametrize(
    ("timestamp", "transaction"),
    [("2026-03-01T12:00:00.000Z", "1234567890"), ("2026-03-01T12:00:00Z", "x" * 40)],
)
def test_iv_and_aad_are_the_ends_of_the_padded_exclusive_or(
    timestamp: str, transaction: str
) -> None:
    length = max(len(timestamp), len(transaction))
    left = timestamp.encode().rjust(length, b"\0")
    right = transaction.encode().rjust(length, b"\0")
    mixed = bytes(a ^ b for a, b in zip(left, right, strict=True))
    assert iv_and_aad(timestamp, transaction) == (mixed[-12:], mixed[-16:])


def test_texts_too_short_for_an_aad_are_refused() -> None:
    with pytest.raises(ValueError, match="short"):
        iv_and_aad("2026", "1234567890")


def test_another_timestamp_transaction_or_key_does_not_open_a_sample(platform: Holder) -> None:
    sealed = seal_sample(
        b"sample",
        platform.certificate,
        timestamp_text=format_time(AT),
        transaction_id=TRANSACTION,
    )
    item = sealed.item("x")
    wrapped = base64.urlsafe_b64decode(item["sessionKey"] + "==")
    key = unwrap_session_key(wrapped, platform.rsa_key)
    value = base64.urlsafe_b64decode(sealed.bio_value + "==")
    capture = replace(CAPTURE, bio_value=value)
    assert open_sample(capture, key, 0) == b"sample"
    cases = [
        (replace(capture, timestamp_text="2026-03-01T12:00:00.001Z"), key),
        (replace(capture, transaction_id="1234567891"), key),
        (replace(capture, bio_value=value[:-1]), key),
        (replace(capture, bio_value=b""), key),
        (capture, bytes(32)),
        (capture, b"short"),
    ]
    for altered, with_key in cases:
        error = refused(lambda a=altered, k=with_key: open_sample(a, k, 0))
        assert error.code == "IDA-MPA-003"


def capture_document(**changes: Any) -> bytes:
    document = {
        "digitalId": "ey",
        "deviceCode": "d",
        "deviceServiceVersion": "1",
        "bioType": "Face",
        "bioSubType": "",
        "bioValue": "AAAA",
        "transactionId": TRANSACTION,
        "timestamp": "2026-03-01T12:00:00Z",
        "qualityScore": 80,
        "requestedScore": "60.5",
    } | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def test_a_capture_is_read_with_scores_as_numbers_or_text() -> None:
    capture = parse_capture(capture_document(), 0)
    assert (capture.quality_score, capture.requested_score) == (80, 60.5)
    assert capture.bio_subtype is None
    assert capture.timestamp == AT
    assert parse_capture(capture_document(qualityScore=-1), 0).quality_score is None


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"digitalId": None}, "IDA-MLC-006", "digitalId"),
        ({"deviceCode": ""}, "IDA-MLC-006", "deviceCode"),
        ({"deviceServiceVersion": None}, "IDA-MLC-006", "deviceServiceVersion"),
        ({"bioType": None}, "IDA-MLC-006", "bioType"),
        ({"bioValue": None}, "IDA-MLC-006", "bioValue"),
        ({"bioValue": "<empty>"}, "IDA-MLC-009", "bioValue"),
        ({"transactionId": None}, "IDA-MLC-006", "transactionId"),
        ({"timestamp": None}, "IDA-MLC-006", "timestamp"),
        ({"timestamp": "2026-03-01"}, "IDA-MLC-009", "timestamp"),
        ({"qualityScore": 101}, "IDA-MLC-009", "qualityScore"),
        ({"qualityScore": "nan"}, "IDA-MLC-009", "qualityScore"),
        ({"qualityScore": []}, "IDA-MLC-009", "qualityScore"),
    ],
)
def test_a_capture_at_fault_is_refused_with_its_path(
    changes: dict[str, Any], code: str, name: str
) -> None:
    error = refused(lambda: parse_capture(capture_document(**changes), 2))
    assert (error.code, error.arguments) == (code, (f"request/biometrics/2/data/{name}",))


@pytest.mark.parametrize("name", sorted(DIGITAL_ID))
def test_every_member_of_a_digital_id_is_mandatory(name: str) -> None:
    document = {key: value for key, value in DIGITAL_ID.items() if key != name}
    error = refused(lambda: parse_digital_id(json.dumps(document).encode(), 1))
    assert error.code == "IDA-MLC-006"
    assert error.arguments == (f"request/biometrics/1/data/digitalId/{name}",)


def test_a_digital_id_s_short_names_are_read() -> None:
    document = {k: v for k, v in DIGITAL_ID.items() if not k.startswith("deviceProvider")}
    digital_id = parse_digital_id(json.dumps(document | {"dp": "p", "dpId": "i"}).encode(), 0)
    assert (digital_id.device_provider, digital_id.device_provider_id) == ("p", "i")


@pytest.fixture(scope="module")
def request_(platform: Holder) -> AuthRequest:
    return an_auth_request(platform)


def with_types(*pairs: tuple[str, str | None]) -> list[tuple[Capture, DigitalId]]:
    return [
        (
            replace(CAPTURE, bio_type=bio_type, bio_subtype=subtype),
            replace(DEVICE, type="Finger" if bio_type == "FMR" else bio_type),
        )
        for bio_type, subtype in pairs
    ]


@pytest.mark.parametrize(
    ("types", "code"),
    [
        ([("Finger", "Left IndexFinger"), ("Iris", "Left"), ("Face", None)], None),
        ([("Finger", "UNKNOWN")] * 10, None),
        ([("Voice", None)], "IDA-MLC-009"),
        ([("FMR", "Left IndexFinger")], "IDA-MLC-009"),
        ([("Finger", "Left")], "IDA-MLC-009"),
        ([("Finger", None)], "IDA-MLC-009"),
        ([("Iris", "Left IndexFinger")], "IDA-MLC-009"),
        ([("Face", "Left")], "IDA-MLC-009"),
        ([("Finger", "Left IndexFinger")] * 2, "IDA-BIA-002"),
        ([("Finger", "UNKNOWN")] * 11, "IDA-BIA-003"),
        ([("Iris", "Left")] * 2, "IDA-BIA-007"),
        ([("Iris", "UNKNOWN")] * 3, "IDA-BIA-008"),
        ([("Face", None)] * 2, "IDA-BIA-009"),
    ],
)
def test_types_and_counts_of_captures(
    request_: AuthRequest, types: list[tuple[str, str | None]], code: str | None
) -> None:
    captures = with_types(*types)
    if code is None:
        check_captures(request_, captures, AT, WINDOW, CaptureRules())
    else:
        error = refused(lambda: check_captures(request_, captures, AT, WINDOW, CaptureRules()))
        assert error.code == code


def test_minutiae_are_taken_when_allowed(request_: AuthRequest) -> None:
    captures = with_types(("FMR", "Left IndexFinger"))
    check_captures(request_, captures, AT, WINDOW, CaptureRules(minutiae_allowed=True))


def test_a_modality_without_its_device_is_dpm_004(request_: AuthRequest) -> None:
    captures = [(CAPTURE, replace(DEVICE, type="Face"))]
    error = refused(lambda: check_captures(request_, captures, AT, WINDOW, CaptureRules()))
    assert error.code == "IDA-DPM-004"


@pytest.mark.parametrize(
    ("changes", "code", "arguments"),
    [
        (
            {"transaction_id": "9999999999"},
            "IDA-MLC-009",
            ("request/biometrics/0/data/transactionId",),
        ),
        ({"env": None}, "IDA-MLC-009", ("request/biometrics/0/data/env",)),
        (
            {"env": "Production"},
            "IDA-MLC-024",
            ("request/biometrics/0/data/env", "request/env"),
        ),
        ({"domain_uri": None}, "IDA-MLC-009", ("request/biometrics/0/data/domainUri",)),
        (
            {"domain_uri": "https://evil.example"},
            "IDA-MLC-024",
            ("request/biometrics/0/data/domainUri", "request/domainUri"),
        ),
    ],
)
def test_a_capture_belongs_to_its_envelope(
    request_: AuthRequest, changes: dict[str, Any], code: str, arguments: tuple[str, ...]
) -> None:
    captures = [(replace(CAPTURE, **changes), DEVICE)]
    error = refused(lambda: check_captures(request_, captures, AT, WINDOW, CaptureRules()))
    assert (error.code, error.arguments) == (code, arguments)


def test_an_envelope_without_environment_takes_no_capture_with_one(
    request_: AuthRequest,
) -> None:
    bare = replace(request_, env=None)
    error = refused(lambda: check_captures(bare, [(CAPTURE, DEVICE)], AT, WINDOW, CaptureRules()))
    assert error.arguments == ("request/env",)


def test_an_environment_that_is_not_allowed_is_refused(request_: AuthRequest) -> None:
    rules = CaptureRules(environment=EnvironmentRules(envs=frozenset({"Production"})))
    error = refused(lambda: check_captures(request_, [(CAPTURE, DEVICE)], AT, WINDOW, rules))
    assert error.arguments == ("request/biometrics/0/data/env",)


def timed(*offsets_s: tuple[float, float]) -> list[tuple[Capture, DigitalId]]:
    """Captures and their devices' times, as offsets from AT."""
    captures = with_types(
        ("Finger", "Left IndexFinger"), ("Finger", "Right Thumb"), ("Finger", "UNKNOWN")
    )[: len(offsets_s)]
    return [
        (
            replace(capture, timestamp=AT + timedelta(seconds=taken)),
            replace(device, captured_at=AT + timedelta(seconds=signed)),
        )
        for (capture, device), (taken, signed) in zip(captures, offsets_s, strict=True)
    ]


@pytest.mark.parametrize(
    ("offsets", "code"),
    [
        ([(-100, -100), (0, 0)], None),
        ([(-120, -120), (0, 0)], None),
        ([(-121, 0), (0, 0)], "IDA-MLC-030"),
        ([(1, 0), (0, 0)], "IDA-MLC-030"),
        ([(0, -121), (0, 0)], "IDA-MLC-031"),
        ([(0, 1), (0, 0)], "IDA-MLC-031"),
        ([(-61, -61)], "IDA-MLC-001"),
        ([(0, -61)], "IDA-MLC-001"),
        ([(31, 0)], "IDA-MLC-001"),
    ],
)
def test_captures_follow_one_another_and_the_last_is_fresh(
    request_: AuthRequest, offsets: list[tuple[float, float]], code: str | None
) -> None:
    captures = timed(*offsets)
    if code is None:
        check_captures(request_, captures, AT, WINDOW, CaptureRules())
    else:
        error = refused(lambda: check_captures(request_, captures, AT, WINDOW, CaptureRules()))
        assert error.code == code
    assert all(a[0] is not b[0] for a, b in pairwise(captures))


@given(st.binary(max_size=80), st.text(max_size=40), st.integers() | st.none() | st.text())
def test_arbitrary_captures_are_read_or_are_wire_errors(
    data: bytes, text: str, value: object
) -> None:
    for payload in (
        data,
        capture_document(timestamp=text),
        capture_document(bioValue=text, qualityScore=value),
    ):
        for parse in (parse_capture, parse_digital_id):
            with suppress(WireError):
                parse(payload, 0)
