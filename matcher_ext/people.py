"""People held in memory, fingers, irises and a face of each: searched, changed, saved."""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matcher_ext import _native
from matcher_ext.error import MatcherError, check_bytes, check_number, check_whole
from matcher_ext.templates import DEFAULT_IRIS_ROTATION, Modality, Template, native_of

# Of the planes of a segment: another one's are not read.
SEGMENT_LAYOUT: Final = _native.SEGMENT_LAYOUT
MAX_CANDIDATES: Final = 10_000
MAX_PROBES: Final = 64

Positioned = Sequence[tuple[int, Template]]


class Search(enum.Enum):
    """What a search compares."""

    CASCADE = 0  # cheap kernels over everybody, then all comparisons with those that they name
    EXHAUSTIVE = 1  # all comparisons with everybody


class Positions(enum.Enum):
    """Which positions are compared. An unknown one (0) is compared with all of its modality."""

    GIVEN = 0  # each with its own
    SWAPPED_HANDS = 1  # as given, or left and right exchanged: hands and eyes each for themselves
    ANY = 2  # every finger with every finger, every iris with every iris


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one template of the probe with one of the reference.

    Attributes:
        probe_position: as given.
        position: of the reference.
        similarity: in [0, 1], as of `similarity`.
        llr: natural logarithm of the likelihood ratio, its part of the score.
    """

    modality: Modality
    probe_position: int
    position: int
    similarity: float
    llr: float


@dataclass(frozen=True, slots=True)
class PersonComparison:
    """Of a probe with one person; score is the sum of llr, 0 if nothing could be compared."""

    score: float
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class PersonCandidate:
    """A person similar enough to the probe."""

    reference_id: bytes
    score: float
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    Attributes:
        candidates: score descending, equal ones by reference_id.
        searched: how many people.
        exact: whether an exhaustive search would have found the same.
        loss_bound: of mated searches, the greatest share that the cascade may lose; 0 if exact.
    """

    candidates: tuple[PersonCandidate, ...]
    searched: int
    exact: bool
    loss_bound: float


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """People that are written no more, as they are saved.

    Attributes:
        planes: by name, read-only views of the memory itself; they keep it alive.
        dead: a bit for each row, little bit order; changes as people are removed, so that it is
            saved apart from the planes.
    """

    number: int
    rows: int
    planes: Mapping[str, memoryview]
    dead: bytes

    def checksum(self, plane: str) -> int:
        """Of a plane; what `People.load_segment` is given."""
        return plane_checksum(self.planes[plane])


@dataclass(frozen=True, slots=True)
class Stats:
    """What a gallery holds. Rows are people, dead ones not yet compacted included."""

    people: int
    rows: int
    dead: int
    segments: int
    resident_bytes: int
    locked_bytes: int
    kernel_set: str


class Cancel:
    """Given to searches, ends them when set; any thread may set it."""

    __slots__ = ("_native",)

    def __init__(self) -> None:
        self._native = _native.Cancel()

    def set(self) -> None:
        """End the searches that were given this."""
        self._native.set()


class SegmentLoader:
    """A segment on its way in: fill `planes`, then `finish`.

    Attributes:
        planes: by name, writable, all zero at first.
    """

    def __init__(self, native: _native.SegmentLoader) -> None:
        self._native = native
        self.planes: Final[Mapping[str, memoryview]] = native.planes()

    def finish(self, dead: bytes = b"") -> None:
        """Check what was filled in, and make it searchable, but for the dead.

        The planes must not be written after this.

        Raises:
            MatcherError: SEGMENT_MALFORMED, REFERENCE_EXISTS, OUT_OF_MEMORY; the gallery is
                unchanged.
        """
        self._native.finish(bytes(dead))


