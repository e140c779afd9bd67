"""Candidates, and what their scores say.

A score is the sum of the logarithms (natural) of the likelihood ratios over all that was compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from matcher_ext.person_score import score_at_fpir
from services.abis.domain.reference import Modality

__all__ = [
    "DEFAULT_CANDIDATE_FPIR",
    "DEFAULT_MATCH_FPIR",
    "DEFAULT_VERIFY_FMR",
    "Candidate",
    "Decision",
    "TemplateComparison",
    "Thresholds",
    "score_at_fpir",
    "score_of_similarity",
    "similarity_of_score",
]

# Non-mated candidates per search of the whole gallery: worth an adjudicator's time, and as sure
# as a match.
DEFAULT_CANDIDATE_FPIR: Final = 1e-3
DEFAULT_MATCH_FPIR: Final = 1e-6
# Of non-mated pairs, those that pass 1:1.
DEFAULT_VERIFY_FMR: Final = 1e-4
# The score that is shown as 1 - 1/e.
_SHOWN_SCALE: Final = 20.0
# The greatest similarity below 1 in the single precision of the wire.
_MOST_SHOWN: Final = 1.0 - 2.0**-24


class Decision(Enum):
    """What a score says; values as on the wire."""

    NONE = 1
    ADJUDICATE = 2
    MATCH = 3


@dataclass(frozen=True, slots=True)
class TemplateComparison:
    """One template of the probe with one of the reference.

    position: of the reference. llr: its part of the score, before what several of a kind share.
    """

    modality: Modality
    position: int
    similarity: float
    llr: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reference similar enough to a probe."""

    reference_id: UUID
    score: float
    by_template: tuple[TemplateComparison, ...] = ()
    decision: Decision = Decision.NONE

    @property
    def similarity(self) -> float:
        """The score to show, in [0, 1]."""
        return similarity_of_score(self.score)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which on a reference is a candidate, and a match."""

    candidate: float
    match: float

    def decide(self, score: float) -> Decision:
        """Return what a score says."""
        if score >= max(self.match, self.candidate):
            return Decision.MATCH
        return Decision.ADJUDICATE if score >= self.candidate else Decision.NONE


def similarity_of_score(score: float) -> float:
    """Return a score to show, in [0, 1); it rises with the score above 0, and is 0 below."""
    return min(-math.expm1(-max(score, 0.0) / _SHOWN_SCALE), _MOST_SHOWN)


def score_of_similarity(similarity: float) -> float:
    """Return the least score that is shown so; minus infinity for 0, infinity for 1."""
    if similarity <= 0.0:
        return -math.inf
    return math.inf if similarity >= 1.0 else -math.log1p(-similarity) * _SHOWN_SCALE
