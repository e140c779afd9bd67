from __future__ import annotations

import pytest

from services.common.errors import Unavailable
from services.common.vault.breaker import Breaker
from services.common.vault.errors import away, sealed
from services.common.vault.limits import VaultLimits

LIMITS = VaultLimits(failures_to_open=3, open_s=1.0, open_max_s=4.0)


class Ticker:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Ticker:
    return Ticker()


@pytest.fixture
def breaker(clock: Ticker) -> Breaker:
    return Breaker(LIMITS, monotonic=clock)


def _fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed(away("refused"))


def test_it_opens_after_consecutive_failures_only(breaker: Breaker) -> None:
    _fail(breaker, 2)
    breaker.succeeded()
    _fail(breaker, 2)
    assert not breaker.is_open
    _fail(breaker, 1)
    assert breaker.is_open
    with pytest.raises(Unavailable) as refused:
        breaker.enter()
    assert refused.value.reason == "VAULT_UNAVAILABLE"
    assert refused.value.retry_after_s == pytest.approx(1.0)


def test_an_open_breaker_says_what_the_last_call_said(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.failed(sealed())
    with pytest.raises(Unavailable) as refused:
        breaker.enter()
    assert refused.value.reason == "VAULT_SEALED"


def test_one_probe_at_a_time_and_a_longer_wait_after_each_failure(
    breaker: Breaker, clock: Ticker
) -> None:
    _fail(breaker, 3)
    for open_s in (1.0, 2.0, 4.0, 4.0):
        clock.now += open_s - 0.1
        with pytest.raises(Unavailable):
            breaker.enter()
        clock.now += 0.2
        breaker.enter()
        with pytest.raises(Unavailable):
            breaker.enter()
        breaker.failed(away("refused"))
    clock.now += 5
    breaker.enter()
    breaker.succeeded()
    assert not breaker.is_open
    breaker.enter()
    breaker.enter()


def test_a_probe_that_was_given_up_leaves_its_place(breaker: Breaker, clock: Ticker) -> None:
    _fail(breaker, 3)
    clock.now += 2
    breaker.enter()
    breaker.abandoned()
    breaker.enter()
    breaker.succeeded()
    assert not breaker.is_open


def test_late_failures_of_calls_under_way_do_not_lengthen_the_wait(
    breaker: Breaker, clock: Ticker
) -> None:
    for _ in range(10):
        breaker.failed(away("refused"))
    clock.now += 1.1
    breaker.enter()
    breaker.succeeded()
    assert not breaker.is_open
