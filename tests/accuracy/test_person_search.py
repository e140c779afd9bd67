"""Searches for people: what is missed, what strangers are shown, at the score that was promised.

Chimeric people: two fingers of FVC2002, two eyes of MMU v1, a generated face.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.bench.person_search import (
    CASES,
    Searches,
    chimeric,
    generated,
    rates,
    search_all,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
NEEDED = (DATA / "fingerprint" / "fvc2002" / "leader", DATA / "iris" / "mmu_codes.npz")

pytestmark = pytest.mark.accuracy


@pytest.fixture(scope="module")
def real() -> Searches:
    missing = [str(path) for path in NEEDED if not path.exists()]
    if missing:
        pytest.skip(f"no templates in {', '.join(missing)}")
    return search_all(chimeric(DATA))


@pytest.fixture(scope="module")
def made() -> Searches:
    return search_all(generated(60))


def test_nobody_is_missed_who_gave_all(real: Searches) -> None:
    for case in ("everything", "without the face"):
        found = rates(real, CASES[case], 1e-3)
        assert found.searches == 200
        assert found.fnir == 0.0
        assert found.fpir == 0.0


@pytest.mark.parametrize("case", list(CASES))
def test_strangers_keep_to_the_rate_that_was_promised(real: Searches, case: str) -> None:
    # 200 searches, so that one stranger shown at a promise of 1 in 100 is no surprise.
    assert rates(real, CASES[case], 1e-2).fpir <= 0.01
    assert rates(real, CASES[case], 1e-2).mean_ratio <= 1.0


def test_two_fingers_alone_miss_few(real: Searches) -> None:
    assert rates(real, CASES["two fingers"], 1e-3).fnir <= 0.03
    assert rates(real, CASES["one finger"], 1e-3).fnir <= 0.2


def test_usual_bad_captures_lose_nobody_who_is_compared_whole(made: Searches) -> None:
    for case in ("everything", "without the face"):
        found = rates(made, CASES[case], 1e-3)
        assert found.fnir == 0.0
        assert found.fpir == 0.0
        assert found.mean_ratio < 1e-6
