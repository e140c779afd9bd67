"""Proto to domain and back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2, identity_service_pb2

from services.common import instants
from services.identity.domain.identity import (
    Identity,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
)
from services.identity.domain.record import Modality, Record, Template
from services.identity.domain.vid import OpenVid, Vid, VidState, VidType
from services.identity.usecases.find_individual import IndividualName


def record_from_proto(record: identity_pb2.IdentityRecord) -> Record:
    """Return the record."""
    return Record(
        demographics=record.demographics,
        schema_version=record.schema_version,
        templates=tuple(
            Template(Modality(template.modality), template.position, template.data)
            for template in record.templates
        ),
    )


def record_to_proto(record: Record) -> identity_pb2.IdentityRecord:
    """Return the message."""
    return identity_pb2.IdentityRecord(
        demographics=record.demographics,
        schema_version=record.schema_version,
        templates=[
            biometrics_pb2.Template(
                modality=biometrics_pb2.Modality.ValueType(template.modality.value),
                position=template.position,
                data=template.data,
            )
            for template in record.templates
        ],
    )


def record_to_bytes(record: Record) -> bytes:
    """Return the record as it is sealed."""
    return record_to_proto(record).SerializeToString(deterministic=True)


def record_from_bytes(data: bytes) -> Record:
    """Undo record_to_bytes."""
    return record_from_proto(identity_pb2.IdentityRecord.FromString(data))


def authentication_record_to_bytes(record: Record, uin: str) -> bytes:
    """Return an AuthenticationRecord as it is sealed."""
    message = identity_pb2.AuthenticationRecord(record=record_to_proto(record), uin=uin)
    return message.SerializeToString(deterministic=True)


def name_from_proto(name: identity_service_pb2.IndividualName) -> IndividualName:
    """Return the name; the interface's rules make sure that it has one."""
    return IndividualName(uin=name.uin, vid=name.vid)


def state_from_proto(state: identity_pb2.IdentityState.ValueType) -> IdentityState:
    """Return the state, which must be specified."""
    return IdentityState[identity_pb2.IdentityState.Name(state).removeprefix("IDENTITY_STATE_")]


def state_to_proto(state: IdentityState) -> identity_pb2.IdentityState.ValueType:
    """Return the enum value."""
    return identity_pb2.IdentityState.Value(f"IDENTITY_STATE_{state.name}")


def vid_type_from_proto(type_: identity_pb2.VidType.ValueType) -> VidType:
    """Return the type, which must be specified."""
    return VidType[identity_pb2.VidType.Name(type_).removeprefix("VID_TYPE_")]


def vid_type_to_proto(type_: VidType) -> identity_pb2.VidType.ValueType:
    """Return the enum value."""
    return identity_pb2.VidType.Value(f"VID_TYPE_{type_.name}")


def vid_state_to_proto(state: VidState) -> identity_pb2.VidState.ValueType:
    """Return the enum value."""
    return identity_pb2.VidState.Value(f"VID_STATE_{state.name}")


def vid_to_proto(vid: OpenVid) -> identity_pb2.Vid:
    """Return the VID with its digits, for its holder."""
    return identity_pb2.Vid(
        vid=vid.digits,
        type=vid_type_to_proto(vid.stored.type),
        state=vid_state_to_proto(vid.stored.state),
        expires_at=instants.to_proto(vid.stored.expires_at),
        transactions_left=vid.stored.transactions_left,
    )


def vid_changed(vid: Vid) -> identity_events_pb2.VidChanged:
    """Return the event of a VID as it is now."""
    return identity_events_pb2.VidChanged(
        identity_id=vid.identity_id.bytes,
        vid_lookup_key=vid.published.digest,
        lookup_key_version=vid.published.version,
        type=vid_type_to_proto(vid.type),
        state=vid_state_to_proto(vid.state),
        expires_at=instants.to_proto(vid.expires_at),
        transactions_left=vid.transactions_left,
    )


def identity_published(
    identity: Identity, uin: LookupKey, record: SealedForAuthentication
) -> identity_events_pb2.IdentityPublished:
    """Return the event of an identity that can be used from now on."""
    return identity_events_pb2.IdentityPublished(
        identity_id=identity.identity_id.bytes,
        version=identity.version,
        uin_lookup_key=uin.digest,
        lookup_key_version=uin.version,
        record=identity_pb2.SealedForAuthentication(
            sealed=record.sealed, wrapped_key=record.wrapped_key
        ),
        state=state_to_proto(identity.state),
    )


def identity_state_changed(
    identity_id: UUID, state: IdentityState, changed_at: datetime
) -> identity_events_pb2.IdentityStateChanged:
    """Return the event of a state."""
    return identity_events_pb2.IdentityStateChanged(
        identity_id=identity_id.bytes,
        state=state_to_proto(state),
        changed_at=instants.to_proto(changed_at),
    )


def uin_key_replaced(identity_id: UUID, new: LookupKey) -> identity_events_pb2.LookupKeyReplaced:
    """Return the event of what a UIN is found by from now on."""
    return identity_events_pb2.LookupKeyReplaced(
        identity_id=identity_id.bytes, lookup_key=new.digest, lookup_key_version=new.version
    )


def vid_key_replaced(old: LookupKey, new: LookupKey) -> identity_events_pb2.LookupKeyReplaced:
    """Return the event of what a VID is found by from now on."""
    return identity_events_pb2.LookupKeyReplaced(
        vid_lookup_key=old.digest, lookup_key=new.digest, lookup_key_version=new.version
    )
