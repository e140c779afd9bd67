"""Packets that cannot be used end in a reasoned status; nothing of them is quoted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from services.common import packet as mosip
from services.common.packet import (
    MetaInfo,
    Registration,
    SubPacketDraft,
    build_container,
    build_sub_packet,
    seal,
    sign_sub_packet,
)
from services.processing.domain.registration import RegistrationState
from services.registration_client.applicant import cbeff_of
from services.registration_client.builder import SealedPacket
from tests.builders import CAPTURED_AT, a_machine_key
from tests.fakes.processing import FakeStore
from tests.fakes.processing_parts import CENTRE, KEY_NAME, MACHINE, a_schema
from tests.fakes.processing_service import ProcessingUnderTest

FAILED, REJECTED = RegistrationState.FAILED, RegistrationState.REJECTED


def resealed(
    original: SealedPacket,
    certificate: x509.Certificate,
    *,
    fields: dict[str, Any] | None = None,
    biometrics: dict[str, bytes] | None = None,
    rid: str | None = None,
    meta_rid: str | None = None,
    sign: Callable[[bytes], bytes] | None = None,
    spoil: Callable[[bytes], bytes] = bytes,
    schema_version: float | None = None,
) -> SealedPacket:
    """Return a packet of one sub-packet with faults that the client would not make."""
    rid = rid or original.registration_id
    meta = MetaInfo(
        registration_id=meta_rid or rid,
        created_at=CAPTURED_AT,
        labels={"centerId": CENTRE, "machineId": MACHINE},
    )
    version = a_schema()[0] if schema_version is None else schema_version
    draft = SubPacketDraft(
        schema_version=version,
        fields=fields or {},
        biometrics=biometrics or {"individualBiometrics": cbeff_of([])},
        audits=[],
    )
    plain = spoil(build_sub_packet(draft, meta))
    registration = Registration(
        rid, "REGISTRATION_CLIENT", "NEW", version, CAPTURED_AT, f"{CENTRE}_{MACHINE}"
    )
    sign = sign or (lambda content: sign_sub_packet(content, a_machine_key()))
    container = build_container(registration, {"id": plain}, certificate, sign)
    return replace(original, content=seal(container, certificate))


async def outcome(
    processing: ProcessingUnderTest, packet: SealedPacket, **changes: Any
) -> tuple[RegistrationState, str]:
    rid = await processing.submit(packet, **changes)
    await processing.work()
    state, stage, reason = await processing.state_of(rid)
    assert stage == "open_packet"
    return state, reason


async def test_a_packet_that_the_supervisor_refused_is_rejected(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    packet = processing.station.enrol(1, approved=False)
    assert await outcome(processing, packet) == (REJECTED, "SUPERVISOR_REJECTED")
    [row] = store.tables.rows.values()
    assert row.registration.mosip_code == "RPR-PVM-FAILED-011"
    assert store.tables.actions[-1] == "REGISTRATION_REJECTED"


async def test_changed_bytes_fail(processing: ProcessingUnderTest) -> None:
    packet = processing.station.enrol(1)
    changed = replace(packet, content=packet.content[:-1] + b"\0")
    digest = hashlib.sha256(packet.content).digest()
    refused = (FAILED, "PACKET_HASH_MISMATCH")
    assert await outcome(processing, changed, sha256=digest) == refused
    other = replace(processing.station.enrol(2), content=changed.content)
    assert await outcome(processing, other) == (FAILED, "PACKET_DECRYPT_FAILED")


async def test_a_packet_longer_than_announced_fails(processing: ProcessingUnderTest) -> None:
    packet = processing.station.enrol(1)
    size = len(packet.content) - 1
    assert await outcome(processing, packet, size=size) == (FAILED, "PACKET_HASH_MISMATCH")


async def test_a_packet_of_an_unknown_key_or_of_another_machine_fails(
    processing: ProcessingUnderTest,
) -> None:
    keys = dict(processing.masterdata.keys)
    processing.masterdata.keys.clear()
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "PACKET_KEY_UNKNOWN")
    [(thumbprint, key)] = keys.items()
    processing.masterdata.keys[thumbprint] = replace(key, machine_id="10099")
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "PACKET_KEY_OF_ANOTHER_MACHINE")


async def test_a_packet_for_another_version_of_the_key_fails(
    processing: ProcessingUnderTest,
) -> None:
    await processing.vault.rotate_key(KEY_NAME)
    for thumbprint, key in processing.masterdata.keys.items():
        processing.masterdata.keys[thumbprint] = replace(key, key_version=2)
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "PACKET_DECRYPT_FAILED")


async def test_a_machine_that_was_not_operational_is_not_believed(
    processing: ProcessingUnderTest,
) -> None:
    machine = processing.masterdata.machines[MACHINE]
    processing.masterdata.machines[MACHINE] = replace(machine, operational=False)
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "MACHINE_NOT_OPERATIONAL")
    processing.masterdata.machines[MACHINE] = replace(machine, centre_id="10002")
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "MACHINE_OF_ANOTHER_CENTRE")
    processing.masterdata.machines.clear()
    packet = processing.station.enrol(1)
    assert await outcome(processing, packet) == (FAILED, "MACHINE_UNKNOWN")


async def test_a_signature_of_another_key_fails(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    station = replace(processing.station, key=a_machine_key("thief"))
    refused = (FAILED, "PACKET_SIGNATURE_INVALID")
    assert await outcome(processing, station.enrol(1)) == refused
    [row] = store.tables.rows.values()
    assert row.registration.mosip_code == "KER-PUT-019"


async def test_a_packet_from_the_future_fails(processing: ProcessingUnderTest) -> None:
    early = CAPTURED_AT - timedelta(hours=1)
    packet = processing.station.enrol(1)
    refused = (FAILED, "PACKET_FROM_THE_FUTURE")
    assert await outcome(processing, packet, received_at=early) == refused


async def test_a_packet_of_another_registration_fails(processing: ProcessingUnderTest) -> None:
    certificate = processing.station.certificate
    first, second = processing.station.enrol(1), processing.station.enrol(1)
    other = resealed(first, certificate, rid=second.registration_id)
    assert await outcome(processing, other) == (FAILED, "PACKET_REGISTRATION_MISMATCH")
    third = processing.station.enrol(1)
    other = resealed(third, certificate, meta_rid=first.registration_id, fields=processing_fields())
    assert await outcome(processing, other) == (FAILED, "PACKET_META_INFO_MISMATCH")


async def test_fields_against_the_schema_fail(processing: ProcessingUnderTest) -> None:
    certificate = processing.station.certificate
    fields = processing_fields()
    for change, reason in (
        ({"fullName": None}, "ID_FIELD_MISSING"),
        ({"unknownField": "x"}, "ID_SCHEMA_INVALID"),
        ({"dateOfBirth": 19900203}, "ID_SCHEMA_INVALID"),
        ({"phone": "not a phone"}, "ID_SCHEMA_INVALID"),
    ):
        packet = resealed(
            processing.station.enrol(1),
            certificate,
            fields={k: v for k, v in (fields | change).items() if v is not None},
        )
        assert await outcome(processing, packet) == (FAILED, reason)


@pytest.mark.parametrize("version", [0, -1.0, 99.5])
async def test_a_schema_version_that_does_not_exist_fails_and_is_not_taken_for_the_newest(
    processing: ProcessingUnderTest, version: float
) -> None:
    processing.masterdata.schemas[0] = processing.masterdata.schemas[a_schema()[0]]
    packet = resealed(
        processing.station.enrol(1),
        processing.station.certificate,
        fields=processing_fields(),
        schema_version=version,
    )
    assert await outcome(processing, packet) == (FAILED, "ID_SCHEMA_UNKNOWN")


async def test_biometrics_that_do_not_parse_fail(processing: ProcessingUnderTest) -> None:
    certificate = processing.station.certificate
    packet = resealed(
        processing.station.enrol(1),
        certificate,
        fields=processing_fields(),
        biometrics={"individualBiometrics": b"<BIR/>"},
    )
    assert await outcome(processing, packet) == (FAILED, "CBEFF_MALFORMED")


async def test_an_archive_that_is_none_fails(processing: ProcessingUnderTest) -> None:
    packet = resealed(
        processing.station.enrol(1), processing.station.certificate, spoil=lambda _: b"PK"
    )
    assert await outcome(processing, packet) == (FAILED, "PACKET_ZIP_MALFORMED")


async def test_consent_withheld_fails(processing: ProcessingUnderTest) -> None:
    packet = processing.station.enrol(1, changes={"consent": "N"})
    assert await outcome(processing, packet) == (FAILED, "CONSENT_WITHHELD")


def processing_fields() -> dict[str, Any]:
    """Return fields that the default schema takes; documents and captures left out."""
    from services.synthetic import make_person

    return make_person(1).fields()


def test_every_fault_of_the_format_has_a_reason_of_a_packet() -> None:
    from services.processing.domain.packet import refused

    error = refused(mosip.PacketError("ZIP_BOMB", "entry[0]"))
    assert (error.reason, error.mosip_code) == ("PACKET_ZIP_BOMB", "RPR-PVM-FAILED-018")
    error = refused(mosip.PacketError("PACKET_TRUNCATED", "sealed"))
    assert error.reason == "PACKET_TRUNCATED"
