"""Our own data blocks, for templates that no ISO record holds: iris codes and face embeddings.

Header numbers are big-endian; `encoder` names the algorithm and model, in up to eight ASCII
characters padded with NUL, because templates of different encoders cannot be compared.

    iris code, format ("idmesh", "iris-code-1")     face embedding, ("idmesh", "face-embedding-1")
    0   4  "IDMI"                                   0   4  "IDMF"
    4   1  version, 1                               4   1  version, 1
    5   1  eye: 0 unknown, 1 right, 2 left          5   1  element: 1 int8, 2 float32
    6   1  bands                                    6   2  dimensions
    7   1  rows                                     8   1  quality, 0-100, 255 unknown
    8   2  angles                                   9   3  zero
    10  1  quality, 0-100, 255 unknown              12  4  scale, float32
    11  1  zero                                     16  8  encoder
    12  8  encoder                                  24     elements: int8, or float32 little-endian
    20  n  code, then n bytes of mask

A code has bands x rows x angles bits, in that order, angles fastest, the lowest bit of a byte
first; n is that over eight. A mask bit of one means that the code's bit counts. An int8 element
stands for its value times scale; for float32 scale is one.
"""

import math
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from services.common.biometrics.errors import BiometricsError

IRIS_MAGIC: Final = b"IDMI"
FACE_MAGIC: Final = b"IDMF"
VERSION: Final = 1
UNKNOWN_QUALITY: Final = 255
MAX_IRIS_BYTES: Final = 4096
MAX_DIMENSIONS: Final = 4096

_IRIS = struct.Struct(">4sBBBBHBB8s")
_FACE = struct.Struct(">4sBBHB3sf8s")


class ElementType(IntEnum):
    """How an embedding's elements are stored."""

    INT8 = 1
    FLOAT32 = 2


_ELEMENT_BYTES = {ElementType.INT8: 1, ElementType.FLOAT32: 4}


@dataclass(frozen=True, slots=True)
class IrisCode:
    """An iris code with its mask; see the module for the layout. quality: 0-100, 255 unknown."""

    code: bytes = field(repr=False)
    mask: bytes = field(repr=False)
    encoder: str
    eye: int = 0
    bands: int = 2
    rows: int = 8
    angles: int = 128
    quality: int = UNKNOWN_QUALITY


@dataclass(frozen=True, slots=True)
class FaceEmbedding:
    """A face embedding; see the module for the layout. quality: 0-100, 255 unknown."""

    elements: bytes = field(repr=False)
    dimensions: int
    encoder: str
    element_type: ElementType = ElementType.INT8
    scale: float = 1.0
    quality: int = UNKNOWN_QUALITY

    def values(self) -> tuple[float, ...]:
        """Return the elements as floats, scale applied."""
        letter = "b" if self.element_type is ElementType.INT8 else "f"
        return tuple(
            value * self.scale for (value,) in struct.iter_unpack(f"<{letter}", self.elements)
        )


def write_iris_code(template: IrisCode) -> bytes:
    """Return the block.

    Raises:
        BiometricsError: what read_iris_code would raise for it.
    """
    _check_byte(template.bands, template.rows, template.eye, template.quality)
    if not 0 <= template.angles < 1 << 16:
        raise BiometricsError("DIMENSIONS_INVALID", "iris code")
    header = _IRIS.pack(
        IRIS_MAGIC,
        VERSION,
        template.eye,
        template.bands,
        template.rows,
        template.angles,
        template.quality,
        0,
        _encoder_bytes(template.encoder),
    )
    block = header + template.code + template.mask
    read_iris_code(block)
    return block


