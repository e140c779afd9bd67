"""One similarity of several of one modality. Whole people have a score: see person_score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matcher_ext import _native
from matcher_ext.error import check_proportion
from matcher_ext.templates import Modality

# Fused similarity of one person's fingers from which on a candidate goes to adjudication. By the
# calibration above one finger has an FMR of about 1e-6 to 1e-7 here, so that a search of a million
# with a single finger seldom shows a stranger; of ten fingers even half of them spoilt leaves a
# mated person far above.
DEFAULT_IDENTIFY_THRESHOLD: Final = 0.95
_IDENTIFY_THRESHOLDS: Final[Mapping[Modality, float]] = {
    Modality.FINGER: DEFAULT_IDENTIFY_THRESHOLD,
    Modality.IRIS: 0.68,
    # Depends on what made the embeddings: a policy should set its own.
    Modality.FACE: 0.80,
}


def fuse(similarities: Sequence[float], modality: Modality = Modality.FINGER) -> float:
    """Make one similarity of comparisons at different positions of one person; in [0, 1].

    The evidence is added, that of a bad finger only down to a bound. One similarity is returned as
    it is (to float32), none gives 0. Positions that were not compared say nothing: leave them out.

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE: one is not in [0, 1].
    """
    for one in similarities:
        check_proportion(one, "similarities")
    return _native.fuse(modality.value, [float(one) for one in similarities])


def identify_threshold(modality: Modality) -> float:
    """The fused similarity from which on a candidate is worth an adjudicator's time."""
    return _IDENTIFY_THRESHOLDS[modality]
