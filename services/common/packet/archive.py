"""Zip archives, strictly: what one reader accepts and another reads differently is refused.

Read by hand, not through zipfile, for three reasons: sizes are checked while inflating and never
believed from a header; central and local headers must agree; the whole file must be accounted
for, entry after entry, so that nothing hides before, between or behind them.
Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.packet.errors import PacketError
from services.common.packet.limits import DEFAULT_LIMITS, Limits

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_HAS_DESCRIPTOR = 0x0008
_UTF8 = 0x0800
_UNIX = 3
_MAX_NAME_BYTES = 255
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    index: int
    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    deflated_bytes: int
    inflated_bytes: int
    offset: int

    @property
    def where(self) -> str:
        return f"entry[{self.index}]"


def read_zip(data: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, bytes]:
    """Return the files of an archive by name, in the order of its directory.

    Raises:
        PacketError: ZIP_MALFORMED, ZIP_TOO_MANY_ENTRIES, ZIP_ENTRY_ENCRYPTED,
            ZIP_METHOD_UNSUPPORTED, ZIP_PATH_TRAVERSAL, ZIP_NAME_INVALID, ZIP_DUPLICATE_NAME,
            ZIP_SPECIAL_FILE, ZIP_BOMB or ZIP_CRC_MISMATCH; field "zip" or "entry[<index>]".
    """
    entries, directory_at = _directory(data, limits)
    seen: set[str] = set()
    for entry in entries:
        # Two names that differ in case only are one file on some systems.
        if entry.name.casefold() in seen:
            raise PacketError("ZIP_DUPLICATE_NAME", entry.where)
        seen.add(entry.name.casefold())
    starts = _data_starts(data, entries, directory_at)
    budget = limits.max_total_bytes
    files: dict[str, bytes] = {}
    for entry in entries:
        start = starts[entry.index]
        content = _content(data[start : start + entry.deflated_bytes], entry, limits, budget)
        budget -= len(content)
        files[entry.name] = content
    return files


def _directory(data: bytes, limits: Limits) -> tuple[list[_Entry], int]:
    end_at = len(data) - _END.size
    if end_at < 0:
        raise PacketError("ZIP_MALFORMED", "zip")
    signature, disk, start_disk, here, total, size, offset, comment = _END.unpack_from(data, end_at)
    if signature != b"PK\x05\x06" or disk or start_disk or here != total or comment:
        raise PacketError("ZIP_MALFORMED", "zip")
    if offset + size != end_at:
        raise PacketError("ZIP_MALFORMED", "zip")
    if total > limits.max_entries:
        raise PacketError("ZIP_TOO_MANY_ENTRIES", "zip")
    entries = []
    position = offset
    for index in range(total):
        entry, position = _central_header(data, index, position, end_at)
        entries.append(entry)
    if position != end_at:
        raise PacketError("ZIP_MALFORMED", "zip")
    return entries, offset


def _central_header(data: bytes, index: int, at: int, end: int) -> tuple[_Entry, int]:
    where = f"entry[{index}]"
    if at + _CENTRAL.size > end:
        raise PacketError("ZIP_MALFORMED", where)
    fields = _CENTRAL.unpack_from(data, at)
    signature, _, made_by, _, _, flags, method, _, _, crc, deflated, inflated = fields[:12]
    name_bytes, extra_bytes, comment_bytes, disk, _, attributes, offset = fields[12:]
    name_at = at + _CENTRAL.size
    after = name_at + name_bytes + extra_bytes + comment_bytes
    if signature != b"PK\x01\x02" or disk or comment_bytes or after > end:
        raise PacketError("ZIP_MALFORMED", where)
    if flags & _ENCRYPTED:
        raise PacketError("ZIP_ENTRY_ENCRYPTED", where)
    if method not in (_STORED, _DEFLATED):
        raise PacketError("ZIP_METHOD_UNSUPPORTED", where)
    kind = stat.S_IFMT(attributes >> 16)
    if made_by == _UNIX and kind not in (0, stat.S_IFREG):
        raise PacketError("ZIP_SPECIAL_FILE", where)
    raw_name = data[name_at : name_at + name_bytes]
    name = _checked_name(raw_name, flags, where)
    return (
        _Entry(index, name, raw_name, flags, method, crc, deflated, inflated, offset),
        after,
    )


def _checked_name(raw: bytes, flags: int, where: str) -> str:
    try:
        name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise PacketError("ZIP_NAME_INVALID", where) from None
    if not name or len(raw) > _MAX_NAME_BYTES:
        raise PacketError("ZIP_NAME_INVALID", where)
    segments = name.replace("\\", "/").split("/")
    if name[0] in "/\\" or ".." in segments or name[1:2] == ":":
        raise PacketError("ZIP_PATH_TRAVERSAL", where)
    # An empty segment is also how a folder entry ends; a packet has none.
    if _FORBIDDEN.search(name) or "" in segments or "." in segments:
        raise PacketError("ZIP_NAME_INVALID", where)
    return name


def _data_starts(data: bytes, entries: list[_Entry], directory_at: int) -> dict[int, int]:
    """Return where each entry's data starts, having checked that they fill the file in order."""
    starts: dict[int, int] = {}
    expected = {0}
    for entry in sorted(entries, key=lambda e: e.offset):
        if entry.offset not in expected:
            raise PacketError("ZIP_MALFORMED", entry.where)
        start = _local_header(data, entry, directory_at)
        starts[entry.index] = start
        end = start + entry.deflated_bytes
        if end > directory_at:
            raise PacketError("ZIP_MALFORMED", entry.where)
        # The data descriptor is 12 bytes, or 16 with its optional signature.
        expected = {end + 12, end + 16} if entry.flags & _HAS_DESCRIPTOR else {end}
    if directory_at not in expected:
        raise PacketError("ZIP_MALFORMED", "zip")
    return starts


