"""The galleries of the native matcher: people, of whom all comparable templates are in one."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import matcher_ext
from matcher_ext import people
from services.abis.domain.candidate import Candidate, TemplateComparison
from services.abis.domain.reference import Modality, Template
from services.abis.domain.search import Found, Manner, PositionsMode
from services.abis.domain.snapshot import PlaneShape, SegmentShape
from services.abis.ports import (
    Cancel,
    GalleryFullError,
    Memory,
    Segment,
    SegmentRefusedError,
    TemplateRefusedError,
)
from services.abis.store.templates import DEFAULT_DIMENSION, Encoders, Face, ParsedTemplates, parse
from services.common.errors import DeadlineExceeded, Internal

# One for each set of encoders that are used side by side; strangers' names shall not fill memory.
MAX_GALLERIES: Final = 8
# Left when inserts are refused, so that what is durable already finds room.
_SPARE_SHARE: Final = 0.02
_SPARE_BYTES: Final = 16 << 20
_MODALITIES: Final = {
    matcher_ext.Modality.FINGER: Modality.FINGER,
    matcher_ext.Modality.IRIS: Modality.IRIS,
    matcher_ext.Modality.FACE: Modality.FACE,
}
_POSITIONS: Final = {
    PositionsMode.GIVEN: people.Positions.GIVEN,
    PositionsMode.SWAPPED_HANDS: people.Positions.SWAPPED_HANDS,
    PositionsMode.ANY: people.Positions.ANY,
}


@dataclass
class _Gallery:
    """Those whose templates are of these encoders, as far as they have any."""

    encoders: Encoders
    dimension: int
    people: people.People

    def joined(self, encoders: Encoders) -> Encoders | None:
        """Return what the gallery's encoders are once it holds templates of these, too."""
        if encoders.face is not None and encoders.face.dimension != self.dimension:
            return None
        return self.encoders.joined(encoders)


