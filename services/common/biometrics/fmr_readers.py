"""Finger minutiae records as others write them, read.

ISO/IEC 19794-2:2011 (clause 8) and ANSI/INCITS 378-2004 (clause 6), and which of them, or of ISO's
of 2005, a data block is. What no comparison looks at (dates, devices, certificates, extended data)
is walked over and not judged, as matcher_ext does.
"""

from __future__ import annotations

from typing import Final

from services.common.biometrics.errors import BiometricsError
from services.common.biometrics.fmr import (
    BIFURCATION,
    MAGIC,
    UNKNOWN_QUALITY,
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    read_fmr,
)
from services.common.biometrics.fmr_formats import ISO_2011_MAGIC

_LEAST_ISO_BYTES: Final = 24
_LEAST_ANSI_BYTES: Final = 26
_ISO_DIRECTIONS: Final = 256
_ANSI_DIRECTIONS: Final = 180
_NOT_REPORTED: Final = 254
_MOST_QUALITY: Final = 100
_LAST_POSITION: Final = 10
_COORDINATE: Final = 0x3FFF


def read_finger_minutiae(
    data: bytes, *, allow_trailing: bool = False
) -> tuple[FingerMinutiaeRecord, ...]:
    """Read a record of any of the three formats.

    Args:
        data: the data block.
        allow_trailing: pass over bytes behind the declared length, as some captures carry.

    Returns:
        One record; of ISO/IEC 19794-2:2011, where each view has an image of its own, one for each.

    Raises:
        BiometricsError: see read_fmr; also DIRECTION_INVALID, FORMAT_UNKNOWN, NO_VIEWS.
    """
    if data.startswith(ISO_2011_MAGIC):
        return _read_iso_2011(_cut(data, 8, 4, allow_trailing=allow_trailing))
    if is_ansi_378(data):
        size = 4 if data[8:10] == b"\0\0" else 2
        cut = _cut(data, 10 if size == 4 else 8, size, allow_trailing=allow_trailing)
        return (_read_ansi_378(cut),)
    return (read_fmr(data, allow_trailing=allow_trailing),)


def is_ansi_378(data: bytes) -> bool:
    """Tell a record of ANSI 378 from one of ISO of 2005, which has the same magic.

    ISO's length has four bytes, ANSI's two or, behind two zeros, four.
    """
    if not data.startswith(MAGIC) or len(data) < _LEAST_ISO_BYTES:
        return False
    length = int.from_bytes(data[8:12], "big")
    if length == len(data):
        return False
    return length >> 16 >= _LEAST_ANSI_BYTES or length < _LEAST_ISO_BYTES


def _cut(data: bytes, at: int, size: int, *, allow_trailing: bool) -> bytes:
    length = int.from_bytes(data[at : at + size], "big")
    if length > len(data) or len(data) < at + size:
        raise BiometricsError("RECORD_TRUNCATED", "header")
    if length < len(data) and not allow_trailing:
        raise BiometricsError("LENGTH_MISMATCH", "header")
    return data[:length]


