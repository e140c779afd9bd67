"""Which ISO/IEC 19794 record a data block is, and whether its declared length holds.

The images inside are not decoded here: that is the work of an isolated process.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from services.common.biometrics.errors import BiometricsError


class RecordKind(Enum):
    """What a record holds; the value is its format identifier without the NUL."""

    FINGER_MINUTIAE = "FMR"
    FINGER_IMAGE = "FIR"
    IRIS_IMAGE = "IIR"
    FACE_IMAGE = "FAC"


# Offset and width of the record length, by version. 19794-4:2005 alone has six bytes.
_LENGTHS: Final = {
    (RecordKind.FINGER_MINUTIAE, b" 20\0"): (8, 4),
    (RecordKind.FINGER_MINUTIAE, b"030\0"): (8, 4),
    (RecordKind.FINGER_IMAGE, b"010\0"): (8, 6),
    (RecordKind.FINGER_IMAGE, b"020\0"): (8, 4),
    (RecordKind.IRIS_IMAGE, b"010\0"): (8, 4),
    (RecordKind.IRIS_IMAGE, b"020\0"): (8, 4),
    (RecordKind.FACE_IMAGE, b"010\0"): (8, 4),
    (RecordKind.FACE_IMAGE, b"030\0"): (8, 4),
}
_KINDS: Final = {kind.value.encode("ascii") + b"\0": kind for kind in RecordKind}


@dataclass(frozen=True, slots=True)
class IsoRecord:
    """A recognised record.

    Attributes:
        kind: what it holds.
        version: three characters, for instance "020".
        declared_bytes: the length in its header.
        trailing_bytes: how many bytes follow; some capture devices pad.
    """

    kind: RecordKind
    version: str
    declared_bytes: int
    trailing_bytes: int


def recognise(data: bytes, *, allow_trailing: bool = False) -> IsoRecord:
    """Read magic, version and length of a data block.

    Args:
        data: the data block.
        allow_trailing: tolerate bytes behind the declared length.

    Raises:
        BiometricsError: NOT_ISO, VERSION_UNKNOWN, RECORD_TRUNCATED, LENGTH_MISMATCH.
    """
    kind = _KINDS.get(data[:4])
    if kind is None:
        raise BiometricsError("NOT_ISO", "header")
    version = data[4:8]
    place = _LENGTHS.get((kind, version))
    if place is None:
        raise BiometricsError("VERSION_UNKNOWN", "header")
    offset, width = place
    if len(data) < offset + width:
        raise BiometricsError("RECORD_TRUNCATED", "header")
    declared = int.from_bytes(data[offset : offset + width], "big")
    if declared > len(data):
        raise BiometricsError("RECORD_TRUNCATED", "header")
    trailing = len(data) - declared
    if declared < offset + width or (trailing and not allow_trailing):
        raise BiometricsError("LENGTH_MISMATCH", "header")
    return IsoRecord(kind, version.rstrip(b"\0").decode("ascii").strip(), declared, trailing)
