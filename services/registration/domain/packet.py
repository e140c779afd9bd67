"""Packets: announced, received, and where their registrations stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
)
from services.common.ids import IdError, PacketId, Rid


class ExternalStatus(Enum):
    """What a machine may know; the values are stored.

    Source: MOSIP registration-status-service, RegistrationExternalStatusCode.
    """

    UPLOAD_PENDING = 1
    RECEIVED = 2
    PROCESSING = 3
    UIN_GENERATED = 4
    REJECTED = 5
    REREGISTER = 6
    RESEND = 7
    AWAITING_INFORMATION = 8


@dataclass(frozen=True)
class SyncItem:
    """What a machine announces. sha256 and size are of the packet as it will be uploaded."""

    registration_id: str
    packet_id: str
    process: str
    sha256: bytes
    size: int
    supervisor_approved: bool
    language: str


@dataclass(frozen=True)
class Packet:
    """A packet: what was announced, from where, and what became of it."""

    item: SyncItem
    centre_id: str
    machine_id: str
    synced_at: datetime
    received_at: datetime | None = None
    status: ExternalStatus = ExternalStatus.UPLOAD_PENDING
    status_reason: str = ""
    status_changed_at: datetime | None = None

    @property
    def object_key(self) -> str:
        """Where the ciphertext lies in the object store."""
        return f"packets/{self.centre_id}/{self.machine_id}/{self.item.packet_id}"


@dataclass(frozen=True)
class SyncRefusal:
    """Why an announcement is not accepted; mosip_code is "" where MOSIP has none."""

    reason: str
    mosip_code: str = ""


@dataclass(frozen=True)
class Processes:
    """Which processes there are. Of a main one a registration has one packet."""

    main: frozenset[str] = field(default_factory=frozenset)
    sub: frozenset[str] = field(default_factory=frozenset)


def parse_sync(
    item: SyncItem, machine_id: str, processes: Processes
) -> tuple[SyncRefusal | None, Rid | None]:
    """Check an announcement by itself, in MOSIP's order; return a refusal or the RID.

    Source: MOSIP registration-status-service, RegistrationSyncController; RPR-RGS-003.
    """
    if item.process not in processes.main and item.process not in processes.sub:
        return SyncRefusal("PROCESS_UNKNOWN", "RPR-RGS-003"), None
    try:
        rid = Rid.parse(item.registration_id)
    except IdError:
        return SyncRefusal("REGISTRATION_ID_INVALID"), None
    try:
        packet_id = PacketId.parse(item.packet_id)
    except IdError:
        return SyncRefusal("PACKET_ID_INVALID"), None
    if packet_id.rid != rid or packet_id.reference_id != rid.reference_id:
        return SyncRefusal("PACKET_ID_MISMATCH"), None
    if rid.machine_id != machine_id:
        return SyncRefusal("MACHINE_MISMATCH"), None
    return None, rid


def is_same(known: SyncItem, announced: SyncItem) -> bool:
    """Tell whether an announcement repeats the one before."""
    return known == announced


def check_duplicate(packet: Packet, of_registration: Iterable[Packet], main: Sequence[str]) -> None:
    """Check that no other packet of the registration was taken.

    Raises:
        AlreadyExists: PACKET_DUPLICATE, unless MOSIP's rule lets it in: a process that adds to
            a registration, or a registration whose packet was asked for again.
    """
    if packet.item.process not in main:
        return
    for other in of_registration:
        if (
            other.item.packet_id != packet.item.packet_id
            and other.received_at is not None
            and other.item.process in main
            and other.status is not ExternalStatus.RESEND
        ):
            raise AlreadyExists(
                "PACKET_DUPLICATE", "Another packet of this registration has been taken."
            )


def not_synced() -> FailedPrecondition:
    """Return the error of an upload that nobody announced."""
    return FailedPrecondition(
        "PACKET_NOT_SYNCED",
        "The packet was not announced by this machine: sync first.",
        metadata={"mosip_code": "RPR-PKR-001"},
    )


def too_large(max_bytes: int) -> ResourceExhausted:
    """Return the error of a packet above the limit."""
    return ResourceExhausted(
        "PACKET_TOO_LARGE",
        "The packet is larger than allowed.",
        metadata={"mosip_code": "RPR-PKR-002", "max_bytes": str(max_bytes)},
    )


def hash_mismatch() -> InvalidArgument:
    """Return the error of bytes that are not those announced."""
    return InvalidArgument("PACKET_HASH_MISMATCH", "The packet's SHA-256 is not the one announced.")


def size_mismatch() -> InvalidArgument:
    """Return the error of another number of bytes than announced."""
    return InvalidArgument("PACKET_SIZE_MISMATCH", "The packet's size is not the one announced.")
