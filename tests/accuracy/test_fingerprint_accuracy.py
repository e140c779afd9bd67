"""Error rates of the fingerprint matcher on FVC2002, by the protocol of the FVC competitions.

Mated: all pairs of impressions of one finger. Non-mated: all pairs of different fingers, of all
databases. The weights and thresholds of the matcher come from DB1_B and DB3_B; the rates of DB2_B
and DB4_B are therefore those of fingers that had no part in them. The steps of the matcher and
their tolerances were chosen with all four in sight, so the rates are still a little kind.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher_ext import FingerTemplate, similarity, threshold_at_fmr
from matcher_ext.columns import FingerColumn, finger_shares

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
FVC2002 = DATA / "fingerprint" / "fvc2002"

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.skipif(not FVC2002.is_dir(), reason=f"no FVC2002 templates in {FVC2002}"),
]


@dataclass(frozen=True)
class Measured:
    """Similarities of all pairs, and whose they are."""

    similarity: NDArray[np.float64]
    mated: NDArray[np.bool_]
    held_out: NDArray[np.bool_]

    def eer(self, of: NDArray[np.bool_]) -> float:
        mated = np.sort(self.similarity[of & self.mated])
        non_mated = np.sort(self.similarity[of & ~self.mated])
        at = np.unique(np.concatenate([mated, non_mated]))
        fmr = 1 - np.searchsorted(non_mated, at, "left") / len(non_mated)
        fnmr = np.searchsorted(mated, at, "left") / len(mated)
        crossing = np.argmin(np.abs(fmr - fnmr))
        return float(fmr[crossing] + fnmr[crossing]) / 2

    def fmr_and_fnmr(self, of: NDArray[np.bool_], threshold: float) -> tuple[float, float]:
        passes = self.similarity >= threshold
        return float(passes[of & ~self.mated].mean()), float((~passes)[of & self.mated].mean())


def templates_of(extractor: str) -> tuple[list[Path], list[FingerTemplate], NDArray[np.str_]]:
    files = sorted((FVC2002 / extractor).glob("*/*.iso"))
    assert len(files) == 320
    templates = [FingerTemplate.from_record(file.read_bytes()) for file in files]
    finger = np.array([f"{file.parent.name}/{file.stem.split('_')[0]}" for file in files])
    return files, templates, finger


def measure(extractor: str) -> Measured:
    files, templates, finger = templates_of(extractor)
    unseen = np.array([file.parent.name in {"DB2_B", "DB4_B"} for file in files])
    first, second = np.triu_indices(len(files), 1)
    compared = [similarity(templates[a], templates[b]) for a, b in zip(first, second, strict=True)]
    return Measured(
        np.array(compared), finger[first] == finger[second], unseen[first] & unseen[second]
    )


@pytest.fixture(scope="module")
def leader() -> Measured:
    return measure("leader")


def test_the_pooled_eer_is_within_one_per_cent(leader: Measured) -> None:
    everything = np.ones_like(leader.mated)
    assert leader.mated.sum() == 1120
    assert leader.eer(everything) <= 0.007
    assert leader.eer(leader.held_out) <= 0.010


def test_fingers_not_seen_keep_the_thresholds_promise(leader: Measured) -> None:
    for fmr, most_fmr, most_fnmr in ((1e-2, 0.02, 0.01), (1e-3, 0.002, 0.025), (1e-4, 3e-4, 0.05)):
        found = leader.fmr_and_fnmr(leader.held_out, threshold_at_fmr(fmr))
        print(f"FMR asked {fmr:.0e}: FMR {found[0]:.2e}, FNMR {found[1]:.2e}")
        assert found[0] <= most_fmr
        assert found[1] <= most_fnmr


def test_minutiae_of_a_plainer_extractor_are_matched_too() -> None:
    mindtct = measure("mindtct")
    assert mindtct.eer(np.ones_like(mindtct.mated)) <= 0.02


def test_the_shortlists_lose_next_to_no_mate_that_would_be_accepted() -> None:
    _, templates, finger = templates_of("leader")
    column = FingerColumn(len(templates))
    column.extend(templates)
    rows = np.arange(len(templates), dtype=np.uint32)
    least = threshold_at_fmr(1e-4)
    lost = accepted = 0
    for probe, template in enumerate(templates):
        shares = finger_shares(template)
        strangers = finger != finger[probe]
        count = int(strangers.sum())
        scores, promise = column.scan(template), column.refine(template, rows)
        mates = rows[~strangers & (rows != probe)]
        for mate in mates[column.compare(template, mates) >= least]:
            before = int((scores[strangers] >= scores[mate]).sum())
            more_promising = int((promise[strangers] >= promise[mate]).sum())
            compared = before < shares.trusted * count or (
                (before < shares.refined * count or shares.refined == 1.0)
                and more_promising < (shares.compared - shares.trusted) * count
            )
            lost += not compared
            accepted += 1
    print(f"lost {lost} of {accepted}")
    assert accepted > 2100
    assert lost <= 0.001 * accepted


def test_poor_prints_are_searched_wider() -> None:
    _, templates, _ = templates_of("leader")
    by_minutiae = sorted(templates, key=lambda one: one.minutiae)
    poor, rich = finger_shares(by_minutiae[0]), finger_shares(by_minutiae[-1])
    assert poor.refined == 1.0
    assert rich.trusted < rich.compared < rich.refined < 0.25
