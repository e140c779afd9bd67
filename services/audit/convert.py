"""Protos to domain and back."""

from __future__ import annotations

from uuid import UUID

from idmesh.audit.v1 import audit_events_pb2, audit_service_pb2

from services.audit.domain.record import LogRecord, Outcome, RecordedAct, SearchFilter
from services.common import instants


def act_from_event(event: audit_events_pb2.AuditRecorded) -> RecordedAct:
    """Return the act of an event, with the bytes that its leaf is hashed from."""
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
        canonical=event.SerializeToString(deterministic=True),
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
    )


def record_to_proto(record: LogRecord) -> audit_service_pb2.Record:
    """Return a record as it is served."""
    return audit_service_pb2.Record(
        index=record.index,
        leaf_hash=record.leaf_hash,
        recorded=event_from_canonical(record.act.canonical),
    )
