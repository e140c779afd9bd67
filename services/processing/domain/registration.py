"""A registration in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID


class RegistrationState(Enum):
    """Where a registration stands; the last three are final."""

    PROCESSING = "PROCESSING"
    PAUSED = "PAUSED"
    PROCESSED = "PROCESSED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to it any more."""
        return self not in (RegistrationState.PROCESSING, RegistrationState.PAUSED)

    @property
    def is_refused(self) -> bool:
        """Whether it ended without a UIN."""
        return self in (RegistrationState.REJECTED, RegistrationState.FAILED)


class LeaseLostError(Exception):
    """Another worker may have the registration: nothing of this one may be committed."""


@dataclass(frozen=True, slots=True, order=True)
class GalleryPosition:
    """Where in abis' log the registration's reference was inserted."""

    epoch: int
    transaction_id: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Received:
    """A stored packet, as registration announces it. sha256 is of the sealed packet."""

    registration_id: str
    packet_id: str
    process: str
    centre_id: str
    machine_id: str
    sha256: bytes
    size: int
    received_at: datetime
    supervisor_approved: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """A row.

    Attributes:
        received: the packet.
        state, stage: where it stands; the stage to run next, or where it ended.
        reason, mosip_code: why it ended or waits.
        attempts: tries of the present stage, the running one included.
        reference_id: what abis knows the person by; drawn once, before the first call.
        position: of the reference in abis, once it is inserted.
        token: fences what an older lease tries to commit.
    """

    received: Received
    state: RegistrationState
    stage: str
    reference_id: UUID
    changed_at: datetime
    reason: str = ""
    mosip_code: str = ""
    attempts: int = 0
    position: GalleryPosition | None = None
    token: int = field(default=0, compare=False)

    @property
    def registration_id(self) -> str:
        """The RID."""
        return self.received.registration_id


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One outcome of one stage."""

    stage: str
    outcome: str
    reason: str
    recorded_at: datetime
    duration_s: float
