"""Proto and JSON to domain and back."""

from __future__ import annotations

import json
from collections.abc import Sequence

from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.feed.v1 import feed_pb2
from idmesh.identity.v1 import identity_pb2
from idmesh.processing.v1 import processing_events_pb2, processing_pb2
from idmesh.registration.v1 import registration_events_pb2

from services.common import instants
from services.processing.domain.candidates import CaseCandidate, TemplateSimilarity
from services.processing.domain.case import Decision, PersonView
from services.processing.domain.packet import Modality, OpenedPacket, Template
from services.processing.domain.registration import (
    GalleryPosition,
    JournalEntry,
    Received,
    Registration,
    RegistrationState,
)
from services.processing.usecases.cases import CaseWithReason


def received_from_event(event: registration_events_pb2.PacketReceived) -> Received:
    """Return the packet that registration stored."""
    return Received(
        registration_id=event.registration_id,
        packet_id=event.packet_id,
        process=event.process,
        centre_id=event.centre_id,
        machine_id=event.machine_id,
        sha256=event.sha256,
        size=event.size,
        received_at=instants.from_proto(event.received_at),
        supervisor_approved=event.supervisor_approved,
    )


def advanced(registration: Registration) -> processing_events_pb2.RegistrationAdvanced:
    """Return the event of a registration's present state."""
    return processing_events_pb2.RegistrationAdvanced(
        registration_id=registration.registration_id,
        packet_id=registration.received.packet_id,
        state=state_to_proto(registration.state),
        reason=registration.reason,
        mosip_code=registration.mosip_code,
        changed_at=instants.to_proto(registration.changed_at),
    )


def turned_away(received: Received, reason: str) -> processing_events_pb2.RegistrationAdvanced:
    """Return the event of a packet that is not wanted; it says nothing of its registration."""
    return processing_events_pb2.RegistrationAdvanced(
        registration_id=received.registration_id,
        packet_id=received.packet_id,
        state=processing_pb2.REGISTRATION_STATE_FAILED,
        reason=reason,
        changed_at=instants.to_proto(received.received_at),
    )


def state_to_proto(
    state: RegistrationState,
) -> processing_pb2.RegistrationState.ValueType:
    """Return the enum value."""
    return processing_pb2.RegistrationState.Value(f"REGISTRATION_STATE_{state.name}")


def state_from_proto(
    state: processing_pb2.RegistrationState.ValueType,
) -> RegistrationState | None:
    """Return the state, None for unspecified."""
    if state == processing_pb2.REGISTRATION_STATE_UNSPECIFIED:
        return None
    name = processing_pb2.RegistrationState.Name(state)
    return RegistrationState[name.removeprefix("REGISTRATION_STATE_")]


def registration_to_proto(registration: Registration) -> processing_pb2.Registration:
    """Return the message."""
    return processing_pb2.Registration(
        registration_id=registration.registration_id,
        packet_id=registration.received.packet_id,
        process=registration.received.process,
        state=state_to_proto(registration.state),
        stage=registration.stage,
        reason=registration.reason,
        mosip_code=registration.mosip_code,
        received_at=instants.to_proto(registration.received.received_at),
        changed_at=instants.to_proto(registration.changed_at),
        attempts=registration.attempts,
    )


def journal_to_proto(entry: JournalEntry) -> processing_pb2.JournalEntry:
    """Return the message."""
    return processing_pb2.JournalEntry(
        stage=entry.stage,
        outcome=entry.outcome,
        reason=entry.reason,
        recorded_at=instants.to_proto(entry.recorded_at),
        duration_s=entry.duration_s,
    )


def decision_from_proto(decision: processing_pb2.Decision.ValueType) -> Decision:
    """Return the decision, which must be specified."""
    return Decision[processing_pb2.Decision.Name(decision).removeprefix("DECISION_")]


def case_to_proto(shown: CaseWithReason) -> processing_pb2.Case:
    """Return the message."""
    case = shown.case
    message = processing_pb2.Case(
        case_id=str(case.case_id),
        registration_id=case.registration_id,
        state=processing_pb2.CASE_STATE_OPEN,
        candidates=map(candidate_to_proto, case.candidates),
        opened_at=instants.to_proto(case.opened_at),
        decided_by=case.decided_by,
        decision_reason=shown.reason,
    )
    if case.decision is not None and case.decided_at is not None:
        message.state = processing_pb2.CASE_STATE_DECIDED
        message.decision = processing_pb2.Decision.Value(f"DECISION_{case.decision.name}")
        message.decided_at.CopyFrom(instants.to_proto(case.decided_at))
    return message