class MatcherGalleries:
    """See ports.Galleries.

    Templates of different encoders cannot be compared. So there is one gallery for each set of
    encoders, in a country with one extractor a single one; a person is in exactly one of them.

    Args:
        threads: that one search uses, 0 for one a core.
        max_bytes: resident, of all references; None for no limit.
    """

    # Snapshots whose planes have another meaning are not read.
    layout: Final = people.SEGMENT_LAYOUT

    def __init__(self, *, threads: int = 0, max_bytes: int | None = None) -> None:
        self._threads = threads
        self._max_bytes = max_bytes
        self._galleries: list[_Gallery] = []
        # Of making galleries and of changing who is where.
        self._changing = threading.Lock()

    def parse(self, templates: Sequence[Template]) -> ParsedTemplates:
        """Return the templates as they are compared."""
        parsed = parse(templates)
        if self._place(parsed.encoders) is None and len(self._galleries) >= MAX_GALLERIES:
            raise TemplateRefusedError(0, "data", "ENCODERS_TOO_MANY")
        return parsed

    def add(self, reference_id: UUID, parsed: ParsedTemplates) -> None:
        """Add a reference; one that is there already stays as it is."""
        with self._changing:
            if any(reference_id.bytes in each.people for each in self._galleries):
                return
            gallery = self._gallery(parsed.encoders)
            try:
                gallery.people.add(reference_id.bytes, parsed.positioned)
            except matcher_ext.MatcherError as error:
                if error.reason == "OUT_OF_MEMORY":
                    raise GalleryFullError from error
                raise

    def remove(self, reference_id: UUID) -> None:
        """Forget a reference; nothing happens to one that is not there."""
        with self._changing:
            for gallery in self._galleries:
                gallery.people.remove(reference_id.bytes)

    def clear(self) -> None:
        """Forget all references."""
        with self._changing:
            self._galleries = []

    def has_room(self) -> bool:
        """Say whether more references can be taken."""
        if self._max_bytes is None:
            return True
        spare = max(_SPARE_BYTES, int(_SPARE_SHARE * self._max_bytes))
        return self.memory().resident_bytes + spare <= self._max_bytes

    def references(self) -> int:
        """Count the references."""
        return sum(len(each.people) for each in self._galleries)

    def memory(self) -> Memory:
        """Count what the references take."""
        stats = [each.people.stats() for each in self._galleries]
        return Memory(
            references=sum(each.people for each in stats),
            dead_rows=sum(each.dead for each in stats),
            segments=sum(each.segments for each in stats),
            resident_bytes=sum(each.resident_bytes for each in stats),
            locked_bytes=sum(each.locked_bytes for each in stats),
            kernel_set=matcher_ext.KERNEL_SET,
        )

    def cancel(self) -> people.Cancel:
        """Return something to end a search with."""
        return people.Cancel()

    def search(
        self,
        probes: Sequence[ParsedTemplates],
        manner: Manner,
        *,
        max_candidates: int,
        min_scores: Sequence[float],
        deadline_s: float | None,
        cancel: Cancel | None,
    ) -> list[Found]:
        """Return what there is for each probe, best first; the same alone and among others."""
        assert cancel is None or isinstance(cancel, people.Cancel), "made by cancel()"
        found: list[list[people.Answer]] = [[] for _ in probes]
        for gallery in list(self._galleries):
            comparable = [each.comparable(gallery.encoders) for each in probes]
            asked = [number for number, each in enumerate(comparable) if each]
            if not asked:
                continue
            answers = self._identify(
                gallery.people,
                [comparable[number] for number in asked],
                manner,
                max_candidates=max_candidates,
                min_scores=[min_scores[number] for number in asked],
                deadline_s=deadline_s,
                cancel=cancel,
            )
            for number, answer in zip(asked, answers, strict=True):
                found[number].append(answer)
        return [_merged(each, max_candidates) for each in found]

    def verify(self, reference_id: UUID, probe: ParsedTemplates) -> Candidate | None:
        """Compare a probe with one reference; None where it is not there."""
        for gallery in list(self._galleries):
            if reference_id.bytes not in gallery.people:
                continue
            comparable = probe.comparable(gallery.encoders)
            if not comparable:
                return Candidate(reference_id, 0.0)
            try:
                compared = gallery.people.verify(reference_id.bytes, comparable)
            except matcher_ext.MatcherError as error:
                if error.reason == "REFERENCE_NOT_FOUND":
                    return None
                raise
            return _candidate(reference_id.bytes, compared.score, compared.comparisons)
        return None

    def compare(
        self, reference_id: UUID, reference: ParsedTemplates, probe: ParsedTemplates
    ) -> Candidate:
        """Compare a probe with templates, as verify does with those that are there."""
        alone = MatcherGalleries(threads=1)
        MatcherGalleries.add(alone, reference_id, reference)
        compared = alone.verify(reference_id, probe)
        assert compared is not None, "it was just added"
        return compared

    def segments(self) -> list[Segment]:
        """Return all references, as they are now, in segments that change no more."""
        return [
            _segment(_name_of(gallery.encoders), sealed)
            for gallery in list(self._galleries)
            for sealed in gallery.people.seal()
        ]

    def begin_segment(self, shape: SegmentShape) -> _Space:
        """Make room for a segment that was saved."""
        encoders = _encoders_of(shape.gallery)
        with self._changing:
            gallery = next((each for each in self._galleries if each.encoders == encoders), None)
            gallery = gallery or self._make(encoders)
        planes = {name: (each.size, each.checksum) for name, each in shape.planes.items()}
        try:
            return _Space(gallery.people.begin_segment(shape.number, shape.rows, planes))
        except matcher_ext.MatcherError as error:
            raise _refused(error) from error

    def _identify(
        self,
        gallery: people.People,
        probes: Sequence[people.Positioned],
        manner: Manner,
        *,
        max_candidates: int,
        min_scores: Sequence[float],
        deadline_s: float | None,
        cancel: people.Cancel | None,
    ) -> list[people.Answer]:
        try:
            return gallery.identify(
                probes,
                max_candidates=max_candidates,
                min_score=min_scores,
                among=None if manner.among is None else [each.bytes for each in manner.among],
                search=people.Search.EXHAUSTIVE if manner.exhaustive else people.Search.CASCADE,
                positions=_POSITIONS[manner.positions],
                deadline_s=deadline_s,
                cancel=cancel,
            )
        except matcher_ext.MatcherError as error:
            if error.reason in ("DEADLINE_EXCEEDED", "CANCELLED"):
                raise DeadlineExceeded("SEARCH_TOO_SLOW", "The search took too long.") from error
            # What a caller can cause was refused when the templates were parsed.
            raise Internal("INTERNAL", "The matcher refused a search.") from error

    def _place(self, encoders: Encoders) -> _Gallery | None:
        return next(
            (each for each in self._galleries if each.joined(encoders) == each.encoders), None
        )

    def _gallery(self, encoders: Encoders) -> _Gallery:
        """Return the gallery of these encoders; one that lacked some of them has them then."""
        gallery = self._place(encoders)
        if gallery is not None:
            return gallery
        for each in self._galleries:
            joined = each.joined(encoders)
            if joined is not None:
                each.encoders = joined
                return each
        return self._make(encoders)

    def _make(self, encoders: Encoders) -> _Gallery:
        dimension = DEFAULT_DIMENSION if encoders.face is None else encoders.face.dimension
        made = people.People(
            face_dimension=dimension, threads=self._threads, max_bytes=self._max_bytes
        )
        gallery = _Gallery(encoders, dimension, made)
        # A new list: whoever goes through the old one is not disturbed.
        self._galleries = [*self._galleries, gallery]
        return gallery


