"""Candidates, and how the similarities of several modalities become one of the person."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import matcher_ext
from services.abis.domain.reference import Modality

_NATIVE: Final = {
    Modality.FINGER: matcher_ext.Modality.FINGER,
    Modality.IRIS: matcher_ext.Modality.IRIS,
    Modality.FACE: matcher_ext.Modality.FACE,
}
# Fused similarity of a person from which on a candidate goes to adjudication.
DEFAULT_MIN_SIMILARITY: Final = matcher_ext.DEFAULT_IDENTIFY_THRESHOLD
# Similarity of unrelated irises and faces, and where it lies on the scale of fingers.
_UNRELATED: Final = (0.5, 0.05)


@dataclass(frozen=True, slots=True)
class TemplateSimilarity:
    """How alike one template of the probe and one of the reference are, in [0, 1]."""

    modality: Modality
    position: int
    similarity: float


@dataclass(frozen=True, slots=True)
class ModalityComparison:
    """One reference compared in one modality: the fused similarity and those it is made of."""

    modality: Modality
    similarity: float
    by_position: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reference similar enough to a probe; similarity is the person's, in [0, 1]."""

    reference_id: UUID
    similarity: float
    by_template: tuple[TemplateSimilarity, ...]


def common_scale(modality: Modality, similarity: float) -> float:
    """Return a modality's fused similarity on the scale of fingers.

    What is worth an adjudicator's time in one modality lies where it does in another, and
    unrelated samples lie near 0.
    """
    if modality is Modality.FINGER:
        return similarity
    threshold = matcher_ext.identify_threshold(_NATIVE[modality])
    knots = ((0.0, 0.0), _UNRELATED, (threshold, DEFAULT_MIN_SIMILARITY), (1.0, 1.0))
    for (low, at_low), (high, at_high) in itertools.pairwise(knots):
        if similarity <= high:
            return at_low + (similarity - low) * (at_high - at_low) / (high - low)
    return 1.0


def person_similarity(comparisons: Sequence[ModalityComparison]) -> float:
    """Return the similarity of a person over all modalities compared, in [0, 1].

    The evidence of the modalities is added, but never to less than the best of them says alone:
    who brings another person's iris beside their own fingers is still found.
    """
    scaled = [common_scale(each.modality, each.similarity) for each in comparisons]
    if not scaled:
        return 0.0
    return max(matcher_ext.fuse(scaled), *scaled)


def rank(
    compared: Mapping[UUID, Iterable[ModalityComparison]],
    *,
    min_similarity: float,
    max_candidates: int,
) -> list[Candidate]:
    """Return the candidates, best first, equal ones in the order of reference_id."""
    candidates = []
    for reference_id, each in compared.items():
        comparisons = sorted(each, key=lambda comparison: comparison.modality.value)
        similarity = person_similarity(comparisons)
        if similarity >= min_similarity:
            by_template = tuple(
                TemplateSimilarity(comparison.modality, position, value)
                for comparison in comparisons
                for position, value in sorted(comparison.by_position.items())
            )
            candidates.append(Candidate(reference_id, similarity, by_template))
    candidates.sort(key=lambda candidate: (-candidate.similarity, candidate.reference_id.bytes))
    return candidates[:max_candidates]
