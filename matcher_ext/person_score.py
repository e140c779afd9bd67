"""From similarities to one score of a person, and from scores to decisions.

A score is a sum of logarithms (natural) of likelihood ratios: how much likelier what was compared
is of one person than of two. 0 says nothing either way; what was not compared adds nothing. The
ratio has a mean of at most 1 over non-mated comparisons, so that at most one non-mated person in
exp(score) reaches a score.

Similarities are those of `similarity`; of faces it is the cosine.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from matcher_ext import _native
from matcher_ext.error import check_number, check_whole
from matcher_ext.templates import Modality


class Band(enum.Enum):
    """What a score is worth at the present size of the gallery."""

    NONE = 0
    ADJUDICATE = 1
    MATCH = 2


@dataclass(frozen=True)
class DecisionPolicy:
    """Searches with a non-mated candidate that each band lets through; proportions (FPIR).

    adjudicate_fpir: from here on a candidate is worth an adjudicator's time. match_fpir: from here
    on it needs none.
    """

    adjudicate_fpir: float = 1e-2
    match_fpir: float = 1e-6


DEFAULT_POLICY: Final = DecisionPolicy()


def llr(modality: Modality, similarity: float) -> float:
    """Return the evidence of one comparison: rising, bounded both ways."""
    return _native.llr_of(modality.value, similarity)


def llr_of_best(modality: Modality, best_similarity: float, tried: int) -> float:
    """Return the evidence of the best of several comparisons of which one at most can be mated."""
    return _native.llr_of_best(modality.value, best_similarity, tried)


def llr_bounds(modality: Modality) -> tuple[float, float]:
    """Return the least and the most that `llr` can be."""
    return _native.llr_bounds(modality.value)


def least_similarity(modality: Modality, evidence: float) -> float:
    """Return the least similarity whose `llr` is evidence or more: -1 if all, 2 if none."""
    return _native.least_similarity(modality.value, evidence)


def cost_of_ways(ways: int) -> float:
    """Return what the best of several ways to lay ten fingers on ten loses: ln(ways)."""
    return _native.cost_of_ways(ways)


def person_score(comparisons: Iterable[tuple[Modality, float]]) -> float:
    """Return the score of a person of the evidence of each comparison; 0 of none.

    Fingers of one person are not quite independent: their sum counts less the more there are.
    """
    return _native.person_score([(modality.value, evidence) for modality, evidence in comparisons])


def score_at_fpir(gallery_size: int, fpir: float) -> float:
    """Return the least score that keeps the rate of searches with a non-mated candidate in fpir.

    Args:
        gallery_size: people searched, >= 0; an empty gallery counts as one person.
        fpir: a proportion in (0, 1].

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    return _native.score_at_fpir(_people(gallery_size), check_number(fpir, "fpir"))


def fpir_at(score: float, gallery_size: int) -> float:
    """Return the bound on FPIR where candidates are shown from a score on; in [0, 1].

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    return _native.fpir_at(score, _people(gallery_size))


def fpir_of_target(target_fpir: float) -> float:
    """Return the FPIR that MOSIP's targetFPIR asks for: 30 is 1 in 1000.

    Args:
        target_fpir: -10 log10(FPIR), in [0, 120].

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.

    Source: MOSIP ABIS API, identify, flags.targetFPIR.
    """
    return _native.fpir_of_target(check_number(target_fpir, "target_fpir"))


def target_of_fpir(fpir: float) -> float:
    """Return MOSIP's targetFPIR of an FPIR in (0, 1].

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    return _native.target_of_fpir(check_number(fpir, "fpir"))


def band_of(score: float, gallery_size: int, policy: DecisionPolicy = DEFAULT_POLICY) -> Band:
    """Return what a candidate's score is worth.

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    return Band(
        _native.band_of(score, _people(gallery_size), policy.adjudicate_fpir, policy.match_fpir)
    )


def threshold_at_fmr(fmr: float, modality: Modality = Modality.FINGER) -> float:
    """Return the similarity of one comparison 1:1 that non-mated pairs reach at this rate.

    Args:
        fmr: a proportion in [1e-7, 0.1]: 0.001 for 0.1 %. Below 1e-4 it is extrapolated.
        modality: of faces the threshold is of the cosine, and of synthetic embeddings: a real
            encoder needs its own.

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    return _native.threshold_at_fmr(modality.value, check_number(fmr, "fmr"))


def _people(gallery_size: int) -> int:
    return check_whole(gallery_size, "gallery_size", 0, 2**63 - 1)