def _local_header(data: bytes, entry: _Entry, limit: int) -> int:
    if entry.offset + _LOCAL.size > limit:
        raise PacketError("ZIP_MALFORMED", entry.where)
    fields = _LOCAL.unpack_from(data, entry.offset)
    signature, _, flags, method, _, _, crc, deflated, inflated, name_bytes, extra_bytes = fields
    name_at = entry.offset + _LOCAL.size
    start: int = name_at + name_bytes + extra_bytes
    if signature != b"PK\x03\x04" or (flags, method) != (entry.flags, entry.method):
        raise PacketError("ZIP_MALFORMED", entry.where)
    if start > limit:
        raise PacketError("ZIP_MALFORMED", entry.where)
    if data[name_at : name_at + name_bytes] != entry.raw_name:
        raise PacketError("ZIP_MALFORMED", entry.where)
    sizes = (crc, deflated, inflated)
    known = (entry.crc, entry.deflated_bytes, entry.inflated_bytes)
    if sizes != known and not (flags & _HAS_DESCRIPTOR and sizes == (0, 0, 0)):
        raise PacketError("ZIP_MALFORMED", entry.where)
    return start


def _content(deflated: bytes, entry: _Entry, limits: Limits, budget: int) -> bytes:
    most = min(limits.max_entry_bytes, budget)
    if entry.method == _STORED:
        if len(deflated) > most:
            raise PacketError("ZIP_BOMB", entry.where)
        content = deflated
    else:
        content = _inflate(deflated, entry, limits, most)
    if len(content) != entry.inflated_bytes:
        raise PacketError("ZIP_MALFORMED", entry.where)
    if zlib.crc32(content) != entry.crc:
        raise PacketError("ZIP_CRC_MISMATCH", entry.where)
    return content


def _inflate(deflated: bytes, entry: _Entry, limits: Limits, most: int) -> bytes:
    most = min(most, max(limits.ratio_floor_bytes, limits.max_ratio * len(deflated)))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    chunks: list[bytes] = []
    inflated_bytes = 0
    pending = deflated
    try:
        while not inflater.eof:
            chunk = inflater.decompress(pending, _CHUNK)
            inflated_bytes += len(chunk)
            if inflated_bytes > most:
                raise PacketError("ZIP_BOMB", entry.where)
            if not chunk and not inflater.eof:
                raise PacketError("ZIP_MALFORMED", entry.where)
            chunks.append(chunk)
            pending = inflater.unconsumed_tail
    except zlib.error:
        raise PacketError("ZIP_MALFORMED", entry.where) from None
    if inflater.unused_data or inflater.unconsumed_tail:
        raise PacketError("ZIP_MALFORMED", entry.where)
    return b"".join(chunks)


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files in their order; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # Dated 1980-01-01.
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=6)
    return buffer.getvalue()