def candidate_to_proto(candidate: CaseCandidate) -> processing_pb2.CaseCandidate:
    """Return the message."""
    return processing_pb2.CaseCandidate(
        registration_id=candidate.registration_id,
        kind=candidate.kind,
        similarity=candidate.similarity,
        by_template=[
            biometrics_pb2.TemplateSimilarity(
                modality=biometrics_pb2.Modality.ValueType(each.modality),
                position=each.position,
                similarity=each.similarity,
            )
            for each in candidate.by_template
        ],
    )


def view_to_proto(view: PersonView) -> processing_pb2.CaseRecord:
    """Return the message."""
    return processing_pb2.CaseRecord(
        registration_id=view.registration_id,
        demographics=view.demographics,
        templates=[
            processing_pb2.TemplateSummary(modality=modality_to_proto(modality), position=position)
            for modality, position in view.templates
        ],
    )


def view_from_proto(record: processing_pb2.CaseRecord) -> PersonView:
    """Undo view_to_proto."""
    return PersonView(
        registration_id=record.registration_id,
        demographics=record.demographics,
        templates=tuple((Modality(each.modality), each.position) for each in record.templates),
    )


def view_from_record(registration_id: str, record: identity_pb2.IdentityRecord) -> PersonView:
    """Return what an adjudicator sees of an enrolled person."""
    return PersonView(
        registration_id=registration_id,
        demographics=record.demographics,
        templates=tuple((Modality(each.modality), each.position) for each in record.templates),
    )


def record_to_proto(packet: OpenedPacket) -> identity_pb2.IdentityRecord:
    """Return the record that identity keeps."""
    return identity_pb2.IdentityRecord(
        demographics=json.dumps(packet.identity, ensure_ascii=False),
        schema_version=packet.schema_version,
        templates=map(template_to_proto, packet.templates),
    )


def template_to_proto(template: Template) -> biometrics_pb2.Template:
    """Return the message."""
    return biometrics_pb2.Template(
        modality=modality_to_proto(template.modality),
        position=template.position,
        data=template.data,
    )


def modality_to_proto(modality: Modality) -> biometrics_pb2.Modality.ValueType:
    """Return the enum value."""
    return biometrics_pb2.Modality.Value(f"MODALITY_{modality.name}")


def position_to_proto(position: GalleryPosition) -> feed_pb2.Position:
    """Return the message."""
    return feed_pb2.Position(
        epoch=position.epoch, transaction_id=position.transaction_id, sequence=position.sequence
    )


def position_from_proto(position: feed_pb2.Position) -> GalleryPosition:
    """Undo position_to_proto."""
    return GalleryPosition(position.epoch, position.transaction_id, position.sequence)


def similarities_from_proto(
    similarities: Sequence[biometrics_pb2.TemplateSimilarity],
) -> tuple[TemplateSimilarity, ...]:
    """Return the similarities."""
    return tuple(
        TemplateSimilarity(int(each.modality), each.position, each.similarity)
        for each in similarities
    )


def similarities_to_json(similarities: Sequence[TemplateSimilarity]) -> str:
    """Return similarities as they are stored."""
    return json.dumps([[each.modality, each.position, each.similarity] for each in similarities])


def similarities_from_json(text: str) -> tuple[TemplateSimilarity, ...]:
    """Undo similarities_to_json."""
    return tuple(TemplateSimilarity(*each) for each in json.loads(text))


def candidates_to_json(candidates: Sequence[CaseCandidate]) -> str:
    """Return candidates as a case keeps them."""
    return json.dumps(
        [
            [
                each.registration_id,
                each.kind,
                each.similarity,
                similarities_to_json(each.by_template),
            ]
            for each in candidates
        ]
    )


def candidates_from_json(text: str) -> tuple[CaseCandidate, ...]:
    """Undo candidates_to_json."""
    return tuple(
        CaseCandidate(registration_id, kind, similarity, similarities_from_json(by_template))
        for registration_id, kind, similarity, by_template in json.loads(text)
    )
