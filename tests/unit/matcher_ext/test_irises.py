"""Iris comparison and its gates against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher_ext import IrisTemplate, MatcherError, similarity
from matcher_ext.columns import IrisColumn

Bits = NDArray[np.uint8]


def some_irises(count: int, layout: tuple[int, int, int]) -> tuple[Bits, Bits]:
    """Codes and masks, shape (count, lines, angles); neighbours in pairs are alike."""
    random = np.random.default_rng(7)
    shape = (count, layout[0] * layout[1], layout[2])
    code = random.integers(0, 2, shape, dtype=np.uint8)
    code[1::2] = np.roll(code[: count // 2 * 2 : 2] ^ (random.random(shape) < 0.2)[1::2], 2, axis=2)
    mask = (random.random(shape) < random.uniform(0.2, 1, (count, 1, 1))).astype(np.uint8)
    return code, mask


def template(code: Bits, mask: Bits, layout: tuple[int, int, int]) -> IrisTemplate:
    code_bytes, mask_bytes = (np.packbits(one, bitorder="little").tobytes() for one in (code, mask))
    return IrisTemplate(code_bytes, mask_bytes, layout=layout)


def in_numpy(code: Bits, mask: Bits, other: Bits, other_mask: Bits, rotation: int) -> float:
    best = 0.0
    for turn in range(-rotation, rotation + 1):
        both = np.roll(mask, turn, axis=1) & other_mask
        compared = int(both.sum())
        if compared == 0:
            best = max(best, 0.5)
            continue
        mismatched = int(((np.roll(code, turn, axis=1) ^ other) & both).sum())
        weight = min(1.0, compared / (code.size * 911 // 2048)) ** 0.5
        best = max(best, 0.5 + (0.5 - mismatched / compared) * weight)
    return best


@pytest.mark.parametrize("layout", [(2, 8, 128), (4, 16, 200), (1, 3, 24)])
@pytest.mark.parametrize("rotation", [0, 3])
def test_a_similarity_is_that_of_plain_counting(
    layout: tuple[int, int, int], rotation: int
) -> None:
    code, mask = some_irises(6, layout)
    made = [template(code[k], mask[k], layout) for k in range(6)]
    for a in range(6):
        for b in range(6):
            plain = in_numpy(code[a], mask[a], code[b], mask[b], rotation)
            found = similarity(made[a], made[b], iris_rotation=rotation)
            assert found == pytest.approx(plain, abs=1e-6)


def test_a_column_compares_and_gates_alike() -> None:
    layout = (2, 8, 128)
    code, mask = some_irises(40, layout)
    column = IrisColumn(40)
    made = [template(code[k], mask[k], layout) for k in range(40)]
    column.extend(made)
    exact = column.similarities(made)
    lossless = column.gate(made, 0.6)
    two_stage = column.gate(made, 0.6, two_stage=True)
    for a in range(40):
        plain = in_numpy(code[a], mask[a], code[a ^ 1], mask[a ^ 1], 15)
        assert exact[a, a ^ 1] == pytest.approx(plain, abs=1e-6)
        hit = (lossless >> np.uint64(a) & np.uint64(1)).astype(bool)
        assert hit[exact[a] >= 0.6].all()
        assert (two_stage >> np.uint64(a) & np.uint64(1)).astype(bool)[a]
    assert not (two_stage & ~lossless).any()


@pytest.mark.parametrize("layout", [(0, 8, 128), (1, 1, 9), (64, 64, 64), (70_000, 1, 8)])
def test_a_layout_that_is_none_is_refused(layout: tuple[int, int, int]) -> None:
    with pytest.raises(MatcherError) as refused:
        IrisTemplate(bytes(256), bytes(256), layout=layout)
    assert refused.value.reason == "LAYOUT_OUT_OF_RANGE"


def test_layouts_do_not_mix() -> None:
    other = IrisTemplate(bytes(1600), b"\xff" * 1600, layout=(4, 16, 200))
    iris = IrisTemplate(bytes(256), b"\xff" * 256)
    for act in (lambda: similarity(iris, other), lambda: IrisColumn(4).extend([other])):
        with pytest.raises(MatcherError) as refused:
            act()
        assert refused.value.reason == "DIMENSION_MISMATCH"
