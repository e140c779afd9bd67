"""Proto to domain and back."""

from __future__ import annotations

from idmesh.masterdata.v1 import masterdata_pb2, masterdata_service_pb2
from idmesh.processing.v1 import processing_pb2
from idmesh.registration.v1 import (
    registration_events_pb2,
    registration_pb2,
    registration_service_pb2,
)

from services.common import instants
from services.registration.domain.machine import Machine
from services.registration.domain.packet import ExternalStatus, Packet, SyncItem, SyncRefusal
from services.registration.domain.progress import State
from services.registration.domain.settings import IdSchema, PacketKey, StationSettings

_STATUS = {
    status: registration_pb2.ExternalStatus.Value(f"EXTERNAL_STATUS_{status.name}")
    for status in ExternalStatus
}
_STATES: dict[int, State] = {
    processing_pb2.RegistrationState.Value(f"REGISTRATION_STATE_{state.name}"): state
    for state in State
}


def sync_item_from_proto(item: registration_pb2.SyncItem) -> SyncItem:
    """Return the domain form."""
    approved = registration_pb2.SUPERVISOR_DECISION_APPROVED
    return SyncItem(
        registration_id=item.registration_id,
        packet_id=item.packet_id,
        process=item.process,
        sha256=item.sha256,
        size=item.size,
        supervisor_approved=item.supervisor_decision == approved,
        language=item.language,
    )


def sync_result_to_proto(
    packet_id: str, refusal: SyncRefusal | None
) -> registration_service_pb2.SyncResult:
    """Return the wire form."""
    if refusal is None:
        return registration_service_pb2.SyncResult(packet_id=packet_id, accepted=True)
    return registration_service_pb2.SyncResult(
        packet_id=packet_id, reason=refusal.reason, mosip_code=refusal.mosip_code
    )


def status_to_proto(packet: Packet) -> registration_pb2.RegistrationStatus:
    """Return the wire form."""
    return registration_pb2.RegistrationStatus(
        registration_id=packet.item.registration_id,
        packet_id=packet.item.packet_id,
        status=_STATUS[packet.status],
        reason=packet.status_reason,
        changed_at=instants.to_proto(packet.status_changed_at or packet.synced_at),
    )


def packet_received_to_proto(packet: Packet) -> registration_events_pb2.PacketReceived:
    """Return the event."""
    return registration_events_pb2.PacketReceived(
        registration_id=packet.item.registration_id,
        packet_id=packet.item.packet_id,
        process=packet.item.process,
        centre_id=packet.centre_id,
        machine_id=packet.machine_id,
        sha256=packet.item.sha256,
        size=packet.item.size,
        received_at=instants.to_proto(packet.received_at),
        supervisor_approved=packet.item.supervisor_approved,
    )


def state_from_proto(state: int) -> State:
    """Return the domain form; a state that is not known here is one of being processed."""
    return _STATES.get(state, State.PROCESSING)


def machine_from_proto(response: masterdata_service_pb2.GetMachineResponse) -> Machine:
    """Return the domain form."""
    return Machine(
        machine_id=response.machine.machine_id,
        centre_id=response.machine.centre_id,
        signing_public_key=response.machine.signing_public_key,
        operational=response.operational,
    )


def packet_key_from_proto(key: masterdata_pb2.PacketKey) -> PacketKey:
    """Return the domain form."""
    return PacketKey(
        centre_id=key.centre_id,
        machine_id=key.machine_id,
        certificate=key.certificate,
        thumbprint=key.thumbprint,
        key_name=key.key_name,
        key_version=key.key_version,
    )


def id_schema_from_proto(schema: masterdata_pb2.IdSchema) -> IdSchema:
    """Return the domain form."""
    return IdSchema(schema.version, schema.document, instants.from_proto(schema.effective_at))


def settings_to_proto(
    settings: StationSettings,
) -> registration_service_pb2.GetStationSettingsResponse:
    """Return the wire form."""
    key, schema = settings.packet_key, settings.id_schema
    return registration_service_pb2.GetStationSettingsResponse(
        packet_key=masterdata_pb2.PacketKey(
            centre_id=key.centre_id,
            machine_id=key.machine_id,
            certificate=key.certificate,
            thumbprint=key.thumbprint,
            key_name=key.key_name,
            key_version=key.key_version,
        ),
        id_schema=masterdata_pb2.IdSchema(
            version=schema.version,
            document=schema.document,
            effective_at=instants.to_proto(schema.effective_at),
        ),
        max_packet_size=settings.max_packet_bytes,
        server_time=instants.to_proto(settings.server_time),
    )
