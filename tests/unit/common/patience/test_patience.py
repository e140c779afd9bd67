"""What is done before serving waits for what is away, and for nothing else."""

from __future__ import annotations

import pytest

from services.common.errors import FailedPrecondition, PlatformError, Unavailable
from services.common.patience import patiently

AWAY = Unavailable("DATABASE_UNAVAILABLE", "It is away.")


class Act:
    def __init__(self, *failures: PlatformError) -> None:
        self.failures = list(failures)
        self.tries = 0

    async def __call__(self) -> str:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def test_an_act_is_tried_until_what_it_needs_is_back() -> None:
    act = Act(AWAY, AWAY)
    assert await patiently(act, pause_s=0) == "done"
    assert act.tries == 3


async def test_patience_ends_with_what_is_away() -> None:
    with pytest.raises(Unavailable) as failed:
        await patiently(Act(AWAY, AWAY), within_s=0, pause_s=0)
    assert failed.value is AWAY


async def test_any_other_failure_is_told_at_once() -> None:
    act = Act(FailedPrecondition("SCHEMA_MALFORMED", "It never works."))
    with pytest.raises(FailedPrecondition):
        await patiently(act, pause_s=0)
    assert act.tries == 1
