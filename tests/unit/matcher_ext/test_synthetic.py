from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher_ext import (
    FaceTemplate,
    FingerTemplate,
    IrisTemplate,
    MatcherError,
    Template,
    similarity,
)
from matcher_ext.synthetic import (
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    USUAL_BAD_CAPTURES,
    BadCaptures,
    Population,
)


def test_a_session_has_ten_fingers_two_irises_and_a_face() -> None:
    taken = Population(3).capture(5, 1)
    assert [position for position, _ in taken] == [*range(1, 11), 1, 2, 0]
    kinds = [type(template) for _, template in taken]
    assert kinds == [FingerTemplate] * 10 + [IrisTemplate] * 2 + [FaceTemplate]
    face = taken[-1][1]
    assert isinstance(face, FaceTemplate)
    assert face.dimension == 512


def test_the_parts_of_a_session_are_those_drawn_alone() -> None:
    population = Population(3)
    taken = population.capture(5, 1)
    alone: tuple[Template, ...] = (
        population.finger(5, 1, 1),
        population.iris(5, 1, 1),
        population.face(5, 1),
    )
    for template, (_, among) in zip(alone, (taken[0], taken[10], taken[12]), strict=True):
        assert similarity(template, among) > 0.999
    again = Population(3).finger_capture(5, 1, 1)
    assert np.array_equal(population.finger_capture(5, 1, 1).minutiae, again.minutiae)
    assert population.iris_capture(5, 1, 1) == Population(3).iris_capture(5, 1, 1)
    assert np.array_equal(population.face_capture(5, 1), Population(3).face_capture(5, 1))


def test_minutiae_fit_a_record() -> None:
    finger = Population(3).finger_capture(5, 7, 2)
    assert finger.position == 7
    assert 1 <= finger.quality <= 100
    assert finger.minutiae.dtype == np.uint16
    x, y, direction, quality, kind = finger.minutiae.T
    assert x.max() < IMAGE_WIDTH
    assert y.max() < IMAGE_HEIGHT
    assert direction.max() < 256
    assert quality.min() >= 1
    assert set(kind.tolist()) <= {1, 2}


def test_bad_captures_come_as_often_as_stated() -> None:
    population = Population(3, bad=USUAL_BAD_CAPTURES, face_dimension=8)
    people = [population.capture(person, 1) for person in range(400)]
    fingers = sum(isinstance(t, FingerTemplate) for person in people for _, t in person)
    irises = sum(isinstance(t, IrisTemplate) for person in people for _, t in person)
    faces = sum(isinstance(t, FaceTemplate) for person in people for _, t in person)
    assert fingers == pytest.approx(4000 * 0.987, abs=40)
    assert irises == pytest.approx(800 * 0.9, abs=50)
    assert faces == pytest.approx(400 * 0.98, abs=10)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: Population(-1), "VALUE_OUT_OF_RANGE"),
        (lambda: Population(noise=float("nan")), "VALUE_NOT_FINITE"),
        (lambda: Population(noise=5), "VALUE_OUT_OF_RANGE"),
        (lambda: Population(face_dimension=0), "DIMENSION_MISMATCH"),
        (lambda: Population(bad=BadCaptures(children=1.5)), "VALUE_OUT_OF_RANGE"),
        (lambda: Population().finger(1, 11, 1), "POSITION_OUT_OF_RANGE"),
        (lambda: Population().iris(1, 3, 1), "POSITION_OUT_OF_RANGE"),
        (lambda: Population().face(2**64, 1), "VALUE_OUT_OF_RANGE"),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(MatcherError) as refused:
        wrong()
    assert refused.value.reason == reason
