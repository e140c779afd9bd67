"""Packets as a machine builds them, opened the way the server does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from services.common.biometrics import read_cbeff
from services.common.ids import PacketId
from services.common.packet import (
    SubPacket,
    open_sealed,
    parse_sealed,
    read_container,
    read_sub_packet,
    verify_hashes,
    verify_sub_packet,
)
from services.masterdata.store.defaults import default_id_schema
from services.registration_client import (
    Applicant,
    Capture,
    PacketRefusedError,
    StationSettings,
    build_packet,
    cbeff_of,
)
from services.synthetic import capture, make_person
from tests.builders import CAPTURED_AT, a_machine_key, a_rid

CENTRE_KEY = a_machine_key("centre")


def settings(max_packet_bytes: int = 5_000_000) -> StationSettings:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "10001_10077")])
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(CENTRE_KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(CENTRE_KEY, hashes.SHA256())
    )
    schema = json.loads(default_id_schema().document)
    der = certificate.public_bytes(Encoding.DER)
    return StationSettings("10001", "10077", der, 0.1, schema, max_packet_bytes)


def applicant(**fields: object) -> Applicant:
    person = make_person(3)
    return Applicant(
        fields=person.fields() | fields,
        documents=person.documents(),
        biometrics={"individualBiometrics": cbeff_of(capture(person, 1), created_at=CAPTURED_AT)},
    )


def opened(content: bytes) -> bytes:
    parts = parse_sealed(content)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return open_sealed(parts, CENTRE_KEY.decrypt(parts.wrapped_key, oaep))


def built(**options: object) -> tuple[str, dict[str, SubPacket]]:
    """Build a packet and read it as the server does, verifying everything."""
    packet = build_packet(
        applicant(),
        settings=settings(),
        machine_key=a_machine_key(),
        rid=a_rid(),
        created_at=CAPTURED_AT,
        **options,  # type: ignore[arg-type]
    )
    container = read_container(opened(packet.content))
    sub_packets = {}
    for name, sealed in container.sub_packets.items():
        plain = opened(sealed.sealed)
        verify_sub_packet(sealed.metadata, plain, sealed.sealed, a_machine_key().public_key())
        sub_packets[name] = read_sub_packet(plain)
        verify_hashes(sub_packets[name])
    return packet.packet_id, sub_packets


def test_a_packet_opens_with_the_centres_key_and_everything_verifies() -> None:
    packet_id, parts = built()
    assert PacketId.parse(packet_id) == PacketId.of(a_rid(), CAPTURED_AT)
    assert sorted(parts) == ["evidence", "id"]
    assert parts["id"].fields["dateOfBirth"] == make_person(3).date_of_birth.strftime("%Y/%m/%d")
    assert list(parts["evidence"].documents) == ["proofOfIdentity"]
    assert parts["evidence"].fields == {"consent": "Y"}
    segments = read_cbeff(parts["id"].biometrics["individualBiometrics"]).segments
    assert len(segments) == 13
    assert parts["id"].audit is not None
    meta = parts["id"].meta_info
    assert meta.labels["registrationType"] == "NEW"
    assert set(meta.biometrics["applicant"]) >= {"rightThumb", "leftEye", "face"}


def test_nothing_of_the_person_is_readable_in_a_packet() -> None:
    packet = build_packet(
        applicant(), settings=settings(), machine_key=a_machine_key(), rid=a_rid()
    )
    person = make_person(3)
    for text in (person.email, person.phone, person.full_name[0], "fullName", "FMR", "PK\x03\x04"):
        assert text.encode() not in packet.content


def test_the_schema_is_held_to_before_anything_is_sealed() -> None:
    wrong = applicant(
        dateOfBirth="1990-01-01", phone="12", shoeSize="43", gender=[{"language": "english"}]
    )
    incomplete = Applicant(fields={"fullName": []})
    for person, expected in (
        (wrong, {"dateOfBirth", "phone", "shoeSize", "gender"}),
        (incomplete, {"dateOfBirth", "gender", "individualBiometrics", "fullName"}),
    ):
        with pytest.raises(PacketRefusedError) as refused:
            build_packet(person, settings=settings(), machine_key=a_machine_key(), rid=a_rid())
        text = str(refused.value)
        for name in expected:
            assert name in text
        assert "1990-01-01" not in text


def test_a_field_cannot_be_given_twice() -> None:
    person = applicant(proofOfIdentity={"format": "pdf"})
    with pytest.raises(PacketRefusedError, match="given twice"):
        build_packet(person, settings=settings(), machine_key=a_machine_key(), rid=a_rid())


def test_a_packet_that_the_server_would_refuse_for_its_size_is_not_built() -> None:
    with pytest.raises(PacketRefusedError, match="at most 1000"):
        build_packet(applicant(), settings=settings(1000), machine_key=a_machine_key(), rid=a_rid())


def test_captures_that_are_no_cbeff_are_refused() -> None:
    broken = Applicant(
        fields=make_person(3).fields(), biometrics={"individualBiometrics": b"<no/>"}
    )
    with pytest.raises(PacketRefusedError, match="individualBiometrics"):
        build_packet(broken, settings=settings(), machine_key=a_machine_key(), rid=a_rid())


def test_a_capture_of_no_known_finger_is_refused() -> None:
    with pytest.raises(ValueError, match="POSITION_UNKNOWN"):
        cbeff_of([Capture("finger", 11, b"x")])


def test_settings_are_kept_for_offline_days() -> None:
    kept = StationSettings.from_json(settings().to_json())
    assert kept == settings()
    assert kept.x509().not_valid_after_utc - datetime(2027, 1, 1, tzinfo=UTC) < timedelta(1)
