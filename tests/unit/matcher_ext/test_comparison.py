"""Templates, their comparison 1:1, fusion and thresholds."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import matcher_ext as m
from tests.unit.matcher_ext.captures import a_capture, a_face, a_finger, a_template, an_iris


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(m.MatcherError) as error:
        act()
    return error.value.reason


def test_captures_of_one_finger_are_alike_and_of_two_are_not() -> None:
    for finger in range(20):
        first, second = a_template(finger, 100 + finger), a_template(finger, 900 + finger)
        assert m.similarity(first, second) > m.threshold_at_fmr(1e-4)
        assert m.similarity(first, a_template(finger + 50, 7)) < m.threshold_at_fmr(1e-3)


def test_the_order_of_two_fingers_does_not_matter() -> None:
    a, b = a_template(1, 1), a_template(1, 2)
    assert m.similarity(a, b) == m.similarity(b, a)


@pytest.mark.parametrize(("minutiae", "repeated"), [(64, 0), (63, 1), (60, 2), (48, 16), (32, 32)])
def test_minutiae_that_are_given_twice_hide_no_finger(minutiae: int, repeated: int) -> None:
    finger = a_finger(5, minutiae)
    once = m.FingerTemplate.from_minutiae(finger)
    twice = m.FingerTemplate.from_minutiae(np.concatenate([finger, finger[:repeated]]))
    assert m.similarity(twice, twice) > 0.99
    assert m.similarity(once, twice) > 0.99


def test_a_fingers_resolution_is_taken_off() -> None:
    rows = a_finger(3)
    fine = rows * [2, 2, 1]
    alike = m.similarity(
        m.FingerTemplate.from_minutiae(rows), m.FingerTemplate.from_minutiae(fine, dpi=1000)
    )
    assert alike > 0.99


def test_a_turned_iris_is_found_within_the_rotation() -> None:
    iris = an_iris(1)
    assert m.similarity(iris, an_iris(1, turned=-15)) == 1.0
    assert m.similarity(iris, an_iris(1, turned=16)) < 0.62
    assert m.similarity(iris, an_iris(1, turned=16), iris_rotation=16) == 1.0
    assert 0.70 < m.similarity(iris, an_iris(1, turned=3, noise=0.25)) < 0.80
    assert m.similarity(iris, an_iris(2)) < m.identify_threshold(m.Modality.IRIS)


def test_a_face_is_compared_by_its_angle() -> None:
    x, y = np.eye(2, 5, dtype=np.float32)
    assert m.similarity(m.FaceTemplate(x), m.FaceTemplate(x * 3)) == 1.0
    assert m.similarity(m.FaceTemplate(x), m.FaceTemplate(y)) == 0.5
    assert m.similarity(m.FaceTemplate(x), m.FaceTemplate(-x)) == 0.0
    assert m.similarity(m.FaceTemplate(x + y), m.FaceTemplate(x)) == pytest.approx(
        (1 + math.sqrt(0.5)) / 2, abs=1e-6
    )


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda: m.FingerTemplate.from_minutiae(np.empty((0, 3))), "TEMPLATE_EMPTY"),
        (lambda: m.FingerTemplate.from_minutiae(np.zeros((3, 2))), "DIMENSION_MISMATCH"),
        (lambda: m.FingerTemplate.from_minutiae(np.full((3, 3), np.nan)), "VALUE_NOT_FINITE"),
        (lambda: m.FingerTemplate.from_minutiae(np.full((3, 3), 1e300)), "VALUE_OUT_OF_RANGE"),
        (lambda: m.FingerTemplate.from_minutiae(a_finger(1), dpi=math.nan), "VALUE_NOT_FINITE"),
        (lambda: m.FingerTemplate.from_minutiae(a_finger(1), position=11), "POSITION_OUT_OF_RANGE"),
        (lambda: m.IrisTemplate(b"", b""), "TEMPLATE_MALFORMED"),
        (lambda: m.IrisTemplate(bytes(256), bytes(255)), "TEMPLATE_MALFORMED"),
        (lambda: m.IrisTemplate(bytes(256), bytes(256)), "MASK_EMPTY"),
        (lambda: m.FaceTemplate(np.empty(0, np.float32)), "TEMPLATE_EMPTY"),
        (lambda: m.FaceTemplate(np.zeros(8, np.float32)), "TEMPLATE_EMPTY"),
        (lambda: m.FaceTemplate(np.full(8, np.inf, np.float32)), "VALUE_NOT_FINITE"),
        (lambda: m.FaceTemplate(np.ones((2, 4), np.float32)), "DIMENSION_MISMATCH"),
        (lambda: m.FaceTemplate(np.ones(4097, np.float32)), "DIMENSION_MISMATCH"),
        (lambda: m.FaceTemplate(np.ones(8)), "DTYPE_MISMATCH"),  # type: ignore[arg-type]
        (lambda: m.similarity(a_face(1), an_iris(1)), "MODALITY_MISMATCH"),
        (lambda: m.similarity(a_face(1, 8), a_face(1, 9)), "DIMENSION_MISMATCH"),
        (lambda: m.similarity(an_iris(1), an_iris(1), iris_rotation=65), "ROTATION_OUT_OF_RANGE"),
        (lambda: m.fuse([0.5, math.nan]), "VALUE_NOT_FINITE"),
        (lambda: m.fuse([0.5, 1.01]), "VALUE_OUT_OF_RANGE"),
        (lambda: m.threshold_at_fmr(0.0), "VALUE_OUT_OF_RANGE"),
        (lambda: m.threshold_at_fmr(math.nan), "VALUE_NOT_FINITE"),
    ],
)
def test_what_cannot_be_compared_is_refused(act: Callable[[], object], expected: str) -> None:
    assert reason(act) == expected


def test_masks_without_a_common_bit_say_nothing() -> None:
    low, high = b"\xff" * 8 + bytes(248), bytes(248) + b"\xff" * 8
    code = bytes(256)
    assert m.similarity(m.IrisTemplate(code, low), m.IrisTemplate(code, high)) == 0.5


def test_the_largest_values_do_not_overflow() -> None:
    huge = m.FaceTemplate(np.full(4096, np.finfo(np.float32).max, np.float32))
    assert m.similarity(huge, huge) == pytest.approx(1.0, abs=1e-5)


def test_one_similarity_is_fused_to_itself_and_none_to_zero() -> None:
    assert m.fuse([0.25]) == 0.25
    assert m.fuse([]) == 0.0


def test_ten_fingers_decide_more_surely_than_one() -> None:
    captures = [(a_template(k, k + 1), a_template(k, k + 100)) for k in range(10)]
    mated = [m.similarity(probe, reference) for probe, reference in captures]
    stranger = [m.similarity(captures[k][0], captures[k - 1][1]) for k in range(10)]
    assert m.fuse(mated) > 0.999 > m.DEFAULT_IDENTIFY_THRESHOLD
    assert m.fuse(stranger) < 0.001
    # A few spoilt fingers do not hide a person; one chance likeness does not make one.
    assert m.fuse([*stranger[:4], *mated[4:]]) > m.DEFAULT_IDENTIFY_THRESHOLD
    assert m.fuse([0.7, *stranger[1:]]) < 0.01


def test_fusion_never_falls_when_a_similarity_rises() -> None:
    for modality in m.Modality:
        fused = [m.fuse([0.6, 0.5, at / 50], modality) for at in range(51)]
        assert fused == sorted(fused)
        assert 0.0 <= fused[0] <= fused[-1] <= 1.0


def test_a_lower_fmr_asks_for_a_higher_similarity() -> None:
    thresholds = [m.threshold_at_fmr(10**-decade) for decade in (2, 2.5, 3, 3.5, 4, 5, 6)]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] < m.DEFAULT_IDENTIFY_THRESHOLD < 1.0


def test_more_false_minutiae_do_not_raise_the_similarity() -> None:
    finger = a_finger(5)
    reference = m.FingerTemplate.from_minutiae(finger)
    probe = a_capture(finger, 6)
    noisy = np.concatenate([probe, a_finger(77, 50)])
    assert m.similarity(m.FingerTemplate.from_minutiae(noisy), reference) <= m.similarity(
        m.FingerTemplate.from_minutiae(probe), reference
    )


def test_an_unknown_kernel_set_is_refused_at_import() -> None:
    code = "import matcher_ext; print(matcher_ext.KERNEL_SET)"
    for name, expected in (("serial", 0), ("no_such_set", 1)):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "IDMESH_MATCHER_SET": name},
            capture_output=True,
            check=False,
            text=True,
        )
        assert ran.returncode == expected, ran.stderr
