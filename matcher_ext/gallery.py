"""References held in memory, searched and changed from any threads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matcher_ext import _native
from matcher_ext.error import (
    MatcherError,
    check_bytes,
    check_number,
    check_proportion,
    check_whole,
)
from matcher_ext.templates import DEFAULT_IRIS_ROTATION, Modality, Template, native_of

MAX_CANDIDATES: Final = 10_000
MAX_THREADS: Final = 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reference similar enough to the probes.

    Attributes:
        reference_id: 16 bytes.
        similarity: in [0, 1]; of several probes the fused one, see `fuse`.
        similarities: by position of the reference's template, those that were compared.
    """

    reference_id: bytes
    similarity: float
    similarities: Mapping[int, float]


class Gallery:
    """References of one modality, held in memory to be searched.

    Any thread may call any method at any time. A search sees the gallery as it was when it began
    and makes no writer wait.
    """

    def __init__(
        self,
        modality: Modality,
        *,
        dimension: int | None = None,
        iris_rotation: int = DEFAULT_IRIS_ROTATION,
    ) -> None:
        """Make an empty gallery.

        Args:
            dimension: of the embeddings, in [1, 4096]; given for faces and only for them.
            iris_rotation: as of `similarity`.

        Raises:
            MatcherError: DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE.
        """
        if not isinstance(modality, Modality):
            raise MatcherError("TYPE_MISMATCH", "modality", "Not a modality.")
        if dimension is not None:
            dimension = check_whole(dimension, "dimension", 1, 4096, "DIMENSION_MISMATCH")
        rotation = check_whole(iris_rotation, "iris_rotation", 0, 64, "ROTATION_OUT_OF_RANGE")
        self.modality: Final = modality
        self._native = _native.Gallery(modality.value, dimension or 0, rotation)

    def __len__(self) -> int:
        """How many templates there are."""
        return self._native.templates

    @property
    def references(self) -> int:
        """How many references there are, each with one or more templates."""
        return self._native.references

    def __contains__(self, reference_id: bytes) -> bool:
        return self._native.contains(_id(reference_id))

    def add(self, reference_id: bytes, position: int, template: Template) -> None:
        """Add one template of a reference. `add_all` for several, at once seen by searches.

        Args:
            reference_id: 16 bytes, a UUID's.
            position: finger position 0 to 10 of ISO/IEC 19794-2; iris 1 right, 2 left; face 0.
                0 is unknown: compared with probes of any position.

        Raises:
            MatcherError: REFERENCE_EXISTS, the reference has this position;
                REFERENCE_ID_MALFORMED, MODALITY_MISMATCH, DIMENSION_MISMATCH,
                POSITION_OUT_OF_RANGE.
        """
        self.add_all(reference_id, [(position, template)])

    def add_all(self, reference_id: bytes, templates: Sequence[tuple[int, Template]]) -> None:
        """Add several templates of a reference, (position, template); all or none.

        Raises:
            MatcherError: as `add`; POSITION_REPEATED.
        """
        self._native.add(_id(reference_id), _positioned(templates))

    def remove(self, reference_id: bytes) -> int:
        """Remove a reference; returns how many templates it had, 0 if there was none.

        Raises:
            MatcherError: REFERENCE_ID_MALFORMED.
        """
        return self._native.remove(_id(reference_id))

    def identify(
        self,
        probe: Template,
        *,
        max_candidates: int = 10,
        min_similarity: float = 0.0,
        position: int | None = None,
        among: Collection[bytes] | None = None,
        threads: int = 1,
        deadline_s: float | None = None,
    ) -> list[Candidate]:
        """Search for the references most similar to one probe; as `identify_many`.

        Args:
            position: of the probe; None or 0 is unknown: compared with every position.
        """
        return self.identify_many(
            [(position or 0, probe)],
            max_candidates=max_candidates,
            min_similarity=min_similarity,
            among=among,
            threads=threads,
            deadline_s=deadline_s,
        )

    def identify_many(
        self,
        probes: Sequence[tuple[int, Template]],
        *,
        max_candidates: int = 10,
        min_similarity: float = 0.0,
        among: Collection[bytes] | None = None,
        threads: int = 1,
        deadline_s: float | None = None,
    ) -> list[Candidate]:
        """Search for the references most similar to one person's probes, (position, template).

        Each probe is compared with a reference's templates at its position, the best counts, and
        the probes are fused. A reference with no template at any of the positions is left out.

        Args:
            probes: at least one; no known position twice.
            max_candidates: the most to return, in [1, 10000].
            min_similarity: the least fused similarity to return.
            among: only these references; unknown ones are passed over. None: all.
            threads: to search with, in [1, 1024].
            deadline_s: seconds from now, above 0. No part of an answer is returned after it.

        Returns:
            Fused similarity descending, equal ones by reference_id; whatever the threads. No
            candidate is an answer, not an error.

        Raises:
            MatcherError: TEMPLATE_EMPTY, no probe; DEADLINE_EXCEEDED; POSITION_REPEATED,
                VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE, REFERENCE_ID_MALFORMED, MODALITY_MISMATCH,
                DIMENSION_MISMATCH, POSITION_OUT_OF_RANGE.
        """
        if not probes:
            raise MatcherError("TEMPLATE_EMPTY", "probes", "There is no probe.")
        check_proportion(min_similarity, "min_similarity")
        max_candidates = check_whole(max_candidates, "max_candidates", 1, MAX_CANDIDATES)
        threads = check_whole(threads, "threads", 1, MAX_THREADS)
        if deadline_s is not None and not 0 < check_number(deadline_s, "deadline_s") < 1e6:
            raise MatcherError("VALUE_OUT_OF_RANGE", "deadline_s", "Not in (0, 1e6).")
        rows = self._native.identify(
            _positioned(probes),
            max_candidates,
            float(min_similarity),
            None if among is None else [_id(one) for one in among],
            threads,
            deadline_s,
        )
        return [Candidate(reference_id, fused, dict(each)) for reference_id, fused, each in rows]

    def verify(self, reference_id: bytes, probe: Template, position: int | None = None) -> float:
        """Compare a probe 1:1 with a claimed reference; the greatest similarity of its templates.

        Args:
            position: of the probe; None or 0 is unknown: compared with every position.

        Raises:
            MatcherError: REFERENCE_NOT_FOUND, no such reference, or (field `position`) it has no
                template there; REFERENCE_ID_MALFORMED, MODALITY_MISMATCH, DIMENSION_MISMATCH,
                POSITION_OUT_OF_RANGE.
        """
        at = _check_position(position or 0)
        return self._native.verify(_id(reference_id), at, native_of(probe, "probe"))


def _positioned(templates: Sequence[tuple[int, Template]]) -> list[tuple[int, _native.Template]]:
    made = [
        (_check_position(position), native_of(template, "template"))
        for position, template in templates
    ]
    known = [position for position, _ in made if position != 0]
    if len(set(known)) != len(known):
        raise MatcherError("POSITION_REPEATED", "position", "A position is given twice.")
    return made


def _id(reference_id: bytes) -> bytes:
    return check_bytes(reference_id, "reference_id")


def _check_position(position: int) -> int:
    return check_whole(position, "position", 0, 255, "POSITION_OUT_OF_RANGE")
