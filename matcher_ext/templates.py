"""Templates of the three modalities, and their comparison 1:1."""

from __future__ import annotations

import enum
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher_ext import _native
from matcher_ext.error import MatcherError, check_bytes, check_number, check_whole

DEFAULT_IRIS_ROTATION: Final = 15
DEFAULT_IRIS_LAYOUT: Final = (2, 8, 128)
_LAST_VIEW: Final = 0xFFFF
_MOST_RADIANS: Final = 4 * math.pi + 1e-9
_MOST_QUALITY: Final = 100


class Modality(enum.Enum):
    """What part of a person a template is of."""

    FINGER = 0
    IRIS = 1
    FACE = 2


class FingerTemplate:
    """Minutiae of one finger. Made by `from_record` or `from_minutiae`."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Template) -> None:
        if not isinstance(native, _native.Template) or native.modality != Modality.FINGER.value:
            raise MatcherError("TYPE_MISMATCH", "native", "Not a finger's template.")
        self._native = native

    @classmethod
    def from_record(cls, record: bytes, view: int = 0) -> FingerTemplate:
        """Read a finger minutiae record of any of three formats, told apart by their bytes.

        Args:
            record: one whole record, nothing after it.
            view: which of its finger views, counted from 0.

        Raises:
            MatcherError: TEMPLATE_MALFORMED, with the part of the record as field;
                TEMPLATE_EMPTY, the view has no minutia; TYPE_MISMATCH.

        Source: the record formats (not those of cards) of ISO/IEC 19794-2:2005 (clause 7, version
        ` 20`), ISO/IEC 19794-2:2011 (clause 8, version `030`) and ANSI/INCITS 378-2004 (clause 6,
        version ` 20`).
        """
        view = check_whole(view, "views", 0, _LAST_VIEW, "TEMPLATE_MALFORMED")
        return cls(_native.finger_from_record(check_bytes(record, "record"), view))

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
                radians, counter-clockwise from x as the image is seen, in [-4 pi, 4 pi]: most
                degrees are outside.
            dpi: of the pixels, in [100, 2600].
            quality: shape (n,), in [0, 100], 0 where unknown; the best are kept of too many.
            position: finger position, 0 (unknown) to 10.

        Raises:
            MatcherError: TEMPLATE_EMPTY, TEMPLATE_MALFORMED, TYPE_MISMATCH, DTYPE_MISMATCH,
                DIMENSION_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE, POSITION_OUT_OF_RANGE.
        """
        rows = _rows_of(minutiae)
        grades = _grades_of(quality, rows.shape[0])
        resolution = check_number(dpi, "dpi")
        position = check_whole(position, "position", 0, 10, "POSITION_OUT_OF_RANGE")
        return cls(_native.finger_from_rows(rows, grades, resolution, position))

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

    def __init__(
        self, code: bytes, mask: bytes, *, layout: tuple[int, int, int] = DEFAULT_IRIS_LAYOUT
    ) -> None:
        """Make a template.

        Args:
            code: a bit for each of the layout, by default 256 bytes, little bit order.
            mask: laid out alike; a set bit is a valid bit of the code.
            layout: bands, of rows, of angles; whole bytes, at most 65,536 bits.

        Raises:
            MatcherError: LAYOUT_OUT_OF_RANGE, TEMPLATE_MALFORMED, MASK_EMPTY, TYPE_MISMATCH.
        """
        bands, rows, angles = (
            check_whole(one, "layout", 1, 0xFFFF, "LAYOUT_OUT_OF_RANGE") for one in layout
        )
        self._native = _native.iris_from_bytes(
            check_bytes(code, "code"), check_bytes(mask, "mask"), (bands, rows, angles)
        )


class FaceTemplate:
    """A face embedding, kept at unit length."""

    __slots__ = ("_native",)

    def __init__(self, vector: NDArray[np.float32]) -> None:
        """Make a template.

        Args:
            vector: float32, shape (dimension,), dimension in [1, 4096], of any length but zero.

        Raises:
            MatcherError: TYPE_MISMATCH, DTYPE_MISMATCH, DIMENSION_MISMATCH, TEMPLATE_EMPTY,
                VALUE_NOT_FINITE.
        """
        _check_array(vector, "vector")
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
        MatcherError: TYPE_MISMATCH, MODALITY_MISMATCH, DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE.
    """
    rotation = check_whole(iris_rotation, "iris_rotation", 0, 64, "ROTATION_OUT_OF_RANGE")
    return _native.similarity(
        native_of(probe, "probe"), native_of(reference, "reference"), rotation
    )


def native_of(template: Template, field: str) -> _native.Template:
    """Return what the native part holds of a template.

    Raises:
        MatcherError: TYPE_MISMATCH.
    """
    if not isinstance(template, FingerTemplate | IrisTemplate | FaceTemplate):
        raise MatcherError("TYPE_MISMATCH", field, "Not a template.")
    return template._native


def _rows_of(minutiae: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return checked minutiae, the direction in 256ths of the turn."""
    if not isinstance(minutiae, np.ndarray):
        try:
            minutiae = np.asarray(minutiae)
        except ValueError as error:  # rows of several lengths
            raise MatcherError("DIMENSION_MISMATCH", "minutiae", "No array.") from error
    _check_array(minutiae, "minutiae")
    if minutiae.dtype.kind not in "fiu":
        raise MatcherError("DTYPE_MISMATCH", "minutiae", "Not real numbers.")
    if minutiae.ndim != 2 or minutiae.shape[1] != 3:
        raise MatcherError("DIMENSION_MISMATCH", "minutiae", "The shape is not (n, 3).")
    rows = np.array(minutiae, dtype=np.float64, order="C")
    if not np.isfinite(rows).all():
        raise MatcherError("VALUE_NOT_FINITE", "minutiae", "A minutia has a NaN or infinity.")
    if (np.abs(rows[:, 2]) > _MOST_RADIANS).any():
        raise MatcherError("VALUE_OUT_OF_RANGE", "minutiae", "A direction is not in radians.")
    rows[:, 2] = np.round(rows[:, 2] * (128 / math.pi)) % 256
    return rows


def _grades_of(quality: NDArray[np.uint8] | None, count: int) -> bytes:
    """Return the checked quality of each of so many minutiae."""
    if quality is None:
        return bytes(count)
    _check_array(quality, "quality")
    if quality.dtype != np.uint8:
        raise MatcherError("DTYPE_MISMATCH", "quality", "Not uint8.")
    if quality.shape != (count,):
        raise MatcherError("DIMENSION_MISMATCH", "quality", "Not one to the minutia.")
    if (quality > _MOST_QUALITY).any():
        raise MatcherError("VALUE_OUT_OF_RANGE", "quality", "Above 100.")
    return quality.tobytes()


def _check_array(array: object, field: str) -> None:
    # The mask of a masked array would be dropped on the way, and what it hides be compared.
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise MatcherError("TYPE_MISMATCH", field, "Not a plain array.")
