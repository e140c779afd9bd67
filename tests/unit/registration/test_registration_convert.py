"""Proto to domain and back, and what machines are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from idmesh.processing.v1 import processing_pb2
from idmesh.registration.v1 import registration_pb2

from services.common import instants
from services.registration import convert
from services.registration.domain.packet import ExternalStatus, Packet, SyncRefusal
from services.registration.domain.progress import State, external_status
from services.registration.domain.settings import IdSchema, PacketKey, StationSettings
from tests.builders import CAPTURED_AT, a_sync_item


def test_every_status_has_its_wire_value() -> None:
    for status in ExternalStatus:
        packet = Packet(a_sync_item(), "10001", "10077", CAPTURED_AT, status=status)
        name = registration_pb2.ExternalStatus.Name(convert.status_to_proto(packet).status)
        assert name == f"EXTERNAL_STATUS_{status.name}"
    assert len(ExternalStatus) == len(registration_pb2.ExternalStatus.values()) - 1


def test_every_state_of_processing_is_known() -> None:
    for value in processing_pb2.RegistrationState.values()[1:]:
        name = processing_pb2.RegistrationState.Name(value)
        assert name == f"REGISTRATION_STATE_{convert.state_from_proto(value).name}"
    assert convert.state_from_proto(99) is State.PROCESSING


@pytest.mark.parametrize(
    ("state", "reason", "status"),
    [
        (State.PROCESSING, "", ExternalStatus.PROCESSING),
        (State.PAUSED, "CANDIDATES", ExternalStatus.PROCESSING),
        (State.PROCESSED, "", ExternalStatus.UIN_GENERATED),
        (State.REJECTED, "DUPLICATE", ExternalStatus.REJECTED),
        (State.FAILED, "PACKET_DECRYPT_FAILED", ExternalStatus.RESEND),
        (State.FAILED, "SCHEMA_VIOLATED", ExternalStatus.REREGISTER),
    ],
)
def test_a_machine_is_told(state: State, reason: str, status: ExternalStatus) -> None:
    assert external_status(state, reason) is status


def test_a_sync_item_comes_over_whole() -> None:
    item = a_sync_item(b"content", approved=False)
    proto = registration_pb2.SyncItem(
        registration_id=item.registration_id,
        packet_id=item.packet_id,
        process=item.process,
        sha256=item.sha256,
        size=item.size,
        supervisor_decision=registration_pb2.SUPERVISOR_DECISION_REJECTED,
        language=item.language,
    )
    assert convert.sync_item_from_proto(proto) == item


def test_sync_results() -> None:
    accepted = convert.sync_result_to_proto("a", None)
    assert (accepted.packet_id, accepted.accepted, accepted.reason) == ("a", True, "")
    refused = convert.sync_result_to_proto("b", SyncRefusal("PROCESS_UNKNOWN", "RPR-RGS-003"))
    assert (refused.accepted, refused.mosip_code) == (False, "RPR-RGS-003")


def test_settings_come_over_whole() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    key = PacketKey("10001", "10077", b"certificate", b"\x01" * 32, "core/transit/pkt-10001", 2)
    settings = StationSettings(key, IdSchema(0.1, "{}", at), 5_000_000, at + timedelta(seconds=1))
    proto = convert.settings_to_proto(settings)
    assert convert.packet_key_from_proto(proto.packet_key) == key
    assert convert.id_schema_from_proto(proto.id_schema) == settings.id_schema
    assert proto.max_packet_size == 5_000_000
    assert instants.from_proto(proto.server_time) == settings.server_time


def test_an_event_says_what_was_received() -> None:
    packet = Packet(a_sync_item(), "10001", "10077", CAPTURED_AT, received_at=CAPTURED_AT)
    event = convert.packet_received_to_proto(packet)
    assert (event.packet_id, event.sha256) == (packet.item.packet_id, packet.item.sha256)
    assert (event.centre_id, event.machine_id) == ("10001", "10077")
    assert event.supervisor_approved
