"""The outer zip: `<SOURCE>/<PROCESS>/<RID>_<sub>.zip`, each sealed, with its `.json` beside it.

Source: mosip/khazana, PosixAdapter.pack; mosip/packet-manager, PacketKeeper.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from services.common.packet.archive import read_zip, write_zip
from services.common.packet.errors import PacketError
from services.common.packet.framing import seal
from services.common.packet.limits import DEFAULT_LIMITS, Limits
from services.common.packet.metadata import PROCESS_NAME, SOURCE_NAME, PacketMetadata

SUB_PACKETS = ("id", "evidence", "optional")
_PATH = re.compile(
    rf"(?P<source>{SOURCE_NAME.pattern})/(?P<process>{PROCESS_NAME.pattern})/"
    r"(?P<id>[A-Za-z0-9-]{1,120}(?:_[A-Z0-9-]{1,64})*)_(?P<sub>[a-z][a-z0-9]{0,31})\.(?P<kind>zip|json)"
)


@dataclass(frozen=True, slots=True)
class SealedSubPacket:
    """One sub-packet of a container: its ciphertext, and what its metadata says."""

    name: str
    metadata: PacketMetadata
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Container:
    """A decrypted container.

    Attributes:
        source, process: the two folders, for instance REGISTRATION_CLIENT and NEW.
        registration_id: the RID, or the id of an additional-information request.
        sub_packets: by name: "id", "evidence", "optional".
    """

    source: str
    process: str
    registration_id: str
    sub_packets: Mapping[str, SealedSubPacket]


@dataclass(frozen=True, slots=True)
class Registration:
    """What the metadata of all sub-packets of one registration has in common.

    Attributes as in PacketMetadata.
    """

    registration_id: str
    source: str
    process: str
    schema_version: float
    created_at: datetime
    reference_id: str | None = None


def read_container(
    plain: bytes,
    limits: Limits = DEFAULT_LIMITS,
    *,
    allowed: Collection[str] = SUB_PACKETS,
    required: Iterable[str] = ("id",),
) -> Container:
    """Read a decrypted container. The sub-packets stay sealed, their signatures unverified.

    Raises:
        PacketError: what read_zip raises; CONTAINER_PATH_INVALID, CONTAINER_MIXED when paths
            disagree, SUB_PACKET_UNKNOWN, SUB_PACKET_MISSING, METADATA_MISSING,
            METADATA_MALFORMED, METADATA_MISMATCH when a `.json` speaks of another sub-packet.
    """
    pairs: dict[str, dict[str, bytes]] = {}
    origins: set[tuple[str, str, str]] = set()
    for index, (path, content) in enumerate(read_zip(plain, limits).items()):
        found = _PATH.fullmatch(path)
        if found is None:
            raise PacketError("CONTAINER_PATH_INVALID", f"entry[{index}]")
        if found["sub"] not in allowed:
            raise PacketError("SUB_PACKET_UNKNOWN", f"entry[{index}]")
        origins.add((found["source"], found["process"], found["id"]))
        pairs.setdefault(found["sub"], {})[found["kind"]] = content
    for name in required:
        if name not in pairs:
            raise PacketError("SUB_PACKET_MISSING", name)
    if len(origins) != 1:
        raise PacketError("CONTAINER_MIXED", "container")
    source, process, registration_id = origins.pop()
    sub_packets = {}
    for name, pair in pairs.items():
        if "zip" not in pair:
            raise PacketError("SUB_PACKET_MISSING", name)
        if "json" not in pair:
            raise PacketError("METADATA_MISSING", name)
        metadata = PacketMetadata.parse(pair["json"], f"{name}.json", limits)
        _check_metadata(metadata, (source, process, registration_id), name)
        sub_packets[name] = SealedSubPacket(name, metadata, pair["zip"])
    return Container(source, process, registration_id, sub_packets)


def _check_metadata(metadata: PacketMetadata, origin: tuple[str, str, str], name: str) -> None:
    source, process, registration_id = origin
    for key, stated, expected in (
        ("source", metadata.source, source),
        ("process", metadata.process, process),
        ("id", metadata.registration_id, registration_id),
        ("packetname", metadata.packet_name, f"{registration_id}_{name}"),
    ):
        if stated != expected:
            raise PacketError("METADATA_MISMATCH", f"{name}.json:{key}")


def build_container(
    registration: Registration,
    sub_packets: Mapping[str, bytes],
    certificate: x509.Certificate,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Return the plain container; `seal` makes it the packet that is uploaded.

    Args:
        registration: the common part of the metadata.
        sub_packets: plain zips by name, see build_sub_packet.
        certificate: of the centre's or machine's packet key; each sub-packet is sealed for it.
        sign: the machine's signature over a plain zip, see sign_sub_packet.

    Raises:
        ValueError: a name or id would not be read back, or the certificate's key is unfit.
    """
    files: dict[str, bytes] = {}
    for name, plain_zip in sub_packets.items():
        sealed = seal(plain_zip, certificate)
        packet_name = f"{registration.registration_id}_{name}"
        metadata = PacketMetadata(
            registration_id=registration.registration_id,
            packet_name=packet_name,
            source=registration.source,
            process=registration.process,
            schema_version=registration.schema_version,
            signature=sign(plain_zip),
            encrypted_hash=hashlib.sha256(sealed).digest(),
            created_at=registration.created_at,
            reference_id=registration.reference_id,
        )
        path = f"{registration.source}/{registration.process}/{packet_name}"
        if not _PATH.fullmatch(f"{path}.zip"):
            raise ValueError("source, process, registration id or sub-packet name is unfit")
        files[f"{path}.zip"] = sealed
        files[f"{path}.json"] = metadata.to_json()
    return write_zip(files)
