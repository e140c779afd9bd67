"""Modalities on one scale, and the person's similarity of them."""

from __future__ import annotations

from itertools import pairwise, permutations
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import matcher_ext
from services.abis.domain.candidate import (
    DEFAULT_MIN_SIMILARITY,
    ModalityComparison,
    common_scale,
    least_of_best,
    person_similarity,
    rank,
)
from services.abis.domain.reference import Modality

PROPORTIONS = st.floats(0, 1, width=32)


@pytest.mark.parametrize("modality", list(Modality))
def test_what_is_worth_a_look_lies_at_the_same_place_for_all(modality: Modality) -> None:
    threshold = matcher_ext.identify_threshold(matcher_ext.Modality[modality.name])
    assert common_scale(modality, threshold) == pytest.approx(DEFAULT_MIN_SIMILARITY)
    assert (common_scale(modality, 0.0), common_scale(modality, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize("modality", list(Modality))
@given(values=st.lists(PROPORTIONS, min_size=2, max_size=9))
def test_the_scale_keeps_the_order(modality: Modality, values: list[float]) -> None:
    scaled = [common_scale(modality, value) for value in sorted(values)]
    assert all(low <= high for low, high in pairwise(scaled))
    assert all(0 <= value <= 1 for value in scaled)


@given(
    values=st.lists(PROPORTIONS, min_size=3, max_size=3),
    modalities=st.permutations(list(Modality)),
    compared=st.integers(1, 3),
    asked=st.integers(0, 2),
    min_similarity=PROPORTIONS,
)
@example(
    values=[0.0] * 3,
    modalities=[Modality.FINGER, Modality.IRIS, Modality.FACE],
    compared=2,
    asked=1,
    min_similarity=0.015625,
)
@settings(max_examples=2000)
def test_whoever_is_a_candidate_is_near_in_one_modality(
    values: list[float],
    modalities: list[Modality],
    compared: int,
    asked: int,
    min_similarity: float,
) -> None:
    comparisons = [
        ModalityComparison(modality, value, {})
        for modality, value in zip(modalities[:compared], values, strict=False)
    ]
    if person_similarity(comparisons) >= min_similarity:
        assert any(
            each.similarity >= least_of_best(each.modality, compared + asked, min_similarity)
            for each in comparisons
        )


@given(values=st.lists(PROPORTIONS, min_size=1, max_size=3))
def test_a_person_is_as_similar_as_their_best_modality_at_least(values: list[float]) -> None:
    compared = [
        ModalityComparison(modality, value, {})
        for modality, value in zip(Modality, values, strict=False)
    ]
    fused = person_similarity(compared)
    assert 0 <= fused <= 1
    assert all(fused >= common_scale(each.modality, each.similarity) for each in compared)


def test_nothing_compared_is_not_similar() -> None:
    assert person_similarity([]) == 0.0


def test_ranking_does_not_depend_on_the_order_of_comparison() -> None:
    compared = [
        (UUID(int=number), [ModalityComparison(Modality.FINGER, 0.9, {2: 0.9})])
        for number in (3, 1, 2)
    ]
    ranked = {
        tuple(
            each.reference_id.int
            for each in rank(dict(order), min_similarity=0.5, max_candidates=2)
        )
        for order in permutations(compared)
    }
    assert ranked == {(1, 2)}