class _Reader:
    """Takes big-endian numbers from the front; refuses to pass the end."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data = data
        self._at = 0
        self.path = path

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise BiometricsError("RECORD_TRUNCATED", self.path)
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size), "big")


def _read_iso_2011(data: bytes) -> tuple[FingerMinutiaeRecord, ...]:
    reader = _Reader(data, "header")
    reader.take(len(ISO_2011_MAGIC) + 4)
    views, certified = reader.number(2), reader.number()
    if certified > 1:
        raise BiometricsError("FORMAT_UNKNOWN", "header.certification")
    if not views:
        raise BiometricsError("NO_VIEWS", "header")
    read = []
    for index in range(views):
        reader.path = f"view[{index}]"
        length = reader.number(4)
        if length < 4:
            raise BiometricsError("LENGTH_MISMATCH", reader.path)
        inside = _Reader(reader.take(length - 4), reader.path)
        read.append(_read_representation(inside, certified=bool(certified)))
        if inside.left:
            raise BiometricsError("LENGTH_MISMATCH", reader.path)
    if reader.left:
        raise BiometricsError("LENGTH_MISMATCH", "header")
    return tuple(read)


def _read_representation(reader: _Reader, *, certified: bool) -> FingerMinutiaeRecord:
    # Time of capture, technology and vendor of the device.
    reader.take(9 + 1 + 2)
    device = reader.number(2)
    quality = UNKNOWN_QUALITY
    for _ in range(reader.number()):
        quality = quality or _quality(reader, may_lack=True)
        reader.take(4)
    if certified:
        reader.take(3 * reader.number())
    position, number = _position(reader), reader.number()
    x_resolution, y_resolution = _resolution(reader)
    impression = reader.number()
    width, height = reader.number(2), reader.number(2)
    minutia_bytes = reader.number() >> 4
    if minutia_bytes not in (5, 6):
        raise BiometricsError("FORMAT_UNKNOWN", f"{reader.path}.minutia_bytes")
    minutiae = tuple(
        _minutia(reader, (width, height), _ISO_DIRECTIONS, minutia_bytes == 6, may_lack=True)
        for _ in range(reader.number())
    )
    reader.take(reader.number(2))
    view = FingerView(position, quality, minutiae, impression, number)
    return FingerMinutiaeRecord(width, height, (view,), x_resolution, y_resolution, device)


def _read_ansi_378(data: bytes) -> FingerMinutiaeRecord:
    reader = _Reader(data, "header")
    reader.take(len(MAGIC))
    if not reader.number(2):
        reader.take(4)
    reader.take(4)
    device = reader.number(2)
    width, height = reader.number(2), reader.number(2)
    x_resolution, y_resolution = _resolution(reader)
    views = reader.number()
    reader.take(1)
    if not views:
        raise BiometricsError("NO_VIEWS", "header")
    read = []
    for index in range(views):
        reader.path = f"view[{index}]"
        read.append(_ansi_view(reader, (width, height)))
    if reader.left:
        raise BiometricsError("LENGTH_MISMATCH", "header")
    return FingerMinutiaeRecord(width, height, tuple(read), x_resolution, y_resolution, device)


def _ansi_view(reader: _Reader, size: tuple[int, int]) -> FingerView:
    position, packed = _position(reader), reader.number()
    quality = _quality(reader, may_lack=False)
    minutiae = tuple(
        _minutia(reader, size, _ANSI_DIRECTIONS, True, may_lack=False)
        for _ in range(reader.number())
    )
    reader.take(reader.number(2))
    return FingerView(position, quality, minutiae, packed & 0x0F, packed >> 4)


def _position(reader: _Reader) -> int:
    position = reader.number()
    if position > _LAST_POSITION:
        raise BiometricsError("POSITION_UNKNOWN", reader.path)
    return position


def _resolution(reader: _Reader) -> tuple[int, int]:
    x_resolution, y_resolution = reader.number(2), reader.number(2)
    if not (x_resolution and y_resolution):
        raise BiometricsError("RESOLUTION_INVALID", reader.path)
    return x_resolution, y_resolution


def _quality(reader: _Reader, *, may_lack: bool) -> int:
    quality = reader.number()
    if may_lack and quality >= _NOT_REPORTED:
        return UNKNOWN_QUALITY
    if quality > _MOST_QUALITY:
        raise BiometricsError("QUALITY_INVALID", reader.path)
    return quality


def _minutia(
    reader: _Reader, size: tuple[int, int], directions: int, rated: bool, *, may_lack: bool
) -> Minutia:
    first, y, direction = reader.number(2), reader.number(2) & _COORDINATE, reader.number()
    kind, x = first >> 14, first & _COORDINATE
    if kind > BIFURCATION:
        raise BiometricsError("MINUTIA_INVALID", reader.path)
    if x >= size[0] or y >= size[1]:
        raise BiometricsError("MINUTIA_OUTSIDE_IMAGE", reader.path)
    if direction >= directions:
        raise BiometricsError("DIRECTION_INVALID", reader.path)
    quality = _quality(reader, may_lack=may_lack) if rated else UNKNOWN_QUALITY
    # The nearest of our 256 directions.
    angle = (direction * _ISO_DIRECTIONS * 2 + directions) // (directions * 2)
    return Minutia(x, y, angle, kind, quality)
