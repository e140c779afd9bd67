"""From where a registration stands inside to what a machine may know.

Source: MOSIP registration-status-service, RegistrationExternalStatusUtility.
"""

from __future__ import annotations

from enum import Enum

from services.registration.domain.packet import ExternalStatus


class State(Enum):
    """Where processing has a registration."""

    PROCESSING = "processing"
    PAUSED = "paused"
    PROCESSED = "processed"
    REJECTED = "rejected"
    FAILED = "failed"


# The ciphertext that was taken cannot be used: another packet of the same registration can help.
RESENDABLE = frozenset(
    {"PACKET_NOT_FOUND", "PACKET_TRUNCATED", "PACKET_DECRYPT_FAILED", "PACKET_HASH_MISMATCH"}
)


def external_status(state: State, reason: str) -> ExternalStatus:
    """Return what the machine is told. A case before an adjudicator is still being processed."""
    match state:
        case State.PROCESSED:
            return ExternalStatus.UIN_GENERATED
        case State.REJECTED:
            return ExternalStatus.REJECTED
        case State.FAILED if reason in RESENDABLE:
            return ExternalStatus.RESEND
        case State.FAILED:
            return ExternalStatus.REREGISTER
        case _:
            return ExternalStatus.PROCESSING
