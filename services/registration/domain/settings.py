"""What a machine needs before it can go offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class PacketKey:
    """The certificate (DER) to seal for, and the Vault key behind it."""

    centre_id: str
    machine_id: str
    certificate: bytes = field(repr=False)
    thumbprint: bytes
    key_name: str
    key_version: int


@dataclass(frozen=True)
class IdSchema:
    """The identity schema to follow."""

    version: float
    document: str = field(repr=False)
    effective_at: datetime


@dataclass(frozen=True)
class StationSettings:
    """All of it; server_time lets a machine see that its clock is wrong."""

    packet_key: PacketKey
    id_schema: IdSchema
    max_packet_bytes: int
    server_time: datetime
