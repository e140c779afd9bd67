"""Data keys in clear: asked for once, kept for a while, wiped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.common.envelope import Aad, DataKeyCache, Envelope, ObjectAad, wipe_all
from services.common.errors import InvalidArgument, Unavailable
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
    [kept] = [each.plaintext for each in cache._keys.values()]
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


async def test_a_key_that_was_given_out_so_often_is_wiped_and_asked_for_again() -> None:
    vault = FakeVault()
    datakey = await vault.datakey("core/transit/record")
    cache = DataKeyCache(vault, max_uses=3)
    await cache.unwrap("core/transit/record", datakey.wrapped)
    [kept] = [each.plaintext for each in cache._keys.values()]
    for _ in range(2):
        await cache.unwrap("core/transit/record", datakey.wrapped)
    assert bytes(kept) == datakey.plaintext
    assert await cache.unwrap("core/transit/record", datakey.wrapped) == datakey.plaintext
    assert (bytes(kept), len(cache)) == (bytes(32), 0)
    assert vault.calls.count(("unwrap_datakey", "core/transit/record")) == 1
    await cache.unwrap("core/transit/record", datakey.wrapped)
    assert vault.calls.count(("unwrap_datakey", "core/transit/record")) == 2


async def test_the_answer_is_kept_though_all_who_asked_went_away() -> None:
    vault = FakeVault()
    datakey = await vault.datakey("core/transit/record")
    cache = DataKeyCache(vault)
    asking = asyncio.create_task(cache.unwrap("core/transit/record", datakey.wrapped))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0.01)
    assert len(cache) == 1


@pytest.mark.parametrize(("ttl_s", "entries", "uses"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_cache_without_room_is_refused(ttl_s: float, entries: int, uses: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        DataKeyCache(FakeVault(), ttl_s=ttl_s, max_entries=entries, max_uses=uses)


async def test_a_process_that_ends_wipes_the_keys_of_all_its_caches() -> None:
    vault = FakeVault()
    kept = []
    caches = [DataKeyCache(vault) for _ in range(2)]
    for cache in caches:
        cache.remember(await vault.datakey("core/transit/record"))
        kept += [each.plaintext for each in cache._keys.values()]
    assert bytes(32) not in [bytes(each) for each in kept]
    wipe_all()
    assert [len(cache) for cache in caches] == [0, 0]
    assert [bytes(each) for each in kept] == [bytes(32)] * 2


async def test_streams_are_sealed_and_opened_with_one_key_of_vault() -> None:
    async def pieces(*given: bytes) -> AsyncIterator[bytes]:
        for piece in given:
            yield piece

    vault, place = FakeVault(), ObjectAad("snapshots", "one", 0)
    envelope = Envelope(vault, "core/transit/record")
    sealed = [part async for part in envelope.seal_stream(pieces(b"ab", b"c"), place)]
    opened = [part async for part in envelope.open_stream(pieces(*sealed), place)]
    assert b"".join(opened) == b"abc"
    other = Envelope(vault, "core/transit/case")
    with pytest.raises(InvalidArgument) as refused:
        [part async for part in other.open_stream(pieces(*sealed), place)]
    assert refused.value.reason == "ENVELOPE_OF_ANOTHER_KEY"
