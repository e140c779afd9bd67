"""Finger minutiae records of ISO/IEC 19794-2:2005, the common template of finger matchers.

Positions are in pixels from the upper left corner, angles in units of 360/256 degrees,
anticlockwise from the right; all numbers are big-endian. Extended data (ridge counts, cores,
deltas) is passed over on reading and not written.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.common.biometrics.errors import BiometricsError

MAGIC: Final = b"FMR\x00 20\x00"
OTHER, RIDGE_ENDING, BIFURCATION = 0, 1, 2
MAX_MINUTIAE: Final = 255
MAX_VIEWS: Final = 16
UNKNOWN_QUALITY: Final = 0

_HEADER = struct.Struct(">8sIHHHHHBB")
_VIEW = struct.Struct(">4B")
_MINUTIA = struct.Struct(">HHBB")
_EXTENDED = struct.Struct(">H")
_COORDINATE = 0x3FFF


class Minutia(NamedTuple):
    """A ridge ending or bifurcation: x, y in pixels, angle 0-255, kind, quality 0-100."""

    x: int
    y: int
    angle: int
    kind: int
    quality: int


@dataclass(frozen=True, slots=True)
class FingerView:
    """One impression of one finger.

    Attributes:
        position: 0 unknown, 1 right thumb to 10 left little finger.
        quality: 0 to 100.
        minutiae: at most 255.
        impression, view: type of impression and number of the view, 0 to 15 each.
    """

    position: int
    quality: int
    minutiae: tuple[Minutia, ...]
    impression: int = 0
    view: int = 0


@dataclass(frozen=True, slots=True)
class FingerMinutiaeRecord:
    """A record: image size in pixels, resolution in pixels per centimetre (197 is 500 dpi)."""

    width: int
    height: int
    views: tuple[FingerView, ...]
    x_resolution: int = 197
    y_resolution: int = 197
    device: int = 0


def read_fmr(data: bytes, *, allow_trailing: bool = False) -> FingerMinutiaeRecord:
    """Read a record.

    Args:
        data: the data block.
        allow_trailing: pass over bytes behind the declared length, as some captures carry.

    Raises:
        BiometricsError: NOT_FMR, RECORD_TRUNCATED, LENGTH_MISMATCH, TOO_MANY_VIEWS,
            RESOLUTION_INVALID, POSITION_UNKNOWN, QUALITY_INVALID, MINUTIA_OUTSIDE_IMAGE,
            MINUTIA_INVALID.
    """
    if not data.startswith(MAGIC):
        raise BiometricsError("NOT_FMR", "header")
    if len(data) < _HEADER.size:
        raise BiometricsError("RECORD_TRUNCATED", "header")
    _, length, device, width, height, x_res, y_res, views, _ = _HEADER.unpack_from(data)
    if length > len(data):
        raise BiometricsError("RECORD_TRUNCATED", "header")
    if length < len(data) and not allow_trailing:
        raise BiometricsError("LENGTH_MISMATCH", "header")
    if views > MAX_VIEWS:
        raise BiometricsError("TOO_MANY_VIEWS", "header")
    if not (width and height and x_res and y_res):
        raise BiometricsError("RESOLUTION_INVALID", "header")
    read = []
    position = _HEADER.size
    for index in range(views):
        view, position = _read_view(data[:length], position, f"view[{index}]", (width, height))
        read.append(view)
    if position != length:
        raise BiometricsError("LENGTH_MISMATCH", "header")
    return FingerMinutiaeRecord(width, height, tuple(read), x_res, y_res, device)


def _read_view(data: bytes, at: int, path: str, size: tuple[int, int]) -> tuple[FingerView, int]:
    if at + _VIEW.size > len(data):
        raise BiometricsError("RECORD_TRUNCATED", path)
    position, packed, quality, count = _VIEW.unpack_from(data, at)
    if position > 10:
        raise BiometricsError("POSITION_UNKNOWN", path)
    if quality > 100:
        raise BiometricsError("QUALITY_INVALID", path)
    start = at + _VIEW.size
    end = start + count * _MINUTIA.size
    if end + _EXTENDED.size > len(data):
        raise BiometricsError("RECORD_TRUNCATED", path)
    minutiae = []
    for index, (first, second, angle, rating) in enumerate(_MINUTIA.iter_unpack(data[start:end])):
        kind, x, y = first >> 14, first & _COORDINATE, second & _COORDINATE
        if kind > BIFURCATION or rating > 100:
            raise BiometricsError("MINUTIA_INVALID", f"{path}.minutia[{index}]")
        if x >= size[0] or y >= size[1]:
            raise BiometricsError("MINUTIA_OUTSIDE_IMAGE", f"{path}.minutia[{index}]")
        minutiae.append(Minutia(x, y, angle, kind, rating))
    (extended,) = _EXTENDED.unpack_from(data, end)
    after = end + _EXTENDED.size + extended
    if after > len(data):
        raise BiometricsError("RECORD_TRUNCATED", f"{path}.extended")
    view = FingerView(position, quality, tuple(minutiae), packed & 0x0F, packed >> 4)
    return view, after


def write_fmr(record: FingerMinutiaeRecord) -> bytes:
    """Return the record's bytes; read_fmr gives the same record back.

    Raises:
        ValueError: a number does not fit its field, or there are too many minutiae or views.
    """
    if len(record.views) > MAX_VIEWS:
        raise ValueError(f"at most {MAX_VIEWS} views")
    body = bytearray()
    try:
        for view in record.views:
            body += _write_view(view)
        header = _HEADER.pack(
            MAGIC,
            _HEADER.size + len(body),
            record.device,
            record.width,
            record.height,
            record.x_resolution,
            record.y_resolution,
            len(record.views),
            0,
        )
    except struct.error as error:
        raise ValueError("a number does not fit its field") from error
    return header + bytes(body)


def _write_view(view: FingerView) -> bytes:
    if len(view.minutiae) > MAX_MINUTIAE:
        raise ValueError(f"at most {MAX_MINUTIAE} minutiae")
    if not (0 <= view.view < 16 and 0 <= view.impression < 16):
        raise ValueError("view and impression have four bits each")
    packed = view.view << 4 | view.impression
    parts = [_VIEW.pack(view.position, packed, view.quality, len(view.minutiae))]
    for minutia in view.minutiae:
        if not (0 <= minutia.x <= _COORDINATE and 0 <= minutia.y <= _COORDINATE):
            raise ValueError("coordinates have fourteen bits")
        first = minutia.kind << 14 | minutia.x
        parts.append(_MINUTIA.pack(first, minutia.y, minutia.angle, minutia.quality))
    parts.append(_EXTENDED.pack(0))
    return b"".join(parts)
