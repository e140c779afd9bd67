"""Data keys in clear: asked for once, kept for a while, wiped."""

from __future__ import annotations

import asyncio

import pytest

from services.common.envelope import Aad, DataKeyCache, Envelope
from services.common.errors import Unavailable
from tests.fakes.vault import FakeVault

AAD = Aad("identity_record", b"\x01" * 16, 3)


class Ticker:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_is_asked_for_once_in_its_time_also_by_many_at_once() -> None:
    vault, clock = FakeVault(), Ticker()
    datakey = await vault.datakey("core/transit/record")
    cache = DataKeyCache(vault, ttl_s=60, monotonic=clock)
    found = await asyncio.gather(
        *(cache.unwrap("core/transit/record", datakey.wrapped) for _ in range(10))
    )
    assert found == [datakey.plaintext] * 10
    clock.now = 59
    await cache.unwrap("core/transit/record", datakey.wrapped)
    assert vault.calls.count(("unwrap_datakey", "core/transit/record")) == 1
    clock.now = 61
    await cache.unwrap("core/transit/record", datakey.wrapped)
    assert vault.calls.count(("unwrap_datakey", "core/transit/record")) == 2


async def test_the_cache_is_bounded_and_wipes_what_leaves() -> None:
    vault = FakeVault()
    cache = DataKeyCache(vault, max_entries=3)
    made = [await vault.datakey("core/transit/record") for _ in range(5)]
    await cache.unwrap("core/transit/record", made[0].wrapped)
    [(_, kept)] = cache._keys.values()
    assert bytes(kept) == made[0].plaintext
    for datakey in made[1:]:
        await cache.unwrap("core/transit/record", datakey.wrapped)
    assert len(cache) == 3
    assert bytes(kept) == bytes(32)
    cache.wipe()
    assert len(cache) == 0


async def test_old_keys_are_wiped_though_nobody_asks() -> None:
    vault = FakeVault()
    cache = DataKeyCache(vault, ttl_s=0.05)
    await cache.unwrap("core/transit/record", (await vault.datakey("core/transit/record")).wrapped)
    assert len(cache) == 1
    async with asyncio.timeout(2):
        while len(cache):
            await asyncio.sleep(0.01)


async def test_a_cached_key_still_opens_while_vault_is_away() -> None:
    vault = FakeVault()
    records = Envelope(vault, "core/transit/record")
    sealed = await records.seal(b"one", AAD)
    assert await records.open(sealed, AAD) == b"one"
    vault.fail_with(Unavailable("VAULT_SEALED", "sealed", retry_after_s=5))
    assert await records.open(sealed, AAD) == b"one"
    with pytest.raises(Unavailable):
        await records.seal(b"two", AAD)


def test_a_life_beyond_five_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="ttl_s"):
        DataKeyCache(FakeVault(), ttl_s=301)


async def test_what_is_opened_soon_is_not_asked_of_vault_again() -> None:
    vault = FakeVault()
    envelope = Envelope(vault, "core/transit/record", opened_soon=True)
    aad = Aad("identity", b"1", 1)
    assert await envelope.open(await envelope.seal(b"x", aad), aad) == b"x"
    assert [method for method, _ in vault.calls] == ["datakey"]
