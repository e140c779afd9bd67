"""Error rates against a plain count of every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.bench.rates import FMR_POINTS, pairs_of, rank_one, rates

SIMILARITIES = arrays.arrays(
    np.float64, st.integers(1, 40), elements=st.integers(0, 12).map(lambda k: k / 12)
)


@given(SIMILARITIES, SIMILARITIES)
@example(np.array([0.0] * 8 + [0.25] + [1 / 3] * 8), np.array([0.0, 0.25, 1 / 3]))
def test_rates_are_those_of_a_plain_count(mated: np.ndarray, non_mated: np.ndarray) -> None:
    found = rates(mated, non_mated)
    points = []
    for threshold in [*np.unique(np.concatenate([mated, non_mated])), np.inf]:
        points.append(((non_mated >= threshold).mean(), (mated < threshold).mean()))
    least = min(abs(fmr - fnmr) for fmr, fnmr in points)
    # Where the curves jump over each other two thresholds may be equally close.
    closest = [(fmr + fnmr) / 2 for fmr, fnmr in points if abs(fmr - fnmr) <= least + 1e-9]
    assert any(found.eer == pytest.approx(one) for one in closest)
    for point, fnmr in zip(FMR_POINTS, found.fnmr_at, strict=True):
        assert fnmr == pytest.approx(min(b for a, b in points if a <= point))


def test_a_perfect_comparison_has_no_errors_and_no_width() -> None:
    source = np.repeat(np.arange(6), 3)
    similarity = (source[:, None] == source[None, :]).astype(float)
    pairs = pairs_of(similarity, source)
    assert pairs.mated.sum() == 18
    assert pairs.rates().all == (0.0, 0.0, 0.0, 0.0)
    assert pairs.intervals(samples=20) == [(0.0, 0.0)] * 4
    assert rank_one(similarity, source, np.tile(np.arange(3), 6)) == 1.0


def test_the_interval_holds_the_rate_and_narrows_with_more_fingers() -> None:
    random = np.random.default_rng(3)
    widths = []
    for fingers in (8, 48):
        source = np.repeat(np.arange(fingers), 4)
        similarity = random.normal(size=(len(source), len(source)))
        similarity += 2.5 * (source[:, None] == source[None, :])
        pairs = pairs_of(similarity, source)
        low, high = pairs.intervals(samples=100)[0]
        assert low <= pairs.rates().eer <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_one_finger_under_two_names_is_left_out() -> None:
    source = np.array([0, 0, 1, 1])
    similarity = np.ones((4, 4))
    pairs = pairs_of(similarity, source, same_source=[(1, 0)])
    assert pairs.mated.tolist() == [True, True]


def test_a_tie_with_a_stranger_is_no_first_place() -> None:
    source, sample = np.array([0, 1, 0, 1]), np.array([1, 1, 2, 2])
    similarity = np.ones((4, 4))
    assert rank_one(similarity, source, sample) == 0.0
