"""From similarities to decisions: fusion of several, and thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from matcher_ext import _native
from matcher_ext.error import MatcherError, check_number, check_proportion
from matcher_ext.templates import Modality

# (FMR, similarity) of one finger compared with one finger, between which threshold_at_fmr
# interpolates: the greater of what the minutiae of two extractors (LEADER, mindtct) ask for on
# FVC2002 DB1_B and DB3_B, rounded up. On DB2_B and DB4_B, which had no part in it, the LEADER
# minutiae then have an FMR of 1.6, 0.08 and 0.00 and an FNMR of 0.4, 1.6 and 3.4
# per cent at the first three. The last is extrapolated.
_FINGER_CALIBRATION: Final = ((1e-2, 0.1192), (1e-3, 0.2689), (1e-4, 0.5622), (1e-6, 0.9241))

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


def threshold_at_fmr(fmr: float) -> float:
    """The similarity of one finger with one finger that non-mated pairs reach at this rate.

    Args:
        fmr: a proportion in [1e-6, 0.01]: 0.001 for 0.1 %. Below 1e-4 it is extrapolated.

    Raises:
        MatcherError: TYPE_MISMATCH, VALUE_NOT_FINITE, VALUE_OUT_OF_RANGE.
    """
    if not _FINGER_CALIBRATION[-1][0] <= check_number(fmr, "fmr") <= _FINGER_CALIBRATION[0][0]:
        raise MatcherError("VALUE_OUT_OF_RANGE", "fmr", "The FMR is not in [1e-6, 0.01].")
    rates = [-math.log(rate) for rate, _ in _FINGER_CALIBRATION]
    logits = [math.log(at / (1 - at)) for _, at in _FINGER_CALIBRATION]
    return 1 / (1 + math.exp(-float(np.interp(-math.log(fmr), rates, logits))))
