"""Finger minutiae records as others write them: ISO/IEC 19794-2:2011 and ANSI/INCITS 378-2004.

They hold what a record of 2005 holds (services.common.biometrics.fmr), in another order. ANSI's
angles have steps of two degrees: what is written is the nearest.
"""

from __future__ import annotations

import struct
from typing import Final

from services.common.biometrics.fmr import MAX_MINUTIAE, FingerMinutiaeRecord, FingerView

ISO_2011_MAGIC: Final = b"FMR\x00030\x00"
ANSI_378_MAGIC: Final = b"FMR\x00 20\x00"
MAX_VIEWS: Final = 176

_ISO_HEADER = struct.Struct(">8sIHB")
# Length, time of capture, technology, vendor and type of the device, quality blocks.
_ISO_REPRESENTATION = struct.Struct(">I9sBHHB")
_ISO_QUALITY = struct.Struct(">BHH")
# Position, number of the view, resolutions, impression, size, bytes of a minutia, minutiae.
_ISO_VIEW = struct.Struct(">BBHHBHHBB")
_TIME_UNKNOWN = b"\xff" * 9
_SIX_BYTES_A_MINUTIA = 0x60

_ANSI_HEADER = struct.Struct(">HHHHHHHBB")
_ANSI_PRODUCT_OWNER_UNKNOWN = 0x0103
_ANSI_DIRECTIONS = 180
_LONG = 0x10000

_VIEW = struct.Struct(">4B")
_MINUTIA = struct.Struct(">HHBB")
_NO_EXTENDED_DATA = bytes(2)
_COORDINATE = 0x3FFF


def write_fmr_2011(record: FingerMinutiaeRecord) -> bytes:
    """Return the record in the format of ISO/IEC 19794-2:2011, clause 8.

    Raises:
        ValueError: a number does not fit its field, or there are too many minutiae or views.
    """
    _check(record)
    try:
        body = b"".join(_iso_representation(record, view) for view in record.views)
        length = _ISO_HEADER.size + len(body)
        return _ISO_HEADER.pack(ISO_2011_MAGIC, length, len(record.views), 0) + body
    except struct.error as error:
        raise ValueError("a number does not fit its field") from error


def _iso_representation(record: FingerMinutiaeRecord, view: FingerView) -> bytes:
    # Quality 0 is unknown: no block says it.
    quality = _ISO_QUALITY.pack(view.quality, 0, 0) if view.quality else b""
    finger = _ISO_VIEW.pack(
        view.position,
        view.view,
        record.x_resolution,
        record.y_resolution,
        view.impression,
        record.width,
        record.height,
        _SIX_BYTES_A_MINUTIA,
        len(view.minutiae),
    )
    rest = quality + finger + _minutiae(view, 256) + _NO_EXTENDED_DATA
    length = _ISO_REPRESENTATION.size + len(rest)
    front = _ISO_REPRESENTATION.pack(
        length, _TIME_UNKNOWN, 0, 0, record.device, 1 if view.quality else 0
    )
    return front + rest


def write_ansi_378(record: FingerMinutiaeRecord) -> bytes:
    """Return the record in the format of ANSI/INCITS 378-2004, clause 6.

    Raises:
        ValueError: a number does not fit its field, or there are too many minutiae or views.
    """
    _check(record)
    try:
        header = _ANSI_HEADER.pack(
            _ANSI_PRODUCT_OWNER_UNKNOWN,
            0,
            record.device,
            record.width,
            record.height,
            record.x_resolution,
            record.y_resolution,
            len(record.views),
            0,
        )
        body = header + b"".join(_ansi_view(view) for view in record.views)
    except struct.error as error:
        raise ValueError("a number does not fit its field") from error
    length = len(ANSI_378_MAGIC) + 2 + len(body)
    # A length that two bytes cannot hold is written in four, behind two zeros.
    written = struct.pack(">H", length) if length < _LONG else struct.pack(">HI", 0, length + 4)
    return ANSI_378_MAGIC + written + body


def _ansi_view(view: FingerView) -> bytes:
    packed = view.view << 4 | view.impression
    head = _VIEW.pack(view.position, packed, view.quality, len(view.minutiae))
    return head + _minutiae(view, _ANSI_DIRECTIONS) + _NO_EXTENDED_DATA


def _minutiae(view: FingerView, directions: int) -> bytes:
    return b"".join(
        _MINUTIA.pack(
            minutia.kind << 14 | minutia.x,
            minutia.y,
            round(minutia.angle * directions / 256) % directions,
            minutia.quality,
        )
        for minutia in view.minutiae
    )


def _check(record: FingerMinutiaeRecord) -> None:
    if len(record.views) > MAX_VIEWS:
        raise ValueError(f"at most {MAX_VIEWS} views")
    for view in record.views:
        if len(view.minutiae) > MAX_MINUTIAE:
            raise ValueError(f"at most {MAX_MINUTIAE} minutiae")
        if not (0 <= view.view < 16 and 0 <= view.impression < 16):
            raise ValueError("view and impression have four bits each")
        for minutia in view.minutiae:
            if not (0 <= minutia.x <= _COORDINATE and 0 <= minutia.y <= _COORDINATE):
                raise ValueError("coordinates have fourteen bits")
            if not 0 <= minutia.angle < 256:
                raise ValueError("an angle does not fit its field")
