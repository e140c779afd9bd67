"""Each fuzz target takes its seeds, and a moment of random mutations of them."""

import pytest

from tests.fuzz.run import TARGETS, load, run_random


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_seeds_and_nothing(name: str) -> None:
    fuzz_one, seeds = load(name)
    for data in (*seeds, b""):
        fuzz_one(data)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_random_mutations(name: str) -> None:
    assert run_random(name, seconds=2, run_seed=20260301) > 100
