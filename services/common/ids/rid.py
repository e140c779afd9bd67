"""The RID of a registration and the id of the packet that carries it.

Source: mosip/commons, kernel-idvalidator-rid; mosip/packet-manager, PacketWriterImpl.createPacket.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from services.common.ids.errors import IdError
from services.common.ids.verhoeff import is_ascii_digits

RID_LENGTH = 29
_TIMESTAMP = "%Y%m%d%H%M%S"
_ADDITIONAL = re.compile(r"-[A-Z][A-Z0-9_]{1,63}-[1-9][0-9]{0,3}")
_REFERENCE = re.compile(r"([0-9]{5})_([0-9]{5})")


@dataclass(frozen=True, slots=True)
class Rid:
    """A registration id: centre, machine, sequence and the second of its creation (UTC)."""

    centre_id: str
    machine_id: str
    sequence: int
    created_at: datetime

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 29 digits: centre 5, machine 5, sequence 5, yyyyMMddHHmmss in UTC.

        Raises:
            IdError: LENGTH or NOT_DIGITS of "rid", TIMESTAMP of "rid.timestamp".
        """
        if len(text) != RID_LENGTH:
            raise IdError("LENGTH", "rid")
        if not is_ascii_digits(text):
            raise IdError("NOT_DIGITS", "rid")
        created_at = _parse_timestamp(text[15:], "rid.timestamp")
        return cls(text[:5], text[5:10], int(text[10:15]), created_at)

    def __str__(self) -> str:
        stamp = self.created_at.strftime(_TIMESTAMP)
        return f"{self.centre_id}{self.machine_id}{self.sequence:05d}{stamp:0>14}"

    @property
    def reference_id(self) -> str:
        """The name of the key pair that packets of this machine are sealed for."""
        return f"{self.centre_id}_{self.machine_id}"


@dataclass(frozen=True, slots=True)
class PacketId:
    """`<RID>-<centre>_<machine>-<yyyyMMddHHmmss>`, unique per upload.

    Attributes:
        rid: the registration.
        additional: empty, or the tail that MOSIP adds to the RID in a request for more
            information, for instance "-BIOMETRIC_CORRECTION-1".
        centre_id, machine_id: five digits each; for whose key the packet is sealed.
        created_at: UTC, to the second.
    """

    rid: Rid
    centre_id: str
    machine_id: str
    created_at: datetime
    additional: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a packet id.

        Raises:
            IdError: PARTS, LENGTH, NOT_DIGITS, TIMESTAMP, REFERENCE or ADDITIONAL.
        """
        parts = text.rsplit("-", 2)
        if len(parts) != 3 or len(text) > 200:
            raise IdError("PARTS", "packet_id")
        registration, reference, stamp = parts
        rid = Rid.parse(registration[:RID_LENGTH])
        additional = registration[RID_LENGTH:]
        if additional and not _ADDITIONAL.fullmatch(additional):
            raise IdError("ADDITIONAL", "packet_id")
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise IdError("REFERENCE", "packet_id")
        created_at = _parse_timestamp(stamp, "packet_id.timestamp")
        return cls(rid, found[1], found[2], created_at, additional)

    @classmethod
    def of(cls, rid: Rid, created_at: datetime, additional: str = "") -> Self:
        """Return the id of a packet that the machine of rid makes at created_at (aware)."""
        created_at = created_at.astimezone(UTC).replace(microsecond=0)
        return cls(rid, rid.centre_id, rid.machine_id, created_at, additional)

    def __str__(self) -> str:
        stamp = self.created_at.strftime(_TIMESTAMP)
        return f"{self.rid}{self.additional}-{self.reference_id}-{stamp:0>14}"

    @property
    def reference_id(self) -> str:
        """The name of the key pair that this packet is sealed for."""
        return f"{self.centre_id}_{self.machine_id}"


def _parse_timestamp(text: str, field: str) -> datetime:
    if len(text) != 14 or not is_ascii_digits(text):
        raise IdError("TIMESTAMP", field)
    try:
        return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise IdError("TIMESTAMP", field) from error
