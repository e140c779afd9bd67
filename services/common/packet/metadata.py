"""The `.json` beside each sub-packet: who made it, its signature and the hash of its ciphertext.

Source: mosip/packet-manager, PacketManagerHelper.getMetaMap.
"""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.common.mosip_wire import base64url
from services.common.mosip_wire.strict_json import dumps
from services.common.packet.errors import PacketError
from services.common.packet.fields import Fields, format_instant
from services.common.packet.limits import DEFAULT_LIMITS, Limits

REASON = "METADATA_MALFORMED"
SOURCE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
PROCESS_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}(-[0-9]{1,4})?")
_REFERENCE = re.compile(r"[A-Za-z0-9]{1,32}_[A-Za-z0-9]{1,32}")
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class PacketMetadata:
    """Metadata of one sub-packet.

    Attributes:
        registration_id: the RID, or the id of an additional-information request.
        packet_name: `<registration_id>_<sub-packet>`.
        source, process: for instance REGISTRATION_CLIENT and NEW.
        schema_version: of the identity schema; MOSIP compares it as a double.
        signature: RSASSA-PKCS1-v1_5 with SHA-256 by the machine, over the plain sub-packet zip.
        encrypted_hash: SHA-256 of the sealed sub-packet, 32 bytes.
        created_at: UTC.
        provider_name, provider_version: the writer, as MOSIP calls it.
        reference_id: `<centre>_<machine>`, None in packets of older clients.
    """

    registration_id: str
    packet_name: str
    source: str
    process: str
    schema_version: float
    signature: bytes
    encrypted_hash: bytes
    created_at: datetime
    provider_name: str = "PacketWriterImpl"
    provider_version: str = "v1.0"
    reference_id: str | None = None

    @classmethod
    def parse(cls, data: bytes, path: str = "metadata", limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read the file.

        Raises:
            PacketError: METADATA_MALFORMED, field `<path>:<key>`.
        """
        fields = Fields.parse(data, path, REASON, limits.json)
        return cls(
            registration_id=fields.text("id", most=128),
            packet_name=fields.text("packetname", most=160),
            source=fields.text("source", SOURCE_NAME),
            process=fields.text("process", PROCESS_NAME),
            schema_version=fields.number("schemaversion"),
            signature=_bytes(fields, "signature"),
            encrypted_hash=_bytes(fields, "encryptedhash", _HASH_BYTES),
            created_at=fields.instant("creationdate"),
            provider_name=fields.optional_text("providername") or "",
            provider_version=fields.optional_text("providerversion") or "",
            reference_id=fields.optional_text("refid", _REFERENCE),
        )

    def to_json(self) -> bytes:
        """Return the file: signature in standard base64, encryptedhash URL-safe, unpadded."""
        document: dict[str, object] = {
            "process": self.process,
            "creationdate": format_instant(self.created_at),
            "encryptedhash": base64url.encode(self.encrypted_hash),
            "signature": base64.b64encode(self.signature).decode("ascii"),
            "source": self.source,
            "providerversion": self.provider_version,
            "id": self.registration_id,
            "schemaversion": self.schema_version,
            "packetname": self.packet_name,
            "providername": self.provider_name,
        }
        if self.reference_id is not None:
            document["refid"] = self.reference_id
        return dumps(document)


def _bytes(fields: Fields, key: str, length: int | None = None) -> bytes:
    try:
        value = base64url.decode(fields.text(key, most=2048))
    except ValueError as error:
        if isinstance(error, PacketError):
            raise
        fields.refuse(key)
    if length is not None and len(value) != length:
        fields.refuse(key)
    return value
