"""Whatever the bytes: a packet's readers return, or raise PacketError, and stay in bounds."""

from contextlib import suppress

from services.common.packet import (
    Limits,
    MetaInfo,
    PacketError,
    PacketMetadata,
    SubPacketDraft,
    build_sub_packet,
    parse_sealed,
    read_container,
    read_sub_packet,
    read_zip,
    verify_hashes,
    write_zip,
)
from tests.fuzz.times import AT

LIMITS = Limits(max_entries=16, max_entry_bytes=1 << 20, max_total_bytes=2 << 20)
RID = "10001100771006920220128223618"


def seeds() -> list[bytes]:
    """Return inputs that reach deep, to start from."""
    plain = build_sub_packet(SubPacketDraft(0.1, {"phone": "1"}, audits=[]), MetaInfo(RID, AT))
    path = f"REGISTRATION_CLIENT/NEW/{RID}_id"
    metadata = PacketMetadata(
        RID, f"{RID}_id", "REGISTRATION_CLIENT", "NEW", 0.1, b"s" * 256, b"h" * 32, AT
    )
    container = write_zip({f"{path}.zip": plain, f"{path}.json": metadata.to_json()})
    return [plain, container, b"n" * 332 + b"#KEY_SPLITTER#" + bytes(32)]


def fuzz_one(data: bytes) -> None:
    """Read data as every layer of a packet."""
    with suppress(PacketError):
        parse_sealed(data)
    with suppress(PacketError):
        files = read_zip(data, LIMITS)
        assert len(files) <= LIMITS.max_entries
        assert sum(map(len, files.values())) <= LIMITS.max_total_bytes
    with suppress(PacketError):
        read_container(data, LIMITS)
    with suppress(PacketError):
        verify_hashes(read_sub_packet(data, LIMITS))
    with suppress(PacketError):
        PacketMetadata.parse(data)
    with suppress(PacketError):
        MetaInfo.parse(data)
