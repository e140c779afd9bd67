"""A child's restarts: at once after a good life, later and later while it does not come up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.local import children
from tests.integration.local.harness import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def sleeper(tmp_path: Path) -> AsyncIterator[children.Child]:
    async def ready(_: int) -> bool:
        return True

    command = ["sleep", "600"]
    spec = children.Spec(name="sleeper", command=command, log=tmp_path / "log", ready=ready)
    child = children.Child(spec)
    await child.start()
    yield child
    await child.stop()


async def killed_again_and_again(child: children.Child, *, lives_s: float) -> list[float]:
    """How long each return took."""
    took_s = []
    for restarts in range(1, 6):
        await asyncio.sleep(lives_s)
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        await eventually(lambda n=restarts: child.restarts == n)  # type: ignore[misc]
        await eventually(lambda: child.state is children.State.READY)
        took_s.append(time.monotonic() - began)
    return took_s


async def test_a_child_that_was_ready_for_a_while_is_back_at_once_however_often(
    sleeper: children.Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "CALM_AFTER_S", 0.1)
    took_s = await killed_again_and_again(sleeper, lives_s=0.3)
    assert max(took_s) < children.FIRST_BACKOFF_S * 8


async def test_one_that_dies_as_soon_as_it_is_ready_is_started_later_and_later(
    sleeper: children.Child,
) -> None:
    took_s = await killed_again_and_again(sleeper, lives_s=0.0)
    assert took_s[4] > children.FIRST_BACKOFF_S * 16
