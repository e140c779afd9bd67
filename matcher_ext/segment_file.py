"""Sealed segments in files, in the clear: for generated people and benchmarks.

Real people's segments are kept encrypted by the service, which has no use for this. A file is a
header, filled up to 4 KiB with zeros, then the planes, each from a multiple of 4 KiB on:

    magic           8 bytes, IDMSEG2 and zero
    header bytes    uint64, little-endian like all numbers; of what follows
    header          JSON: layout, number, rows, planes (name, offset, bytes, checksum)
    checksum        uint64, of the header
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
from pathlib import Path
from typing import Final

from matcher_ext.error import MatcherError
from matcher_ext.people import SEGMENT_LAYOUT, People, SealedSegment, plane_checksum

MAGIC: Final = b"IDMSEG2\0"
_PAGE: Final = 4096
_LENGTH: Final = struct.Struct("<Q")
_MOST_HEADER_BYTES: Final = 1 << 20


def write_segment(path: Path, segment: SealedSegment) -> None:
    """Write a segment, whole or not at all, and onto the disk before it has its name.

    Its dead are not in the file: keep them apart, they change.

    Raises:
        OSError: the disk is full, or the folder is not there.
    """
    planes = [(name, len(plane), segment.checksum(name)) for name, plane in segment.planes.items()]
    start = _PAGE
    header = b""
    # Where the planes start depends on the length of the header that says so.
    for _ in range(3):
        header = _header(segment, planes, start)
        needed = _aligned(len(MAGIC) + 2 * _LENGTH.size + len(header))
        if needed == start:
            break
        start = needed
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("wb") as file:
            file.write(MAGIC + _LENGTH.pack(len(header)) + header)
            file.write(_LENGTH.pack(plane_checksum(header)))
            for plane in segment.planes.values():
                file.seek(_aligned(file.tell()))
                file.write(plane)
            file.truncate(_aligned(file.tell()))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_segment(people: People, path: Path, *, dead: bytes = b"") -> None:
    """Load a segment that was written.

    Raises:
        MatcherError: SEGMENT_MALFORMED, REFERENCE_EXISTS, OUT_OF_MEMORY; people is unchanged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _PAGE:
            raise _malformed("header", "The file is shorter than a header.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            mapped.madvise(mmap.MADV_SEQUENTIAL)
            with memoryview(mapped) as view:
                _load(people, view, dead)


def _load(people: People, view: memoryview, dead: bytes) -> None:
    number, rows, planes = _read_header(view)
    described = {name: (size, checksum) for name, _, size, checksum in planes}
    if len(described) != len(planes):
        raise _malformed("planes", "A plane is named twice.")
    loader = people.begin_segment(number, rows, described)
    for name, offset, size, _ in planes:
        with view[offset : offset + size] as plane:
            if len(plane) != size:
                raise _malformed("planes", f"The file ends within the plane {name}.")
            loader.planes[name][:] = plane
    loader.finish(dead)


def _read_header(view: memoryview) -> tuple[int, int, list[tuple[str, int, int, int]]]:
    start = len(MAGIC) + _LENGTH.size
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise _malformed("header", "The file is no segment of this version.")
    (size,) = _LENGTH.unpack(view[len(MAGIC) : start])
    if size > min(_MOST_HEADER_BYTES, len(view) - start - _LENGTH.size):
        raise _malformed("header", "The header is longer than the file.")
    header = bytes(view[start : start + size])
    (checksum,) = _LENGTH.unpack(view[start + size : start + size + _LENGTH.size])
    if plane_checksum(header) != checksum:
        raise _malformed("header", "The header is not what was written.")
    try:
        read = json.loads(header)
        layout = _count(read["layout"])
        planes = [
            (str(name), _count(offset), _count(size), _count(checksum))
            for name, offset, size, checksum in read["planes"]
        ]
        number, rows = _count(read["number"]), _count(read["rows"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed("header", "The header does not say what a header says.") from error
    if layout != SEGMENT_LAYOUT:
        raise _malformed("layout", "The planes are of another layout.")
    return number, rows, planes


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise ValueError
    return value


def _header(segment: SealedSegment, planes: list[tuple[str, int, int]], start: int) -> bytes:
    placed = []
    for name, size, checksum in planes:
        placed.append((name, start, size, checksum))
        start = _aligned(start + size)
    described = {"number": segment.number, "rows": segment.rows, "planes": placed}
    return json.dumps({"layout": SEGMENT_LAYOUT, **described}).encode()


def _aligned(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _malformed(field: str, message: str) -> MatcherError:
    return MatcherError("SEGMENT_MALFORMED", field, message)
