from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from matcher_ext import MatcherError, Modality, person_score
from matcher_ext.person_score import Band, DecisionPolicy


@pytest.mark.parametrize("modality", list(Modality))
def test_evidence_rises_within_its_bounds(modality: Modality) -> None:
    least, most = person_score.llr_bounds(modality)
    found = [person_score.llr(modality, at / 100) for at in range(-100, 101)]
    assert found == sorted(found)
    assert found[0] == least < 0 < found[-1] <= most
    assert person_score.llr(modality, math.nan) == 0.0


def test_what_says_nothing_changes_nothing() -> None:
    assert person_score.person_score([]) == 0.0
    alone = person_score.person_score([(Modality.IRIS, 9.0)])
    assert alone == person_score.person_score([(Modality.IRIS, 9.0), (Modality.FACE, 0.0)]) == 9.0


def test_a_spoilt_finger_does_not_outweigh_good_ones() -> None:
    least, most = person_score.llr_bounds(Modality.FINGER)
    good, bad = (Modality.FINGER, most), (Modality.FINGER, least)
    assert person_score.person_score([good] * 2 + [bad] * 8) > 0
    assert person_score.person_score([good] * 5 + [bad] * 5) > person_score.score_at_fpir(
        1_000_000_000, 1e-6
    )


def test_a_gate_is_the_inverse_of_evidence() -> None:
    at = person_score.least_similarity(Modality.FACE, 3.0)
    assert person_score.llr(Modality.FACE, at) >= 3.0 > person_score.llr(Modality.FACE, at - 1e-6)


def test_the_best_of_ten_positions_is_worth_less() -> None:
    alone = person_score.llr(Modality.FINGER, 0.9)
    best = person_score.llr_of_best(Modality.FINGER, 0.9, 10)
    assert alone - best == pytest.approx(math.log(10), abs=1e-5)
    assert person_score.cost_of_ways(2) == pytest.approx(math.log(2))


def test_the_score_asked_for_grows_with_the_gallery() -> None:
    assert person_score.score_at_fpir(1000, 1e-3) == pytest.approx(math.log(1e6), abs=1e-5)
    assert person_score.fpir_at(math.log(1e6), 1000) == pytest.approx(1e-3)
    assert person_score.fpir_at(0.0, 10) == 1.0
    at = person_score.score_at_fpir(1000, 1e-3)
    assert person_score.band_of(at, 1000) is Band.ADJUDICATE
    assert person_score.band_of(at, 10**9) is Band.NONE
    assert person_score.band_of(at, 1000, DecisionPolicy(match_fpir=1e-3)) is Band.MATCH


def test_mosips_target_is_understood() -> None:
    assert person_score.fpir_of_target(30) == pytest.approx(1e-3)
    assert person_score.target_of_fpir(1e-3) == pytest.approx(30)


@pytest.mark.parametrize("modality", list(Modality))
def test_thresholds_rise_as_the_rate_falls(modality: Modality) -> None:
    found = [person_score.threshold_at_fmr(10.0**-power, modality) for power in range(1, 8)]
    assert found == sorted(found)
    assert 0.0 < found[0] < found[-1] < 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: person_score.score_at_fpir(10, 0.0),
        lambda: person_score.score_at_fpir(-1, 0.1),
        lambda: person_score.fpir_of_target(-1.0),
        lambda: person_score.target_of_fpir(2.0),
        lambda: person_score.threshold_at_fmr(0.5),
        lambda: person_score.band_of(1.0, 10, DecisionPolicy(match_fpir=0.0)),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(MatcherError) as refused:
        wrong()
    assert refused.value.reason == "VALUE_OUT_OF_RANGE"
