"""Templates of the three modalities, and their comparison 1:1."""

from __future__ import annotations

import enum
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher_ext import _native
from matcher_ext.error import MatcherError

DEFAULT_IRIS_ROTATION: Final = 15
_LAST_VIEW: Final = 0xFFFF


class Modality(enum.Enum):
    """What part of a person a template is of."""

    FINGER = 0
    IRIS = 1
    FACE = 2


class FingerTemplate:
    """Minutiae of one finger. Made by `from_record` or `from_minutiae`."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Template) -> None:
        self._native = native

    @classmethod
    def from_record(cls, record: bytes, view: int = 0) -> FingerTemplate:
        """Read a finger minutiae record of any of three formats, told apart by their bytes.

        Args:
            record: one whole record, nothing after it.
            view: which of its finger views, counted from 0.

        Raises:
            MatcherError: TEMPLATE_MALFORMED, with the part of the record as field;
                TEMPLATE_EMPTY, the view has no minutia.

        Source: the record formats (not those of cards) of ISO/IEC 19794-2:2005 (clause 7, version
        ` 20`), ISO/IEC 19794-2:2011 (clause 8, version `030`) and ANSI/INCITS 378-2004 (clause 6,
        version ` 20`).
        """
        if not 0 <= view <= _LAST_VIEW:
            raise MatcherError("TEMPLATE_MALFORMED", "views", "A view is in [0, 65535].")
        return cls(_native.finger_from_record(bytes(record), view))

    from_iso = from_record

    @classmethod
    def from_minutiae(
        cls,
        minutiae: NDArray[np.float64],
        *,
        dpi: float = 500.0,
        quality: NDArray[np.uint8] | None = None,
        position: int = 0,
    ) -> FingerTemplate:
        """Make a template of minutiae that are in no record.

        Args:
            minutiae: shape (n, 3), n >= 1: x to the right and y downwards in pixels, direction in
                radians, counter-clockwise from x as the image is seen.
            dpi: of the pixels, in [100, 2600].
            quality: shape (n,), in [0, 100], 0 where unknown; the best are kept of too many.
            position: finger position, 0 (unknown) to 10.

        Raises:
            MatcherError: TEMPLATE_EMPTY, TEMPLATE_MALFORMED, DIMENSION_MISMATCH, VALUE_NOT_FINITE,
                POSITION_OUT_OF_RANGE.
        """
        rows = np.array(minutiae, dtype=np.float64, order="C")
        if rows.ndim != 2 or rows.shape[1] != 3:
            raise MatcherError("DIMENSION_MISMATCH", "minutiae", "The shape is not (n, 3).")
        if not np.isfinite(rows).all():
            raise MatcherError("VALUE_NOT_FINITE", "minutiae", "A minutia has a NaN or infinity.")
        if quality is None:
            quality = np.zeros(rows.shape[0], dtype=np.uint8)
        if quality.dtype != np.uint8 or quality.shape != (rows.shape[0],):
            raise MatcherError("DIMENSION_MISMATCH", "quality", "Not one uint8 to the minutia.")
        if not 0 <= position <= 10:
            raise MatcherError("POSITION_OUT_OF_RANGE", "position", "A finger is in [0, 10].")
        rows[:, 2] = np.round(rows[:, 2] * (128 / math.pi)) % 256
        return cls(_native.finger_from_rows(rows, quality.tobytes(), float(dpi), position))

    @property
    def minutiae(self) -> int:
        """How many minutiae are kept: of more than 64 the best."""
        return self._native.minutiae

    @property
    def position(self) -> int:
        """Finger position of the record, 0 (unknown) to 10."""
        return self._native.position

    @property
    def quality(self) -> int:
        """Quality of the sample by the record, 0 to 100; 0 is unknown."""
        return self._native.quality

    @property
    def rows(self) -> NDArray[np.int32]:
        """The minutiae kept, shape (n, 4), best first.

        x to the right and y upwards in pixels of 500 dpi, the least of each 0; direction in 256ths
        of the turn, counter-clockwise from x; quality 0 (unknown) to 100.
        """
        return self._native.rows


class IrisTemplate:
    """Code and mask of one iris."""

    __slots__ = ("_native",)

    def __init__(self, code: bytes, mask: bytes) -> None:
        """Make a template.

        Args:
            code: 256 bytes: 2 bands x 8 rows x 128 angles, little bit order.
            mask: laid out alike; a set bit is a valid bit of the code.

        Raises:
            MatcherError: TEMPLATE_MALFORMED, MASK_EMPTY.
        """
        self._native = _native.iris_from_bytes(bytes(code), bytes(mask))


class FaceTemplate:
    """A face embedding, kept at unit length."""

    __slots__ = ("_native",)

    def __init__(self, vector: NDArray[np.float32]) -> None:
        """Make a template.

        Args:
            vector: float32, shape (dimension,), dimension in [1, 4096], of any length but zero.

        Raises:
            MatcherError: DTYPE_MISMATCH, DIMENSION_MISMATCH, TEMPLATE_EMPTY, VALUE_NOT_FINITE.
        """
        if vector.dtype != np.float32:
            raise MatcherError("DTYPE_MISMATCH", "vector", "The embedding is not float32.")
        if vector.ndim != 1:
            raise MatcherError("DIMENSION_MISMATCH", "vector", "The shape is not (dimension,).")
        self._native = _native.face_from_vector(np.ascontiguousarray(vector))

    @property
    def dimension(self) -> int:
        """Of the embedding."""
        return self._native.dimension


Template = FingerTemplate | IrisTemplate | FaceTemplate


def of_native(native: _native.Template) -> Template:
    """Return the typed template of one that the native part has made."""
    modality = Modality(native.modality)
    if modality is Modality.FINGER:
        return FingerTemplate(native)
    if modality is Modality.IRIS:
        iris = IrisTemplate.__new__(IrisTemplate)
        iris._native = native
        return iris
    face = FaceTemplate.__new__(FaceTemplate)
    face._native = native
    return face


def similarity(
    probe: Template, reference: Template, *, iris_rotation: int = DEFAULT_IRIS_ROTATION
) -> float:
    """Compare two templates of one modality; in [0, 1].

    Fingers: logistic in the evidence for one finger; thresholds by `threshold_at_fmr`. Irises: one
    minus the Hamming distance over the bits valid in both, at the best of 2 * iris_rotation + 1
    rotations; few valid bits draw it towards 0.5. Faces: (1 + cosine) / 2.

    Args:
        iris_rotation: steps of 1/128 turn, either way, in [0, 64].

    Raises:
        MatcherError: MODALITY_MISMATCH, DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE.
    """
    return _native.similarity(probe._native, reference._native, int(iris_rotation))
