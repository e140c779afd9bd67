"""The bytes of a snapshot.

A snapshot is a list and its segments, each an object of its own:

    ID/snapshot/SEQUENCE-RANDOM    the list: JSON in a sealed box, bound to gallery and name
    ID/segment/RANDOM              the planes, by name, cut into chunks of 1 MiB

with ID the database's gallery id. A chunk is AES-256-GCM ciphertext and tag under the segment's
own data key; its nonce counts planes and chunks, its associated data say which chunk of what it
is. So a chunk that was changed, moved, left out or taken from elsewhere does not open.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from services.abis.domain.reference import Position
from services.abis.domain.snapshot import PlaneShape, SavedSegment, SegmentShape, Snapshot
from services.common.envelope import Aad

VERSION: Final = 1
CHUNK_BYTES: Final = 1 << 20
TAG_BYTES: Final = 16
LIST_TABLE: Final = "snapshot"

_AAD = struct.Struct(">4sB16s16sIQQQ")
_NONCE = struct.Struct(">IQ")
_MAGIC = b"IDMG"


def list_key(gallery_id: UUID, name: str) -> str:
    """Name of the object that lists a snapshot's segments."""
    return f"{gallery_id}/snapshot/{name}"


def segment_key(gallery_id: UUID, segment_id: UUID) -> str:
    """Name of a segment's object."""
    return f"{gallery_id}/segment/{segment_id}"


def list_aad(gallery_id: UUID, name: str) -> Aad:
    """What a list is bound to."""
    return Aad(LIST_TABLE, gallery_id.bytes + name.encode(), VERSION)


def nonce(plane: int, chunk: int) -> bytes:
    """Of a chunk; a data key seals one segment only."""
    return _NONCE.pack(plane, chunk)


def chunk_aad(
    gallery_id: UUID, segment: SavedSegment, plane: int, shape: PlaneShape, chunk: int
) -> bytes:
    """What a chunk is bound to."""
    return _AAD.pack(
        _MAGIC,
        VERSION,
        gallery_id.bytes,
        segment.segment_id.bytes,
        plane,
        chunk,
        shape.size,
        segment.shape.rows,
    )


def chunks(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of a plane's chunks."""
    for number, start in enumerate(range(0, size, CHUNK_BYTES)):
        yield number, start, min(start + CHUNK_BYTES, size)


def list_to_bytes(snapshot: Snapshot) -> bytes:
    """Return the list."""
    return json.dumps(
        {
            "version": VERSION,
            "gallery_id": str(snapshot.gallery_id),
            "position": [snapshot.position.epoch, snapshot.position.sequence],
            "layout": snapshot.layout,
            "segments": [_segment_to_json(each) for each in snapshot.segments],
        }
    ).encode()


def list_from_bytes(data: bytes) -> Snapshot:
    """Undo list_to_bytes.

    Raises:
        ValueError: another version, or not such a list at all.
    """
    try:
        document = json.loads(data)
        if document["version"] != VERSION:
            raise ValueError("a snapshot of another version")
        return Snapshot(
            UUID(document["gallery_id"]),
            Position(*document["position"]),
            document["layout"],
            [_segment_from_json(each) for each in document["segments"]],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("not the list of a snapshot") from error


def _segment_to_json(segment: SavedSegment) -> dict[str, Any]:
    shape = segment.shape
    return {
        "segment_id": str(segment.segment_id),
        "wrapped_key": segment.wrapped_key,
        "gallery": shape.gallery,
        "number": shape.number,
        "rows": shape.rows,
        "planes": [[name, each.size, each.checksum] for name, each in shape.planes.items()],
        "dead": segment.dead.hex(),
    }


def _segment_from_json(document: Mapping[str, Any]) -> SavedSegment:
    planes = {name: PlaneShape(size, checksum) for name, size, checksum in document["planes"]}
    return SavedSegment(
        UUID(document["segment_id"]),
        document["wrapped_key"],
        SegmentShape(document["gallery"], document["number"], document["rows"], planes),
        bytes.fromhex(document["dead"]),
    )
