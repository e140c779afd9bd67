"""Bad input to the matcher's Python face: a MatcherError that names the argument, never a score."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import matcher_ext as m
from tests.unit.matcher_ext.captures import a_face, a_finger, an_iris

NAN, INF = math.nan, math.inf
ROWS = a_finger(1)
FACE = np.random.default_rng(1).normal(size=32).astype(np.float32)
GRADES = np.full(len(ROWS), 50, np.uint8)
# What has the wrong type wherever it is given. A number must not become so many zero bytes.
ALIENS: list[Any] = [None, "text", object(), 1.5j, {}, [None]]
NO_BYTES: list[Any] = [*ALIENS, 5, 10**15, True, [1, 2], np.zeros(256), np.zeros(64, np.float32)]
NO_WHOLE: list[Any] = [*ALIENS, 1.0, np.float64(3), NAN, b"1", "1"]
NO_NUMBER: list[Any] = [*ALIENS, b"1", "0.5", np.ones(2)]

Act = Callable[[Any], object]


def finger(rows: Any = ROWS, **named: Any) -> m.FingerTemplate:
    return m.FingerTemplate.from_minutiae(rows, **named)


def set_in(array: np.ndarray[Any, Any], at: Any, value: float) -> np.ndarray[Any, Any]:
    changed = array.copy()
    changed[at] = value
    return changed


MASKED = np.ma.masked_array(ROWS, mask=np.ones_like(ROWS, bool))
MASKED_FACE = np.ma.masked_array(FACE, mask=True)

# (name of the argument, what gets the value, values, reason)
CASES: list[tuple[str, Act, list[Any], str]] = [
    ("record", m.FingerTemplate.from_record, NO_BYTES, "TYPE_MISMATCH"),
    ("length", m.FingerTemplate.from_record, [b"", b"FMR", bytes(7)], "TEMPLATE_MALFORMED"),
    ("magic", m.FingerTemplate.from_record, [bytes(10**7), b"FMR\0 21\0"], "TEMPLATE_MALFORMED"),
    ("views", lambda v: m.FingerTemplate.from_record(b"", v), NO_WHOLE, "TYPE_MISMATCH"),
    ("views", lambda v: m.FingerTemplate.from_record(b"", v), [-1, 1 << 70], "TEMPLATE_MALFORMED"),
    ("native", m.FingerTemplate, [*ALIENS, 5, an_iris(1)._native], "TYPE_MISMATCH"),
    ("minutiae", finger, [MASKED], "TYPE_MISMATCH"),
    ("minutiae", finger, [ROWS + 0j, ROWS.astype(str), ROWS > 0, None, "x"], "DTYPE_MISMATCH"),
    ("minutiae", finger, [ROWS.astype(object), {}], "DTYPE_MISMATCH"),
    (
        "minutiae",
        finger,
        [ROWS[:, :2], ROWS[0], ROWS[None], 1.0, [], [[1, 2, 3], [1]], np.zeros((3, 0))],
        "DIMENSION_MISMATCH",
    ),
    ("minutiae", finger, [np.empty((0, 3))], "TEMPLATE_EMPTY"),
    (
        "minutiae",
        finger,
        [set_in(ROWS, (3, column), bad) for column in range(3) for bad in (NAN, INF, -INF)],
        "VALUE_NOT_FINITE",
    ),
    (
        "minutiae",
        finger,
        [set_in(ROWS, (3, 2), d) for d in (180, -90, 1e308)],
        "VALUE_OUT_OF_RANGE",
    ),
    ("minutia.x", finger, [set_in(ROWS, (3, 0), x) for x in (1e308, 5000)], "TEMPLATE_MALFORMED"),
    ("minutia.y", finger, [set_in(ROWS, (3, 1), y) for y in (-1e308, -5000)], "TEMPLATE_MALFORMED"),
    ("quality", lambda q: finger(quality=q), [GRADES.tolist(), 50, "x", b"x"], "TYPE_MISMATCH"),
    ("quality", lambda q: finger(quality=q), [GRADES.astype(int), GRADES / 9], "DTYPE_MISMATCH"),
    ("quality", lambda q: finger(quality=q), [GRADES[1:], GRADES[None]], "DIMENSION_MISMATCH"),
    ("quality", lambda q: finger(quality=q), [set_in(GRADES, 2, 101)], "VALUE_OUT_OF_RANGE"),
    ("dpi", lambda d: finger(dpi=d), NO_NUMBER, "TYPE_MISMATCH"),
    ("dpi", lambda d: finger(dpi=d), [NAN, INF, 10**400], "VALUE_NOT_FINITE"),
    ("dpi_x", lambda d: finger(dpi=d), [0, -500, 99, 1e300], "TEMPLATE_MALFORMED"),
    ("position", lambda p: finger(position=p), NO_WHOLE, "TYPE_MISMATCH"),
    ("position", lambda p: finger(position=p), [-1, 11, 1 << 70], "POSITION_OUT_OF_RANGE"),
    ("code", lambda c: m.IrisTemplate(c, b"\xff" * 256), NO_BYTES, "TYPE_MISMATCH"),
    ("mask", lambda k: m.IrisTemplate(bytes(256), k), NO_BYTES, "TYPE_MISMATCH"),
    (
        "code",
        lambda c: m.IrisTemplate(c, b"\xff" * 256),
        [b"", bytes(255), bytes(257), bytes(10**7)],
        "TEMPLATE_MALFORMED",
    ),
    ("mask", lambda k: m.IrisTemplate(bytes(256), k), [b"", bytes(255)], "TEMPLATE_MALFORMED"),
    ("mask", lambda k: m.IrisTemplate(bytes(256), k), [bytes(256)], "MASK_EMPTY"),
    ("vector", m.FaceTemplate, [*ALIENS, FACE.tolist(), 1, b"x", MASKED_FACE], "TYPE_MISMATCH"),
    (
        "vector",
        m.FaceTemplate,
        [FACE.astype(float), FACE.astype(">f4"), FACE.astype(int), FACE.astype(complex)],
        "DTYPE_MISMATCH",
    ),
    (
        "vector",
        m.FaceTemplate,
        [FACE[None], FACE[:1].reshape(()), np.ones(4097, np.float32), np.ones(10**7, np.float32)],
        "DIMENSION_MISMATCH",
    ),
    ("vector", m.FaceTemplate, [FACE[:0], FACE * 0], "TEMPLATE_EMPTY"),
    ("vector", m.FaceTemplate, [set_in(FACE, 3, v) for v in (NAN, INF, -INF)], "VALUE_NOT_FINITE"),
    ("probe", lambda t: m.similarity(t, a_face(1)), [*ALIENS, 5, FACE, b"x"], "TYPE_MISMATCH"),
    ("reference", lambda t: m.similarity(a_face(1), t), [*ALIENS, 5, FACE], "TYPE_MISMATCH"),
    (
        "iris_rotation",
        lambda r: m.similarity(an_iris(1), an_iris(1), iris_rotation=r),
        NO_WHOLE,
        "TYPE_MISMATCH",
    ),
    (
        "iris_rotation",
        lambda r: m.similarity(an_iris(1), an_iris(1), iris_rotation=r),
        [-1, 65, 1 << 70],
        "ROTATION_OUT_OF_RANGE",
    ),
    ("similarities", lambda s: m.fuse([0.5, s]), NO_NUMBER, "TYPE_MISMATCH"),
    ("similarities", lambda s: m.fuse([0.5, s]), [NAN, INF], "VALUE_NOT_FINITE"),
    ("similarities", lambda s: m.fuse([0.5, s]), [-1e-9, 1.01], "VALUE_OUT_OF_RANGE"),
    ("fmr", m.threshold_at_fmr, NO_NUMBER, "TYPE_MISMATCH"),
    ("fmr", m.threshold_at_fmr, [0, 1, -1e-3], "VALUE_OUT_OF_RANGE"),
]
FLAT = [
    pytest.param(field, act, value, reason, id=f"{number}-{field}-{reason}-{place}")
    for number, (field, act, values, reason) in enumerate(CASES)
    for place, value in enumerate(values)
]


@pytest.mark.parametrize(("field", "act", "value", "reason"), FLAT)
def test_bad_input_is_refused_by_name(field: str, act: Act, value: Any, reason: str) -> None:
    with pytest.raises(m.MatcherError) as error:
        act(value)
    assert (error.value.reason, error.value.field) == (reason, field)


def test_an_array_may_lie_in_memory_as_it_likes() -> None:
    apart = np.zeros((len(ROWS) * 2, 6))
    apart[::2, ::2] = ROWS
    backwards = np.ascontiguousarray(ROWS[::-1])[::-1]
    plain = finger(ROWS, quality=GRADES)
    for rows in (apart[::2, ::2], backwards, np.asfortranarray(ROWS), ROWS.astype(">f8")):
        again = finger(rows, quality=np.repeat(GRADES, 2)[::2])
        assert np.array_equal(again.rows, plain.rows)
    spread = np.zeros(64, np.float32)
    spread[::2] = FACE
    face = m.FaceTemplate(FACE)
    for vector in (spread[::2], np.ascontiguousarray(FACE[::-1])[::-1]):
        assert m.similarity(m.FaceTemplate(vector), face) == m.similarity(face, face)


def test_what_was_given_is_neither_changed_nor_kept() -> None:
    rows, vector, code = ROWS.copy(), FACE.copy(), bytearray(b"\x5a" * 256)
    made = finger(rows), m.FaceTemplate(vector), m.IrisTemplate(cast(bytes, code), b"\xff" * 256)
    assert np.array_equal(rows, ROWS)
    before = [m.similarity(one, one) for one in made]
    rows[:], vector[:], code[:] = 0, NAN, bytes(256)
    assert [m.similarity(one, one) for one in made] == before


def test_the_bytes_of_any_buffer_are_read() -> None:
    code = np.random.default_rng(1).integers(0, 256, 512, dtype=np.uint8)[::2]
    mask = b"\xff" * 256
    plain = m.IrisTemplate(code.tobytes(), mask)
    for given_code in (bytearray(code.tobytes()), memoryview(cast(bytes, code)), code):
        assert m.similarity(m.IrisTemplate(cast(bytes, given_code), mask), plain) == 1.0


def test_the_least_lengths_of_a_face_are_lengths() -> None:
    tiny = m.FaceTemplate(np.full(8, np.finfo(np.float32).smallest_subnormal, np.float32))
    assert m.similarity(tiny, m.FaceTemplate(np.ones(8, np.float32))) == pytest.approx(1.0)


def test_a_number_of_bytes_is_not_that_many_zeros() -> None:
    # bytes(n) would ask for n bytes before anything could refuse them.
    with pytest.raises(m.MatcherError):
        m.FingerTemplate.from_record(cast(bytes, sys.maxsize))


@given(
    arrays.arrays(
        dtype=st.one_of(
            arrays.floating_dtypes(), arrays.integer_dtypes(), arrays.complex_number_dtypes()
        ),
        shape=arrays.array_shapes(max_dims=3, max_side=6),
    )
)
def test_any_array_is_a_template_or_refused(array: np.ndarray[Any, Any]) -> None:
    for make in (finger, m.FaceTemplate):
        try:
            made = make(array)
        except m.MatcherError as error:
            assert error.field  # noqa: PT017
        else:
            assert 0.0 <= m.similarity(made, made) <= 1.0


@given(st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.booleans()))
def test_anything_else_is_refused(value: Any) -> None:
    for act in (
        m.FingerTemplate.from_record,
        m.FaceTemplate,
        lambda v: m.IrisTemplate(v, v),
        lambda v: finger(quality=v) if v is not None else m.FaceTemplate(cast(Any, v)),
        lambda v: m.similarity(v, a_face(1)),
    ):
        with pytest.raises(m.MatcherError):
            act(value)
