"""Protos to domain and back."""

from __future__ import annotations

from uuid import UUID

from google.api import httpbody_pb2
from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2

from services.audit.domain.record import LogRecord, Outcome, RecordedAct, SearchFilter
from services.audit.domain.tree import Consistency, Inclusion, Refusals
from services.common import instants

_COMMITMENT_BYTES = 32
_UUID_BYTES = 16
# MOSIP's event types.
_PEOPLE = frozenset({"operator", "partner", "individual"})


def act_from_event(event: audit_events_pb2.AuditRecorded) -> RecordedAct:
    """Return the act of an event, with the bytes that its leaf is hashed from."""
    leaf = event
    if event.sealed_personal:
        leaf = audit_events_pb2.AuditRecorded()
        leaf.CopyFrom(event)
        leaf.ClearField("sealed_personal")
    committed = len(event.personal_commitment) == _COMMITMENT_BYTES
    return RecordedAct(
        audit_id=UUID(bytes=event.audit_id),
        acted_at=instants.from_proto(event.acted_at),
        service=event.service,
        action=event.action,
        outcome=Outcome(event.outcome),
        actor_kind=event.actor.kind,
        actor_id=event.actor.id,
        subject_kind=event.subject.kind,
        subject_key=event.subject.key,
        correlation_id=event.correlation_id,
        details=dict(event.details),
        canonical=leaf.SerializeToString(deterministic=True),
        host_name=event.host.name,
        host_address=event.host.address,
        module=event.module,
        personal_commitment=event.personal_commitment,
        # What no commitment stands for could be exchanged unseen.
        sealed_personal=event.sealed_personal if committed else b"",
    )


def event_from_canonical(canonical: bytes) -> audit_events_pb2.AuditRecorded:
    """Return the event that was hashed."""
    return audit_events_pb2.AuditRecorded.FromString(canonical)


def filter_from_proto(request: audit_service_pb2.SearchRecordsRequest) -> SearchFilter:
    """Return what a request looks for."""
    return SearchFilter(
        service=request.service,
        action=request.action,
        actor_id=request.actor_id,
        acted_from=instants.optional(request, "acted_from"),
        acted_before=instants.optional(request, "acted_before"),
        actor_kind=request.actor_kind,
        subject_kind=request.subject_kind,
        subject_key=request.subject_key,
        correlation_id=request.correlation_id,
        outcome=Outcome(request.outcome) if request.outcome else None,
    )


def record_to_proto(record: LogRecord) -> audit_service_pb2.Record:
    """Return a record as it is served."""
    return audit_service_pb2.Record(
        index=record.index,
        leaf_hash=record.leaf_hash,
        recorded=event_from_canonical(record.act.canonical),
        mosip=mosip_from_record(record),
    )


def mosip_from_record(record: LogRecord) -> audit_service_pb2.MosipAudit:
    """Return a record in the fields of MOSIP's audit manager."""
    act = record.act
    return audit_service_pb2.MosipAudit(
        log_id=str(act.audit_id),
        log_dtimes=instants.to_proto(record.appended_at),
        event_id=act.action,
        event_name=act.action.replace("_", " ").capitalize(),
        event_type="USER" if act.actor_kind in _PEOPLE else "SYSTEM",
        action_dtimes=instants.to_proto(act.acted_at),
        host_name=act.host_name,
        host_ip=act.host_address,
        session_user_id=act.actor_id,
        session_user_name=act.actor_kind,
        application_id=act.service.upper(),
        application_name=act.service,
        module_id=act.module,
        module_name=act.module.rpartition("/")[2],
        id=_readable(act.subject_key),
        id_type=act.subject_kind,
        created_by=act.service,
        description=", ".join(f"{name}={value}" for name, value in sorted(act.details.items())),
    )


def inclusion_to_proto(proof: Inclusion) -> audit_service_pb2.GetInclusionProofResponse:
    """Return a proof as it is served."""
    return audit_service_pb2.GetInclusionProofResponse(
        index=proof.index,
        tree_size=proof.size,
        entry=proof.entry,
        path=proof.path,
        checkpoint=proof.note,
    )


def consistency_to_proto(proof: Consistency) -> audit_service_pb2.GetConsistencyProofResponse:
    """Return a proof as it is served."""
    return audit_service_pb2.GetConsistencyProofResponse(
        from_size=proof.old.size,
        to_size=proof.new.size,
        path=proof.path,
        from_root=proof.old.root,
        to_root=proof.new.root,
    )


def refusals_from_proto(refusals: audit_service_pb2.Refusals) -> Refusals:
    """Return what the gateway counted."""
    return Refusals(
        partner_id=refusals.partner_id,
        reason=refusals.reason,
        count=refusals.count,
        first_at=instants.from_proto(refusals.first_at),
        last_at=instants.from_proto(refusals.last_at),
        correlation_id=refusals.correlation_id,
    )


def file_to_proto(data: bytes, kind: str) -> httpbody_pb2.HttpBody:
    """Return a file of the log as REST and gRPC serve it."""
    return httpbody_pb2.HttpBody(content_type=kind, data=data)


def _readable(key: bytes) -> str:
    """Return a subject as people write it: a UUID, printable text, else hex."""
    if len(key) == _UUID_BYTES and not _is_text(key):
        return str(UUID(bytes=key))
    return key.decode("ascii") if _is_text(key) else key.hex()


def _is_text(key: bytes) -> bool:
    return key.isascii() and key.decode("ascii").isprintable()
