"""Error rates of the iris matcher on codes of real eyes, and what its gate of two stages loses.

Mated: all pairs of captures of one eye; non-mated: of different eyes. The gate's margin was chosen
on these codes, so that it loses none here says that the kernels do what was calibrated; what to
expect of other eyes is the loss bound that goes with an answer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher_ext import IrisTemplate
from matcher_ext.columns import IrisColumn

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
CODES = DATA / "iris" / "mmu_codes.npz"

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.skipif(not CODES.is_file(), reason=f"no iris codes in {CODES}"),
]

PROBES = 64


@dataclass(frozen=True)
class Eyes:
    """The codes in a column, and all pairs of them."""

    templates: list[IrisTemplate]
    column: IrisColumn
    similarity: NDArray[np.float32]
    mated: NDArray[np.bool_]
    non_mated: NDArray[np.bool_]

    def hits(self, least: float, *, two_stage: bool) -> NDArray[np.bool_]:
        count = len(self.templates)
        made = np.zeros((count, count), dtype=bool)
        for first in range(0, count, PROBES):
            some = self.templates[first : first + PROBES]
            words = self.column.gate(some, least, two_stage=two_stage)
            bits = words[None, :] >> np.arange(len(some), dtype=np.uint64)[:, None]
            made[first : first + len(some)] = (bits & np.uint64(1)).astype(bool)
        return made


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    with np.load(CODES, allow_pickle=False) as held:
        code, mask, label = held["code"], held["mask"], held["label"]
    templates = [
        IrisTemplate(one.tobytes(), other.tobytes()) for one, other in zip(code, mask, strict=True)
    ]
    column = IrisColumn(len(templates))
    column.extend(templates)
    column.settle()
    rows = [
        column.similarities(templates[first : first + PROBES])
        for first in range(0, len(templates), PROBES)
    ]
    same = label[:, None] == label[None, :]
    return Eyes(
        templates, column, np.concatenate(rows), same & ~np.eye(len(label), dtype=bool), ~same
    )


def test_the_error_rates_are_those_of_the_codes(eyes: Eyes) -> None:
    mated = np.sort(eyes.similarity[eyes.mated])
    non_mated = np.sort(eyes.similarity[eyes.non_mated])
    at = np.unique(np.concatenate([mated, non_mated]))
    fmr = 1 - np.searchsorted(non_mated, at, "left") / len(non_mated)
    fnmr = np.searchsorted(mated, at, "left") / len(mated)
    crossing = np.argmin(np.abs(fmr - fnmr))
    eer = float(fmr[crossing] + fnmr[crossing]) / 2
    fmr1000 = float(fnmr[np.argmax(fmr <= 1e-3)])
    print(f"EER {100 * eer:.2f} %, FMR1000 {100 * fmr1000:.2f} %")
    assert eer <= 0.030
    assert fmr1000 <= 0.070


@pytest.mark.parametrize("least", [0.58, 0.60, 0.62, 0.64, 0.66, 0.70, 0.75])
def test_two_stages_lose_no_mated_pair_that_is_accepted(eyes: Eyes, least: float) -> None:
    accepted = eyes.similarity >= least
    lossless = eyes.hits(least, two_stage=False)
    hit = eyes.hits(least, two_stage=True)
    lost = int((eyes.mated & accepted & ~hit).sum())
    print(f"{least}: {lost} of {int((eyes.mated & accepted).sum())} lost,", end=" ")
    print(f"{100 * hit[eyes.non_mated].mean():.2f} % of the non-mated pass")
    assert lossless[accepted].all()
    assert lost == 0
