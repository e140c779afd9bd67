"""One position of many people, a modality to the column: the kernels without the people.

`People` is what a service searches. These are for measuring the kernels, and for comparing all
templates of a collection with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from matcher_ext import _native
from matcher_ext.error import MatcherError, check_proportion
from matcher_ext.templates import DEFAULT_IRIS_ROTATION, FingerTemplate, IrisTemplate

Kind = TypeVar("Kind", FingerTemplate, IrisTemplate)


class _Column:
    _native: _native.Faces | _native.Irises | _native.Fingers

    def settle(self) -> None:
        """Say that none is added any more: asks for huge pages."""
        self._native.settle()

    @property
    def nbytes(self) -> int:
        """Memory that the rows take."""
        return self._native.bytes()


class _TemplateColumn(_Column, Generic[Kind]):
    _native: _native.Irises | _native.Fingers

    def extend(self, templates: Sequence[Kind]) -> None:
        """Add templates.

        Raises:
            MatcherError: OUT_OF_MEMORY.
        """
        self._native.extend([one._native for one in templates])


class FaceColumn(_Column):
    """Face embeddings; row k is the k-th that was added."""

    def __init__(self, capacity: int, dimension: int) -> None:
        """Reserve room.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE, DIMENSION_MISMATCH, OUT_OF_MEMORY.
        """
        self._native: _native.Faces = _native.Faces(_capacity(capacity), dimension)

    def extend(self, vectors: NDArray[np.float32]) -> None:
        """Add vectors, shape (n, dimension); they are brought to unit length.

        Raises:
            MatcherError: DIMENSION_MISMATCH, VALUE_NOT_FINITE, TEMPLATE_EMPTY, OUT_OF_MEMORY.
        """
        self._native.extend(_matrix(vectors))

    def nearest(
        self, probes: NDArray[np.float32], count: int, *, least_cosine: float = -1.0
    ) -> list[list[tuple[int, float]]]:
        """Return for each probe its most similar rows, (row, cosine), best first: exact.

        Args:
            probes: shape (q, dimension), q in [1, 64].

        Raises:
            MatcherError: DIMENSION_MISMATCH, PROBES_OUT_OF_RANGE, VALUE_NOT_FINITE, TEMPLATE_EMPTY.
        """
        return self._native.nearest(_matrix(probes), count, least_cosine)


class IrisColumn(_TemplateColumn[IrisTemplate]):
    """Irises of one eye; row k is the k-th that was added."""

    def __init__(self, capacity: int) -> None:
        """Reserve room.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE, OUT_OF_MEMORY.
        """
        self._native: _native.Irises = _native.Irises(_capacity(capacity))

    def gate(
        self,
        probes: Sequence[IrisTemplate],
        least_similarity: float,
        *,
        rotation: int = DEFAULT_IRIS_ROTATION,
        two_stage: bool = False,
    ) -> NDArray[np.uint64]:
        """Return a word for each row, bit q set where it may be as similar to probe q.

        Losslessly it is set wherever `similarity` reaches least_similarity; in two stages it may be
        missing, see `loss_bound` of an answer.

        Args:
            probes: 1 to 64.
            least_similarity: in [0, 1].

        Raises:
            MatcherError: DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE, VALUE_OUT_OF_RANGE.
        """
        check_proportion(least_similarity, "least_similarity")
        given = [one._native for one in probes]
        return self._native.gate(given, rotation, least_similarity, two_stage)

    def similarities(
        self, probes: Sequence[IrisTemplate], *, rotation: int = DEFAULT_IRIS_ROTATION
    ) -> NDArray[np.float32]:
        """Return the similarity of every probe with every row, shape (q, rows), q in [1, 64].

        Raises:
            MatcherError: DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE.
        """
        return self._native.similarities([one._native for one in probes], rotation)


class FingerShares(NamedTuple):
    """What a search by one finger looks at closer, as shares of the gallery.

    Of the rows as the scan orders them the first are compared, those up to `refined` are refined,
    and the most promising of these are compared too, until `compared` are.
    """

    trusted: float
    refined: float
    compared: float


def finger_shares(probe: FingerTemplate) -> FingerShares:
    """Return the shares of a search by this finger: the fewer its minutiae, the larger."""
    return FingerShares(*_native.finger_shares(probe.minutiae))


class FingerColumn(_TemplateColumn[FingerTemplate]):
    """Fingerprints of one position; row k is the k-th that was added."""

    def __init__(self, capacity: int) -> None:
        """Reserve room.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE, OUT_OF_MEMORY.
        """
        self._native: _native.Fingers = _native.Fingers(_capacity(capacity))

    def scan(self, probe: FingerTemplate) -> NDArray[np.uint16]:
        """Return the stage-1 score of every row, higher being more alike: what shortlists."""
        return self._native.scan(probe._native)

    def refine(self, probe: FingerTemplate, rows: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Return how promising it is to compare these rows, higher being more alike.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE.
        """
        return self._native.refine(probe._native, rows)

    def compare(self, probe: FingerTemplate, rows: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Return the similarity of the probe with these rows, as of `similarity`.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE.
        """
        return self._native.compare(probe._native, rows)


def _capacity(capacity: int) -> int:
    if not 1 <= capacity <= 1 << 32:
        raise MatcherError("VALUE_OUT_OF_RANGE", "capacity", "Not in [1, 2**32].")
    return capacity


def _matrix(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    made = np.ascontiguousarray(vectors, dtype=np.float32)
    if made.ndim != 2:
        raise MatcherError("DIMENSION_MISMATCH", "vectors", "The shape is not (n, dimension).")
    return made
