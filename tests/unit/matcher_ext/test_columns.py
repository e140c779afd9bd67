"""The columns from Python: what they find is what comparing one by one finds."""

from __future__ import annotations

import numpy as np
import pytest

from matcher_ext import FaceTemplate, MatcherError, similarity
from matcher_ext.columns import FaceColumn, FingerColumn, IrisColumn
from matcher_ext.synthetic import Population
from matcher_ext.templates import FingerTemplate, IrisTemplate

POPULATION = Population(seed=11)


def fingers(capture: int, count: int = 40) -> list[FingerTemplate]:
    return [POPULATION.finger(person, 2, capture) for person in range(count)]


def irises(capture: int, count: int = 50) -> list[IrisTemplate]:
    return [POPULATION.iris(person, 1, capture) for person in range(count)]


def test_the_nearest_faces_are_those_of_plain_arithmetic() -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(300, 100)).astype(np.float32)
    probes = vectors[:3] + 0.3 * random.normal(size=(3, 100)).astype(np.float32)
    column = FaceColumn(300, 100)
    column.extend(vectors[:200])
    column.extend(vectors[200:])
    column.settle()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for probe, found in zip(probes, column.nearest(probes, 5), strict=True):
        cosines = unit @ (probe / np.linalg.norm(probe))
        assert [row for row, _ in found] == np.argsort(-cosines)[:5].tolist()
        assert [one for _, one in found] == pytest.approx(np.sort(cosines)[::-1][:5], abs=1e-5)
        face = FaceTemplate(vectors[found[0][0]])
        assert similarity(FaceTemplate(probe), face) == pytest.approx((1 + found[0][1]) / 2)


def test_iris_similarities_are_those_of_single_comparisons_and_the_gate_misses_none() -> None:
    enrolled, probes = irises(1), irises(2, 4)
    column = IrisColumn(50)
    column.extend(enrolled)
    found = column.similarities(probes)
    assert found.shape == (4, 50)
    for q, probe in enumerate(probes):
        assert found[q].tolist() == [similarity(probe, one) for one in enrolled]
    for two_stage in (False, True):
        hits = column.gate(probes, 0.6, two_stage=two_stage)
        for q in range(4):
            hit = (hits >> np.uint64(q)) & np.uint64(1)
            assert not (found[q] >= 0.6)[hit == 0].any()
            assert hit.sum() < 25


def test_finger_similarities_are_those_of_single_comparisons_and_mates_scan_high() -> None:
    enrolled, probes = fingers(1), fingers(2, 6)
    column = FingerColumn(40)
    column.extend(enrolled)
    for person, probe in enumerate(probes):
        found = column.compare(probe, np.arange(40, dtype=np.uint32))
        assert found.tolist() == [similarity(probe, one) for one in enrolled]
        scores = column.scan(probe)
        if found[person] > 0.5:
            assert (scores > scores[person]).sum() <= 4


def test_what_does_not_fit_is_refused() -> None:
    column = FaceColumn(2, 8)
    with pytest.raises(MatcherError) as refused:
        column.extend(np.ones((3, 8), dtype=np.float32))
    assert refused.value.reason == "OUT_OF_MEMORY"
    with pytest.raises(MatcherError) as refused:
        column.extend(np.ones((1, 9), dtype=np.float32))
    assert refused.value.reason == "DIMENSION_MISMATCH"
    with pytest.raises(MatcherError) as refused:
        FingerColumn(4).compare(fingers(1, 1)[0], np.array([0], dtype=np.uint32))
    assert refused.value.reason == "VALUE_OUT_OF_RANGE"