def read_iris_code(block: bytes) -> IrisCode:
    """Read an iris code.

    Raises:
        BiometricsError: NOT_IRIS_CODE, VERSION_UNKNOWN, RECORD_TRUNCATED, DIMENSIONS_INVALID,
            LENGTH_MISMATCH, POSITION_UNKNOWN, QUALITY_INVALID, VALUE_INVALID, ENCODER_INVALID.
    """
    _check_start(block, IRIS_MAGIC, _IRIS.size, "NOT_IRIS_CODE")
    _, _, eye, bands, rows, angles, quality, zero, encoder = _IRIS.unpack_from(block)
    bits = bands * rows * angles
    if bits == 0 or bits % 8 or bits // 8 > MAX_IRIS_BYTES:
        raise BiometricsError("DIMENSIONS_INVALID", "iris code")
    if len(block) != _IRIS.size + 2 * (bits // 8):
        raise BiometricsError("LENGTH_MISMATCH", "iris code")
    if eye > 2:
        raise BiometricsError("POSITION_UNKNOWN", "iris code")
    _check_common(quality, zero != 0, "iris code")
    middle = _IRIS.size + bits // 8
    return IrisCode(
        code=block[_IRIS.size : middle],
        mask=block[middle:],
        encoder=_encoder_text(encoder),
        eye=eye,
        bands=bands,
        rows=rows,
        angles=angles,
        quality=quality,
    )


def write_face_embedding(template: FaceEmbedding) -> bytes:
    """Return the block.

    Raises:
        BiometricsError: what read_face_embedding would raise for it.
    """
    _check_byte(template.quality)
    if not 0 <= template.dimensions < 1 << 16:
        raise BiometricsError("DIMENSIONS_INVALID", "face embedding")
    try:
        header = _FACE.pack(
            FACE_MAGIC,
            VERSION,
            template.element_type,
            template.dimensions,
            template.quality,
            bytes(3),
            template.scale,
            _encoder_bytes(template.encoder),
        )
    except OverflowError:
        raise BiometricsError("VALUE_INVALID", "face embedding") from None
    block = header + template.elements
    read_face_embedding(block)
    return block


def read_face_embedding(block: bytes) -> FaceEmbedding:
    """Read a face embedding.

    Raises:
        BiometricsError: NOT_FACE_EMBEDDING, VERSION_UNKNOWN, RECORD_TRUNCATED,
            DIMENSIONS_INVALID, LENGTH_MISMATCH, QUALITY_INVALID, VALUE_INVALID (scale or an
            element is not finite), ENCODER_INVALID.
    """
    _check_start(block, FACE_MAGIC, _FACE.size, "NOT_FACE_EMBEDDING")
    _, _, kind, dimensions, quality, zero, scale, encoder = _FACE.unpack_from(block)
    if kind not in _ELEMENT_BYTES or not 0 < dimensions <= MAX_DIMENSIONS:
        raise BiometricsError("DIMENSIONS_INVALID", "face embedding")
    element_type = ElementType(kind)
    if len(block) != _FACE.size + dimensions * _ELEMENT_BYTES[element_type]:
        raise BiometricsError("LENGTH_MISMATCH", "face embedding")
    _check_common(quality, any(zero), "face embedding")
    template = FaceEmbedding(
        elements=block[_FACE.size :],
        dimensions=dimensions,
        encoder=_encoder_text(encoder),
        element_type=element_type,
        scale=scale,
        quality=quality,
    )
    if not (math.isfinite(scale) and scale > 0):
        raise BiometricsError("VALUE_INVALID", "face embedding")
    if element_type is ElementType.FLOAT32 and not all(map(math.isfinite, template.values())):
        raise BiometricsError("VALUE_INVALID", "face embedding")
    return template


def _check_start(block: bytes, magic: bytes, header_bytes: int, reason: str) -> None:
    if not block.startswith(magic):
        raise BiometricsError(reason, "header")
    if len(block) < header_bytes:
        raise BiometricsError("RECORD_TRUNCATED", "header")
    if block[4] != VERSION:
        raise BiometricsError("VERSION_UNKNOWN", "header")


def _check_common(quality: int, padded: bool, field_name: str) -> None:
    if quality > 100 and quality != UNKNOWN_QUALITY:
        raise BiometricsError("QUALITY_INVALID", field_name)
    if padded:
        raise BiometricsError("VALUE_INVALID", field_name)


def _check_byte(*numbers: int) -> None:
    if not all(0 <= number < 256 for number in numbers):
        raise BiometricsError("VALUE_INVALID", "header")


def _encoder_bytes(encoder: str) -> bytes:
    if not encoder or len(encoder) > 8 or not encoder.isascii() or not encoder.isprintable():
        raise BiometricsError("ENCODER_INVALID", "encoder")
    return encoder.encode("ascii")


def _encoder_text(raw: bytes) -> str:
    text = raw.rstrip(b"\0")
    if not text or any(not 0x20 <= byte < 0x7F for byte in text):
        raise BiometricsError("ENCODER_INVALID", "encoder")
    return text.decode("ascii")
