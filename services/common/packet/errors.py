"""The one error of registration packets."""

# What mosip/packet-manager, PacketUtilityErrorCodes calls these; other reasons have no code there.
_MOSIP_CODES = {
    "PACKET_DECRYPT_FAILED": "KER-PUT-003",
    "SIGNATURE_INVALID": "KER-PUT-019",
    "SEALED_HASH_MISMATCH": "KER-PUT-019",
    "HASH_MISMATCH": "KER-PUT-020",
    "HASH_FILE_MISSING": "KER-PUT-020",
    "FILE_MISSING": "KER-PUT-020",
    "FILE_EMPTY": "KER-PUT-020",
    "SUB_PACKET_MISSING": "KER-PUT-027",
}


class PacketError(ValueError):
    """A registration packet is refused. No part of it is quoted in the message.

    Attributes:
        reason: UPPER_SNAKE: PACKET_TRUNCATED, ZIP_BOMB, SIGNATURE_INVALID and so on.
        field: where: a file name of the fixed layout, an entry as "entry[3]", a JSON path.
        mosip_code: MOSIP's code for it, None where MOSIP has none.
    """

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{reason} at {field}")
        self.reason = reason
        self.field = field
        self.mosip_code = _MOSIP_CODES.get(reason)
