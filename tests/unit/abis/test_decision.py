"""Scores, how they are shown, and what they decide."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.domain.candidate import (
    Decision,
    Thresholds,
    score_at_fpir,
    score_of_similarity,
    similarity_of_score,
)
from services.abis.domain.failure import REASONS
from services.abis.domain.message import Failure

SCORES = st.floats(-1000, 1000)


@given(st.lists(SCORES, min_size=2))
def test_what_is_shown_rises_with_the_score_and_is_a_proportion(scores: list[float]) -> None:
    shown = [similarity_of_score(score) for score in sorted(scores)]
    assert all(low <= high for low, high in pairwise(shown))
    assert all(0 <= each < 1 for each in shown)


@given(st.floats(0.001, 200))
def test_what_is_shown_says_the_score(score: float) -> None:
    assert score_of_similarity(similarity_of_score(score)) == pytest.approx(score, rel=1e-6)


def test_the_ends_of_what_is_shown() -> None:
    assert (similarity_of_score(0.0), similarity_of_score(-5.0)) == (0.0, 0.0)
    assert score_of_similarity(0.0) == -math.inf
    assert score_of_similarity(1.0) == math.inf


@given(st.floats(-50, 50), st.integers(0, 10**9), st.floats(1e-9, 1))
def test_the_larger_the_gallery_or_the_rarer_an_error_the_more_is_asked(
    score: float, size: int, fpir: float
) -> None:
    least = score_at_fpir(size, fpir)
    assert least >= 0
    assert score_at_fpir(size * 2 + 1, fpir) >= least
    assert score_at_fpir(size, fpir / 10) > least
    # No more than fpir of a gallery's strangers, of whom one in exp(score) reaches a score.
    assert max(size, 1) * math.exp(-least) <= fpir * (1 + 1e-4)


@pytest.mark.parametrize(
    ("score", "decision"),
    [(9.9, Decision.NONE), (10.0, Decision.ADJUDICATE), (19.9, Decision.ADJUDICATE),
     (20.0, Decision.MATCH), (math.inf, Decision.MATCH)],
)  # fmt: skip
def test_the_bands(score: float, decision: Decision) -> None:
    assert Thresholds(candidate=10.0, match=20.0).decide(score) is decision


def test_what_is_no_candidate_is_no_match() -> None:
    assert Thresholds(candidate=20.0, match=10.0).decide(15.0) is Decision.NONE


def test_every_code_that_an_error_carries_is_mosips() -> None:
    assert set(REASONS.values()) <= set(Failure)
