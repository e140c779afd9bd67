"""What an opened packet holds, and what is wrong with one that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from services.common.packet import PacketError


class Modality(Enum):
    """The part of the body that a template is of; values as on the wire."""

    FINGER = 1
    IRIS = 2
    FACE = 3


@dataclass(frozen=True, slots=True)
class Template:
    """The features taken from one sample; data is never shown."""

    modality: Modality
    position: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedPacket:
    """A packet that was decrypted and found good; lives in memory only.

    Attributes:
        identity: the identity object, of all sub-packets.
        schema_version: of the identity schema.
        templates: of the applicant.
        created_at: when the machine made it.
    """

    identity: Mapping[str, Any] = field(repr=False)
    schema_version: float
    templates: tuple[Template, ...] = field(repr=False)
    created_at: datetime


class PacketRefusedError(Exception):
    """The packet cannot be used. Nothing of it is quoted.

    Attributes:
        reason: UPPER_SNAKE, such as PACKET_SIGNATURE_INVALID.
        mosip_code: what MOSIP's pipeline says.
        rejected: the registration is refused though its packet is good.
    """

    def __init__(self, reason: str, mosip_code: str, *, rejected: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mosip_code = mosip_code
        self.rejected = rejected


NOT_RECOVERABLE = "RPR-PVM-FAILED-018"


def refused(error: PacketError) -> PacketRefusedError:
    """Return what a fault of the packet's format means for the registration."""
    reason = error.reason if error.reason.startswith("PACKET_") else f"PACKET_{error.reason}"
    return PacketRefusedError(reason, error.mosip_code or NOT_RECOVERABLE)
