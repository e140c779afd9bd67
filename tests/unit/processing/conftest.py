"""Processing with everything in memory."""

from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.processing import FakeStore
from tests.fakes.processing_service import ProcessingUnderTest, assemble


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> FakeStore:
    return FakeStore(clock)


@pytest.fixture
async def processing(store: FakeStore, clock: FakeClock) -> ProcessingUnderTest:
    return await assemble(store, clock)
