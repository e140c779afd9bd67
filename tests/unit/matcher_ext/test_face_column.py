"""Faces found by codes and bounds are those that plain arithmetic in fp32 finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matcher_ext.columns import FaceColumn

# Of sums in another order.
ROUNDING = 1e-5


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    made: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return made


def odd_faces(rng: np.random.Generator, count: int, dimension: int) -> NDArray[np.float32]:
    """Vectors that codes bound badly: sparse, of two signs, of one large element, all equal."""
    made = rng.standard_normal((count, dimension)).astype(np.float32)
    for row, kind in enumerate(rng.integers(0, 5, count)):
        if kind == 0:
            made[row] = 0
        elif kind == 1:
            made[row] = np.sign(made[row])
        elif kind == 2:
            made[row] *= np.float32(1e-6)
        elif kind == 3:
            made[row] = 1
        if kind in (0, 2):
            made[row, rng.integers(dimension)] = rng.choice([-1, 1])
    return made


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dimension=st.sampled_from([1, 3, 64, 127, 128, 129, 300, 512, 513]),
    probe_count=st.integers(1, 64),
    count=st.integers(1, 20),
    least=st.sampled_from([-1.0, 0.0, 0.2, 0.7]),
)
def test_the_nearest_are_those_of_brute_force(
    seed: int, dimension: int, probe_count: int, count: int, least: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = odd_faces(rng, 300, dimension)
    probes = odd_faces(rng, probe_count, dimension)
    rows[rng.integers(300, size=30)] = probes[rng.integers(probe_count, size=30)]
    column = FaceColumn(300, dimension)
    column.extend(rows)
    cosines = unit(probes) @ unit(rows).T
    for probe, found in enumerate(column.nearest(probes, count, least_cosine=least)):
        expected = cosines[probe]
        ranked = np.sort(expected[expected >= least - ROUNDING])[::-1][:count]
        sure = int(np.sum(expected >= least + ROUNDING))
        assert len(found) >= min(count, sure)
        assert found == sorted(found, key=lambda one: (-one[1], one[0]))
        assert len({row for row, _ in found}) == len(found)
        for place, (row, cosine) in enumerate(found):
            assert cosine == pytest.approx(float(expected[row]), abs=ROUNDING)
            assert cosine == pytest.approx(float(ranked[place]), abs=ROUNDING)


def test_equal_faces_come_in_the_order_of_rows() -> None:
    face = np.random.default_rng(7).standard_normal((1, 200)).astype(np.float32)
    column = FaceColumn(50, 200)
    column.extend(np.repeat(face, 50, axis=0))
    (found,) = column.nearest(face, 5, least_cosine=0.9)
    assert [row for row, _ in found] == [0, 1, 2, 3, 4]
