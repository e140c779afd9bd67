"""The galleries of the native matcher: one for each modality and encoder."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

import matcher_ext
from services.abis.domain.candidate import Candidate, ModalityComparison, least_of_best, rank
from services.abis.domain.reference import Modality, Template
from services.abis.ports import TemplateRefusedError
from services.common.biometrics import (
    BiometricsError,
    ElementType,
    read_face_embedding,
    read_iris_code,
)
from services.common.errors import DeadlineExceeded

_MAX_POSITION: Final = {Modality.FINGER: 10, Modality.IRIS: 2, Modality.FACE: 0}
_NATIVE: Final = {
    Modality.FINGER: matcher_ext.Modality.FINGER,
    Modality.IRIS: matcher_ext.Modality.IRIS,
    Modality.FACE: matcher_ext.Modality.FACE,
}
# Each modality names its best; one that is weak in all of them is nobody's candidate.
_SHORTLIST: Final = 50


@dataclass(frozen=True, slots=True)
class Kind:
    """Templates of one kind can be compared: same modality, encoder and dimension."""

    modality: Modality
    encoder: str = ""
    dimension: int | None = None


ParsedTemplates = dict[Kind, list[tuple[int, matcher_ext.Template]]]


class MatcherGalleries:
    """See ports.Galleries.

    Args:
        threads: that one search uses.
    """

    def __init__(self, *, threads: int) -> None:
        self._threads = threads
        self._galleries: dict[Kind, matcher_ext.Gallery] = {}
        self._making = threading.Lock()
        self._references = 0

    def parse(self, templates: Sequence[Template]) -> ParsedTemplates:
        """Return the templates as they are compared."""
        parsed: ParsedTemplates = {}
        taken: set[tuple[Modality, int]] = set()
        for index, template in enumerate(templates):
            if not 0 <= template.position <= _MAX_POSITION[template.modality]:
                raise TemplateRefusedError(index, "position", "POSITION_OUT_OF_RANGE")
            place = (template.modality, template.position)
            single = template.position != 0 or template.modality is Modality.FACE
            if single and place in taken:
                raise TemplateRefusedError(index, "position", "POSITION_REPEATED")
            taken.add(place)
            try:
                kind, native = _parse(template)
            except (BiometricsError, matcher_ext.MatcherError) as error:
                raise TemplateRefusedError(index, "data", error.reason) from error
            parsed.setdefault(kind, []).append((template.position, native))
        return parsed

    def add(self, reference_id: UUID, parsed: ParsedTemplates) -> None:
        """Add a reference; one that is there already stays as it is."""
        new = False
        for kind, templates in parsed.items():
            gallery = self._gallery(kind)
            if reference_id.bytes not in gallery:
                gallery.add_all(reference_id.bytes, templates)
                new = True
        self._references += new

    def remove(self, reference_id: UUID) -> None:
        """Forget a reference; nothing happens to one that is not there."""
        removed = [gallery.remove(reference_id.bytes) for gallery in self._all()]
        self._references -= any(removed)

    def references(self) -> int:
        """Count the references."""
        return self._references

    def search(
        self,
        probe: ParsedTemplates,
        *,
        max_candidates: int,
        min_similarity: float,
        among: Collection[UUID] | None,
        deadline_s: float | None,
    ) -> list[Candidate]:
        """Return the most similar references; deterministic.

        Each modality first names its best ones, of those that can be candidates; then all of them
        are compared in every modality.
        """
        only = None if among is None else [each.bytes for each in among]
        shortlist: set[bytes] = set()
        for kind, templates in probe.items():
            least = least_of_best(kind.modality, len(probe), min_similarity)
            most = max(_SHORTLIST, max_candidates)
            found = self._identify(kind, templates, most, only, deadline_s, min_similarity=least)
            shortlist.update(candidate.reference_id for candidate in found)
        compared: dict[UUID, list[ModalityComparison]] = {}
        for kind, templates in probe.items():
            if shortlist:
                for each in self._identify(
                    kind, templates, len(shortlist), sorted(shortlist), deadline_s
                ):
                    compared.setdefault(UUID(bytes=each.reference_id), []).append(
                        ModalityComparison(kind.modality, each.similarity, each.similarities)
                    )
        return rank(compared, min_similarity=min_similarity, max_candidates=max_candidates)

    def _identify(
        self,
        kind: Kind,
        templates: list[tuple[int, matcher_ext.Template]],
        most: int,
        among: Sequence[bytes] | None,
        deadline_s: float | None,
        *,
        min_similarity: float = 0.0,
    ) -> list[matcher_ext.Candidate]:
        gallery = self._galleries.get(kind)
        if gallery is None:
            return []
        try:
            return gallery.identify_many(
                templates,
                max_candidates=most,
                min_similarity=min_similarity,
                among=among,
                threads=self._threads,
                deadline_s=deadline_s,
            )
        except matcher_ext.MatcherError as error:
            if error.reason == "DEADLINE_EXCEEDED":
                raise DeadlineExceeded("SEARCH_TOO_SLOW", "The search took too long.") from error
            raise

    def _gallery(self, kind: Kind) -> matcher_ext.Gallery:
        with self._making:
            if kind not in self._galleries:
                self._galleries[kind] = matcher_ext.Gallery(
                    _NATIVE[kind.modality], dimension=kind.dimension
                )
            return self._galleries[kind]

    def _all(self) -> list[matcher_ext.Gallery]:
        with self._making:
            return list(self._galleries.values())


def _parse(template: Template) -> tuple[Kind, matcher_ext.Template]:
    match template.modality:
        case Modality.FINGER:
            return Kind(Modality.FINGER), matcher_ext.FingerTemplate.from_record(template.data)
        case Modality.IRIS:
            iris = read_iris_code(template.data)
            native = matcher_ext.IrisTemplate(iris.code, iris.mask)
            return Kind(Modality.IRIS, iris.encoder), native
        case Modality.FACE:
            face = read_face_embedding(template.data)
            if face.element_type is ElementType.INT8:
                vector = np.frombuffer(face.elements, dtype=np.int8).astype(np.float32)
            else:
                vector = np.frombuffer(face.elements, dtype="<f4").astype(np.float32)
            kind = Kind(Modality.FACE, face.encoder, face.dimensions)
            return kind, matcher_ext.FaceTemplate(vector)