class People:
    """The gallery of people.

    Any thread may call any method at any time. A search sees the gallery as it was when it began
    and makes no writer wait.
    """

    def __init__(
        self,
        *,
        face_dimension: int = 512,
        iris_layout: tuple[int, int, int] = (2, 8, 128),
        iris_rotation: int = DEFAULT_IRIS_ROTATION,
        threads: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        """Make an empty gallery.

        Args:
            face_dimension: of the embeddings, in [1, 4096].
            iris_layout: of the iris codes: bands, rows, angles.
            iris_rotation: as of `similarity`.
            threads: that searches use, in [0, 1024]; 0 is one for each core.
            max_bytes: resident; an addition beyond it is refused. None: no limit.

        Raises:
            MatcherError: DIMENSION_MISMATCH, LAYOUT_OUT_OF_RANGE, ROTATION_OUT_OF_RANGE,
                VALUE_OUT_OF_RANGE.
        """
        dimension = check_whole(face_dimension, "face_dimension", 1, 4096, "DIMENSION_MISMATCH")
        rotation = check_whole(iris_rotation, "iris_rotation", 0, 64, "ROTATION_OUT_OF_RANGE")
        workers = check_whole(threads, "threads", 0, 1024)
        most = 0 if max_bytes is None else check_whole(max_bytes, "max_bytes", 1, 1 << 62)
        if not isinstance(iris_layout, tuple) or len(iris_layout) != 3:
            raise MatcherError("TYPE_MISMATCH", "iris_layout", "Not bands, rows and angles.")
        bands, rows, angles = (
            check_whole(one, "iris_layout", 1, 65_535, "LAYOUT_OUT_OF_RANGE") for one in iris_layout
        )
        self._native = _native.People(dimension, (bands, rows, angles), rotation, workers, most)

    def __len__(self) -> int:
        """How many people there are."""
        return self._native.size()

    def __contains__(self, reference_id: bytes) -> bool:
        return self._native.contains(check_bytes(reference_id, "reference_id"))

    def add(self, reference_id: bytes, templates: Positioned) -> None:
        """Add a person, with (position, template) for each; all or nothing.

        Args:
            reference_id: 16 bytes, a UUID's.
            templates: finger positions 1 to 10 of ISO/IEC 19794-2; iris 1 right, 2 left; face 0.
                0 is unknown, and may be given again: up to 10 fingers, 2 irises.

        Raises:
            MatcherError: REFERENCE_EXISTS; OUT_OF_MEMORY, the gallery is full and goes on serving;
                REFERENCE_ID_MALFORMED, TEMPLATE_EMPTY (no template), DIMENSION_MISMATCH,
                POSITION_OUT_OF_RANGE, POSITION_REPEATED.
        """
        self._native.add(check_bytes(reference_id, "reference_id"), _positioned(templates))

    def remove(self, reference_id: bytes) -> bool:
        """Remove a person; returns whether there was one.

        Raises:
            MatcherError: REFERENCE_ID_MALFORMED.
        """
        return self._native.remove(check_bytes(reference_id, "reference_id"))

    def identify(
        self,
        probes: Sequence[Positioned],
        *,
        max_candidates: int = 10,
        min_score: float | Sequence[float] = 0.0,
        among: Collection[bytes] | None = None,
        search: Search = Search.CASCADE,
        positions: Positions = Positions.GIVEN,
        deadline_s: float | None = None,
        cancel: Cancel | None = None,
    ) -> list[Answer]:
        """Search for the people most similar to each probe, itself the templates of a person.

        Args:
            probes: 1 to 64, each with (position, template) as of `add`.
            max_candidates: the most to return for each, in [1, 10000].
            min_score: the least score to return: one for all, or one for each probe; may be
                infinite either way.
            among: only these people; unknown ones are passed over. None: all.
            deadline_s: seconds from now, above 0. No part of an answer is returned after it.

        Returns:
            An answer for each probe, whatever the threads and the instruction set. No candidate is
            an answer, not an error.

        Raises:
            MatcherError: DEADLINE_EXCEEDED, CANCELLED, TEMPLATE_EMPTY, VALUE_NOT_FINITE,
                VALUE_OUT_OF_RANGE, REFERENCE_ID_MALFORMED, DIMENSION_MISMATCH,
                POSITION_OUT_OF_RANGE, POSITION_REPEATED.
        """
        check_whole(len(probes), "probes", 1, MAX_PROBES)
        most = check_whole(max_candidates, "max_candidates", 1, MAX_CANDIDATES)
        if deadline_s is not None and not 0 < check_number(deadline_s, "deadline_s") < 1e6:
            raise MatcherError("VALUE_OUT_OF_RANGE", "deadline_s", "Not in (0, 1e6).")
        rows = self._native.identify(
            [_positioned(probe) for probe in probes],
            most,
            _scores(min_score, len(probes)),
            None if among is None else [check_bytes(one, "among") for one in among],
            search.value,
            positions.value,
            deadline_s,
            None if cancel is None else cancel._native,
        )
        return [_answer(*row) for row in rows]

    def verify(
        self, reference_id: bytes, probe: Positioned, *, positions: Positions = Positions.GIVEN
    ) -> PersonComparison:
        """Compare a probe 1:1 with the person that it claims to be.

        Raises:
            MatcherError: REFERENCE_NOT_FOUND, and what `identify` raises of its probes.
        """
        known = check_bytes(reference_id, "reference_id")
        score, rows = self._native.verify(known, _positioned(probe), positions.value)
        return PersonComparison(score, _comparisons(rows))

    def seal(self) -> list[SealedSegment]:
        """Close the segment that is written, and return all as they are at this moment.

        Together they hold everybody in the gallery, once. A segment that an earlier call returned
        has not changed but for its dead; one that is missing now was compacted into later ones.
        """
        return [
            SealedSegment(number, rows, planes, dead)
            for number, rows, planes, dead in self._native.seal()
        ]

    def begin_segment(
        self, number: int, rows: int, planes: Mapping[str, tuple[int, int]]
    ) -> SegmentLoader:
        """Make room for a segment that was saved.

        Args:
            number: as it was saved.
            planes: by name (bytes, checksum).

        Raises:
            MatcherError: SEGMENT_MALFORMED, OUT_OF_MEMORY.
        """
        number = check_whole(number, "number", 0, (1 << 63) - 1)
        rows = check_whole(rows, "rows", 0, 1 << 32)
        described = []
        for name, (size, checksum) in planes.items():
            check_whole(size, "planes", 0, 1 << 48)
            check_whole(checksum, "planes", 0, (1 << 64) - 1)
            described.append((name, size, checksum))
        return SegmentLoader(self._native.load(number, rows, described))

    def load_segment(
        self,
        number: int,
        rows: int,
        planes: Mapping[str, bytes | memoryview],
        checksums: Mapping[str, int],
        *,
        dead: bytes = b"",
    ) -> None:
        """Load a segment that was saved, its planes copied; `begin_segment` fills them in place.

        Raises:
            MatcherError: SEGMENT_MALFORMED, REFERENCE_EXISTS, OUT_OF_MEMORY; the gallery is
                unchanged.
        """
        if planes.keys() != checksums.keys():
            raise MatcherError("SEGMENT_MALFORMED", "checksums", "Not one for each plane.")
        sizes = {name: (len(planes[name]), checksums[name]) for name in planes}
        loader = self.begin_segment(number, rows, sizes)
        for name, plane in planes.items():
            loader.planes[name][:] = plane
        loader.finish(dead)

    def stats(self) -> Stats:
        """Count what there is."""
        return Stats(*self._native.stats(), _native.KERNEL_SET)


def plane_checksum(plane: bytes | memoryview) -> int:
    """64 bits; finds accidents, not attackers: the service's encryption is for these."""
    return _native.plane_checksum(plane)


def _positioned(templates: Positioned) -> list[tuple[int, _native.Template]]:
    return [
        (
            check_whole(position, "position", 0, 255, "POSITION_OUT_OF_RANGE"),
            native_of(template, "template"),
        )
        for position, template in templates
    ]


def _scores(min_score: float | Sequence[float], count: int) -> list[float]:
    each = list(min_score) if isinstance(min_score, Sequence) else [min_score] * count
    if len(each) != count:
        raise MatcherError("DIMENSION_MISMATCH", "min_score", "Not one for each probe.")
    # Minus infinity asks for everybody and infinity for nobody; neither is a mistake.
    return [score if _infinite(score) else check_number(score, "min_score") for score in each]


def _infinite(score: float) -> bool:
    return isinstance(score, float) and math.isinf(score)


def _comparisons(rows: Sequence[tuple[int, int, int, float, float]]) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(Modality(modality), probe_position, position, similarity, llr)
        for modality, probe_position, position, similarity, llr in rows
    )


def _answer(
    candidates: Sequence[tuple[bytes, float, Sequence[tuple[int, int, int, float, float]]]],
    searched: int,
    exact: bool,
    loss_bound: float,
) -> Answer:
    made = tuple(
        PersonCandidate(reference_id, score, _comparisons(rows))
        for reference_id, score, rows in candidates
    )
    return Answer(made, searched, exact, loss_bound)
