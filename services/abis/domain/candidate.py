"""Candidates, and how the similarities of several modalities become one of the person."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
# More than what rounding to single precision can make of a bound.
_ROUNDING: Final = 1e-5


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
    for (low, at_low), (high, at_high) in itertools.pairwise(_knots(modality)):
        if similarity <= high:
            return at_low + (similarity - low) * (at_high - at_low) / (high - low)
    return 1.0


def least_of_best(modality: Modality, modalities: int, min_similarity: float) -> float:
    """Return what a candidate reaches in this modality, if no other of so many is its best.

    A candidate's evidence, which is the sum of the modalities', is at most as many times that of
    its best one. So nobody is missed who is looked for among those that reach this in one.

    Args:
        modality: whose fused similarity is bounded.
        modalities: how many the probe has; a reference may have fewer.
        min_similarity: of the person, to be a candidate.
    """
    # A reference may lack some of them, and of little evidence fewer can make more.
    least = min(_least_of_mean(count, min_similarity) for count in range(1, modalities + 1))
    if modality is Modality.FINGER:
        return max(least - _ROUNDING, 0.0)
    for (low, at_low), (high, at_high) in itertools.pairwise(_knots(modality)):
        if least <= at_high:
            bound = low + (least - at_low) * (high - low) / (at_high - at_low)
            return max(bound - _ROUNDING, 0.0)
    return 1.0 - _ROUNDING


@lru_cache(maxsize=64)
def _least_of_mean(modalities: int, min_similarity: float) -> float:
    """Return what all modalities together need at least if they are equally alike."""
    low, high = 0.0, 1.0
    for _ in range(32):
        middle = (low + high) / 2
        reached = matcher_ext.fuse([middle] * modalities) >= min_similarity
        low, high = (low, middle) if reached else (middle, high)
    # The best one alone may be enough too: see person_similarity.
    return min(low, min_similarity)


def _knots(modality: Modality) -> tuple[tuple[float, float], ...]:
    threshold = matcher_ext.identify_threshold(_NATIVE[modality])
    return ((0.0, 0.0), _UNRELATED, (threshold, DEFAULT_MIN_SIMILARITY), (1.0, 1.0))


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
