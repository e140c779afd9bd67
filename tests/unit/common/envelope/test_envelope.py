from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.envelope import (
    Aad,
    DataKeyCache,
    Envelope,
    open_,
    seal,
    with_wrapped_key,
    wrapped_key,
)
from services.common.errors import InvalidArgument, Unavailable
from services.common.vault import DataKey
from tests.fakes.vault import FakeVault

KEY = DataKey(bytes(range(32)), "vault:v1:wrapped")
AAD = Aad("identity_record", b"\x01" * 16, 3)


AADS = st.builds(Aad, st.text(max_size=40), st.binary(max_size=40), st.integers(0, 2**63))


@given(st.binary(max_size=5000), AADS)
def test_what_was_sealed_opens_to_the_same(plaintext: bytes, aad: Aad) -> None:
    sealed = seal(KEY, plaintext, aad)
    assert wrapped_key(sealed) == KEY.wrapped
    assert open_(KEY.plaintext, sealed, aad) == plaintext


@pytest.mark.parametrize(
    "other",
    [
        Aad("document", AAD.record, AAD.version),
        Aad(AAD.table, b"\x02" * 16, AAD.version),
        Aad(AAD.table, AAD.record, 4),
        Aad(AAD.table + "\x01", AAD.record[1:], AAD.version),
    ],
)
def test_a_box_opens_in_its_own_place_only(other: Aad) -> None:
    with pytest.raises(InvalidArgument) as refused:
        open_(KEY.plaintext, seal(KEY, b"name", AAD), other)
    assert refused.value.reason == "ENVELOPE_REFUSED"


@given(AADS, AADS)
def test_different_bindings_never_look_the_same(one: Aad, two: Aad) -> None:
    assert (one.to_bytes() == two.to_bytes()) == (one == two)


def test_every_changed_bit_is_noticed_but_those_of_the_wrapped_key() -> None:
    sealed = seal(KEY, b"name", AAD)
    covered = [*range(7), *range(7 + len(KEY.wrapped), len(sealed))]
    for place in covered:
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidArgument):
            open_(KEY.plaintext, bytes(changed), AAD)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for head in (b"", b"IDM\x01\x01", b"IDM\x02\x01"):
        with pytest.raises(InvalidArgument):
            open_(KEY.plaintext, head + data, AAD)


def test_rotation_replaces_the_wrapped_key_alone() -> None:
    sealed = seal(KEY, b"name", AAD)
    rotated = with_wrapped_key(sealed, "vault:v2:another, longer form")
    assert wrapped_key(rotated) == "vault:v2:another, longer form"
    assert open_(KEY.plaintext, rotated, AAD) == b"name"


def test_a_data_key_does_not_show_its_plaintext() -> None:
    assert "wrapped" in repr(KEY)
    assert repr(KEY.plaintext) not in repr(KEY)


async def test_each_box_has_a_key_of_its_own_and_opens_after_rotation() -> None:
    vault = FakeVault()
    records = Envelope(vault, "core/transit/record")
    one, two = await records.seal(b"one", AAD), await records.seal(b"two", AAD)
    assert wrapped_key(one) != wrapped_key(two)
    await vault.rotate_key("core/transit/record")
    [wrapped] = await vault.rewrap("core/transit/record", [wrapped_key(one)])
    assert await records.open(with_wrapped_key(one, wrapped), AAD) == b"one"
    assert await records.open(two, AAD) == b"two"


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
