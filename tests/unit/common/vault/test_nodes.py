"""Which node of a cluster is asked, and what becomes of its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.common.errors import InvalidArgument, Unavailable
from services.common.vault.errors import away, sealed
from services.common.vault.limits import VaultLimits
from services.common.vault.nodes import Nodes

LIMITS = VaultLimits(late_s=0.01, failures_to_open=2, open_s=60.0)


class Cluster:
    """Nodes a, b, c; each answers with its name, fails, or never answers."""

    def __init__(self, names: Sequence[str] = ("a", "b", "c")) -> None:
        self.nodes = Nodes(names, LIMITS)
        self.failing: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    async def send(self, base: str) -> str:
        self.asked.append(base)
        await asyncio.sleep(0)
        if base in self.hanging:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(base)
                raise
        if base in self.failing:
            raise self.failing[base]
        return base

    async def call(self, *, repeatable: bool = True) -> str:
        self.asked.clear()
        return await self.nodes.call(self.send, repeatable=repeatable)


async def test_the_first_answers_and_nobody_else_is_asked() -> None:
    cluster = Cluster()
    assert await cluster.call() == "a"
    assert cluster.asked == ["a"]


async def test_who_fails_is_followed_by_the_next_who_is_asked_first_from_then_on() -> None:
    cluster = Cluster()
    cluster.failing = {"a": away("gone")}
    assert await cluster.call(repeatable=False) == "b"
    assert await cluster.call() == "b"
    assert cluster.asked == ["b"]


async def test_who_is_late_is_overtaken_and_given_up() -> None:
    cluster = Cluster()
    cluster.hanging = {"a", "b"}
    assert await cluster.call() == "c"
    await asyncio.sleep(0)
    assert sorted(cluster.cancelled) == ["a", "b"]


async def test_what_must_not_be_done_twice_waits_for_the_one_who_was_asked() -> None:
    cluster = Cluster()
    cluster.hanging = {"a"}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await cluster.call(repeatable=False)
    await asyncio.sleep(0)
    assert cluster.asked == cluster.cancelled == ["a"]


async def test_when_all_fail_the_last_failure_is_told() -> None:
    cluster = Cluster()
    cluster.failing = {"a": away("gone"), "b": away("gone"), "c": sealed()}
    with pytest.raises(Unavailable) as refused:
        await cluster.call()
    assert refused.value.reason == "VAULT_SEALED"
    assert cluster.asked == ["a", "b", "c"]


async def test_a_refusal_is_an_answer() -> None:
    cluster = Cluster()
    cluster.failing = {"a": InvalidArgument("CIPHERTEXT_REFUSED", "No.")}
    with pytest.raises(InvalidArgument):
        await cluster.call()
    assert cluster.asked == ["a"]


async def test_who_failed_often_is_not_asked_for_a_while() -> None:
    cluster = Cluster(("a",))
    cluster.failing = {"a": away("gone")}
    for _ in range(LIMITS.failures_to_open):
        with pytest.raises(Unavailable):
            await cluster.call()
    with pytest.raises(Unavailable) as refused:
        await cluster.call()
    assert cluster.asked == []
    assert refused.value.metadata["breaker"] == "open"
