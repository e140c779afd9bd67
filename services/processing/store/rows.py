"""Rows to domain."""

from __future__ import annotations

from uuid import UUID

from services.common.postgres import Record
from services.processing import convert
from services.processing.domain.candidates import CaseCandidate
from services.processing.domain.case import Case, Decision
from services.processing.domain.registration import (
    GalleryPosition,
    JournalEntry,
    Received,
    Registration,
    RegistrationState,
)


def uuid_of(value: UUID) -> UUID:
    """Return a plain UUID: asyncpg's own subclass compares equal but shows differently."""
    return UUID(bytes=value.bytes)


def registration_of(row: Record) -> Registration:
    """Return a registration."""
    position = None
    if row["reference_seq"] is not None:
        position = GalleryPosition(
            row["reference_epoch"], int(row["reference_txid"]), row["reference_seq"]
        )
    return Registration(
        received=Received(
            registration_id=row["registration_id"],
            packet_id=row["packet_id"],
            process=row["process"],
            centre_id=row["centre_id"],
            machine_id=row["machine_id"],
            sha256=row["sha256"],
            size=row["size"],
            received_at=row["received_at"],
            supervisor_approved=row["supervisor_approved"],
        ),
        state=RegistrationState(row["state"]),
        stage=row["stage"],
        reference_id=uuid_of(row["reference_id"]),
        changed_at=row["changed_at"],
        reason=row["reason"],
        mosip_code=row["mosip_code"],
        attempts=row["attempts"],
        position=position,
        token=row["lease_token"],
    )


def candidate_of(row: Record) -> CaseCandidate:
    """Return a candidate."""
    return CaseCandidate(
        registration_id=row["candidate_registration_id"],
        kind=row["kind"],
        similarity=row["similarity"],
        by_template=convert.similarities_from_json(row["by_template"]),
    )


def case_of(row: Record) -> Case:
    """Return a case."""
    return Case(
        case_id=uuid_of(row["case_id"]),
        registration_id=row["registration_id"],
        opened_at=row["opened_at"],
        candidates=convert.candidates_from_json(row["candidates"]),
        sealed_applicant=row["sealed_applicant"],
        decision=None if row["decision"] is None else Decision(row["decision"]),
        decided_by=row["decided_by"] or "",
        decided_at=row["decided_at"],
        sealed_reason=row["sealed_reason"] or b"",
        sequence=row["seq"],
    )


def journal_entry_of(row: Record) -> JournalEntry:
    """Return an entry of the journal."""
    return JournalEntry(
        row["stage"], row["outcome"], row["reason"], row["recorded_at"], row["duration_s"]
    )
