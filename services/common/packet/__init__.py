"""MOSIP registration packets: read and written, with no I/O and no private key of the server.

Reading, outside in; the caller has each wrapped key unwrapped by Vault:

    parts = parse_sealed(upload)
    container = read_container(open_sealed(parts, unwrapped_key), limits)
    for each sub-packet of container:
        plain = open_sealed(parse_sealed(sub.sealed), its_unwrapped_key)
        verify_sub_packet(sub.metadata, plain, sub.sealed, machine_public_key)
        content = read_sub_packet(plain, limits)
        verify_hashes(content)

Writing, inside out: build_sub_packet, build_container, seal. Whatever is wrong with a packet is a
PacketError with a reason.
"""

from services.common.packet.archive import read_zip, write_zip
from services.common.packet.container import (
    SUB_PACKETS,
    Container,
    Registration,
    SealedSubPacket,
    build_container,
    read_container,
)
from services.common.packet.errors import PacketError
from services.common.packet.framing import SealedParts, open_sealed, parse_sealed, seal
from services.common.packet.limits import DEFAULT_LIMITS, Limits
from services.common.packet.meta_info import DocumentNote, HashSequence, MetaInfo
from services.common.packet.metadata import PacketMetadata
from services.common.packet.signature import sign_sub_packet, verify_hashes, verify_sub_packet
from services.common.packet.sub_packet import (
    Document,
    SubPacket,
    SubPacketDraft,
    build_sub_packet,
    read_sub_packet,
)

__all__ = [
    "DEFAULT_LIMITS",
    "SUB_PACKETS",
    "Container",
    "Document",
    "DocumentNote",
    "HashSequence",
    "Limits",
    "MetaInfo",
    "PacketError",
    "PacketMetadata",
    "Registration",
    "SealedParts",
    "SealedSubPacket",
    "SubPacket",
    "SubPacketDraft",
    "build_container",
    "build_sub_packet",
    "open_sealed",
    "parse_sealed",
    "read_container",
    "read_sub_packet",
    "read_zip",
    "seal",
    "sign_sub_packet",
    "verify_hashes",
    "verify_sub_packet",
    "write_zip",
]