class _Space:
    """See ports.SegmentSpace."""

    def __init__(self, loader: people.SegmentLoader) -> None:
        self._loader = loader

    @property
    def planes(self) -> Mapping[str, memoryview]:
        """By name, writable."""
        return self._loader.planes

    def finish(self, dead: bytes) -> None:
        """Make it part of the gallery, but for the dead."""
        try:
            self._loader.finish(dead)
        except matcher_ext.MatcherError as error:
            raise _refused(error) from error


def _name_of(encoders: Encoders) -> str:
    face = encoders.face and [encoders.face.encoder, encoders.face.dimension]
    return json.dumps({"face": face, "iris": encoders.iris})


def _encoders_of(name: str) -> Encoders:
    try:
        document = json.loads(name)
        face = document["face"] and Face(*document["face"])
        return Encoders(face, document["iris"])
    except (KeyError, TypeError, ValueError) as error:
        raise SegmentRefusedError(f"gallery {name}") from error


def _refused(error: matcher_ext.MatcherError) -> Exception:
    if error.reason == "OUT_OF_MEMORY":
        return GalleryFullError()
    return SegmentRefusedError(error.reason)


def _segment(gallery: str, sealed: people.SealedSegment) -> Segment:
    planes = {
        name: PlaneShape(plane.nbytes, sealed.checksum(name))
        for name, plane in sealed.planes.items()
    }
    shape = SegmentShape(gallery, sealed.number, sealed.rows, planes)
    return Segment(shape, sealed.planes, sealed.dead)


def _merged(answers: Sequence[people.Answer], max_candidates: int) -> Found:
    candidates = [
        _candidate(each.reference_id, each.score, each.comparisons)
        for answer in answers
        for each in answer.candidates
    ]
    candidates.sort(key=lambda each: (-each.score, each.reference_id.bytes))
    return Found(
        candidates[:max_candidates],
        sum(each.searched for each in answers),
        all(each.exact for each in answers),
        max((each.loss_bound for each in answers), default=0.0),
    )


def _candidate(
    reference_id: bytes, score: float, comparisons: Sequence[people.Comparison]
) -> Candidate:
    return Candidate(
        UUID(bytes=reference_id),
        score,
        tuple(
            TemplateComparison(_MODALITIES[each.modality], each.position, each.similarity, each.llr)
            for each in comparisons
        ),
    )
