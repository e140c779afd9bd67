"""The identity store in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.common.errors import AlreadyExists
from services.common.postgres import Database
from services.identity.domain.identity import (
    Counts,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
    SealedNumber,
)
from services.identity.domain.vid import Vid, VidState, VidType
from services.identity.ports import Store
from services.identity.store.identities import QUERIES, PostgresStore
from tests.fakes.identity import FakeStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RID = "10001100770000120260102030000"


@pytest.fixture
def fake_store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def postgres_store(make_database: Callable[[str], Awaitable[Database]]) -> PostgresStore:
    return PostgresStore(await make_database("identity"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return cast(Store, request.getfixturevalue(f"{request.param}_store"))


def a_number() -> SealedNumber:
    return SealedNumber(LookupKey(1, os.urandom(32)), f"vault:v1:{uuid4()}")


async def an_identity(store: Store, registration_id: str = RID) -> UUID:
    identity_id = uuid4()
    async with store.transaction() as tx:
        await tx.add_uins([a_number()])
        assert await tx.add_identity(identity_id, registration_id, b"sealed", NOW)
        assert await tx.allocate_uin(identity_id)
    return identity_id


def a_vid(identity_id: UUID, **changes: object) -> Vid:
    vid = Vid(
        vid_id=uuid4(),
        identity_id=identity_id,
        type=VidType.TEMPORARY,
        state=VidState.ACTIVE,
        lookup=LookupKey(1, os.urandom(32)),
        published=LookupKey(3, os.urandom(32)),
        sealed="vault:v1:vid",
        expires_at=NOW + timedelta(minutes=30),
        transactions_left=2,
    )
    return replace(vid, **changes)  # type: ignore[arg-type]


async def test_a_draft_is_found_by_registration_id_and_uin(store: Store) -> None:
    number = a_number()
    identity_id = uuid4()
    async with store.transaction() as tx:
        assert await tx.add_uins([number]) == 1
        assert await tx.add_identity(identity_id, RID, b"sealed", NOW)
        assert await tx.allocate_uin(identity_id)
    async with store.transaction() as tx:
        found = await tx.identity_of_registration(RID)
        assert found is not None
        assert (found.identity_id, found.sealed_uin) == (identity_id, number.sealed)
        assert (found.state, found.version) == (IdentityState.DRAFT, 1)
        assert await tx.identity_by_uin(number.lookup) == found
        assert await tx.identity(identity_id, lock=True) == found
        assert await tx.identity_by_uin(replace(number.lookup, version=2)) is None


async def test_a_registration_has_one_identity(store: Store) -> None:
    first = await an_identity(store)
    async with store.transaction() as tx:
        assert not await tx.add_identity(uuid4(), RID, b"other", NOW)
    async with store.transaction() as tx:
        found = await tx.identity_of_registration(RID)
    assert found is not None
    assert found.identity_id == first


async def test_a_number_is_given_out_once_and_an_empty_pool_says_so(store: Store) -> None:
    await an_identity(store)
    async with store.transaction() as tx:
        other = uuid4()
        await tx.add_identity(other, "1" * 29, b"sealed", NOW)
        assert not await tx.allocate_uin(other)


async def test_a_number_drawn_twice_stays_with_its_first_draw(store: Store) -> None:
    number = a_number()
    async with store.transaction() as tx:
        assert await tx.add_uins([number, a_number()]) == 2
        assert await tx.add_uins([number]) == 0
        assert await tx.counts() == Counts(0, 2)
        assert (await tx.free_uins(1), await tx.free_uins(9)) == (1, 2)


async def test_counts_follow_what_is_drawn_and_given_out(store: Store) -> None:
    for _ in range(2):
        async with store.transaction() as tx:
            await tx.add_uins([a_number(), a_number()])
    async with store.transaction() as tx:
        holder = uuid4()
        await tx.add_identity(holder, RID, b"sealed", NOW)
        await tx.allocate_uin(holder)
        assert await tx.counts() == Counts(1, 3)


@pytest.mark.postgres
async def test_counting_reads_only_the_free_numbers(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("identity")
    async with database.transaction() as connection:
        # Of an almost empty table the planner would read all.
        for way in ("seqscan", "bitmapscan"):
            await connection.execute(f"set local enable_{way} = off")
        rows = await connection.fetch(f"explain {QUERIES['counts']}")
    [scan] = [row[0] for row in rows if " on uin " in row[0]]
    assert "using uin_free" in scan


async def test_what_raises_leaves_nothing(store: Store) -> None:
    identity_id = uuid4()
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.add_uins([a_number()])
            await tx.add_identity(identity_id, RID, b"sealed", NOW)
            await tx.allocate_uin(identity_id)
            await tx.audit("UIN_ISSUED", "identity", identity_id.bytes)
            raise RuntimeError
    async with store.transaction() as tx:
        assert await tx.identity_of_registration(RID) is None
        assert await tx.counts() == Counts(0, 0)


async def test_the_first_activation_is_the_publication(store: Store) -> None:
    identity_id = await an_identity(store)
    for at, state in (
        (NOW, IdentityState.ACTIVATED),
        (NOW + timedelta(hours=1), IdentityState.BLOCKED),
        (NOW + timedelta(hours=2), IdentityState.ACTIVATED),
    ):
        async with store.transaction() as tx:
            await tx.set_state(identity_id, state, at)
            await tx.note_reason(identity_id, state, "vault:v1:reason", at)
            await tx.publish_state(identity_id, state, at)
    async with store.transaction() as tx:
        await tx.mark_notified(identity_id, NOW)
        await tx.mark_notified(identity_id, NOW + timedelta(hours=9))
        found = await tx.identity(identity_id)
    assert found is not None
    assert (found.state, found.published_at) == (IdentityState.ACTIVATED, NOW)
    assert found.notified_at == NOW


async def test_a_vid_round_trips_and_is_found_by_both_keys(store: Store) -> None:
    vid = a_vid(await an_identity(store), idempotency_key="call-0001")
    async with store.transaction() as tx:
        await tx.add_vid(vid)
        await tx.publish_vid(vid)
    async with store.transaction() as tx:
        assert await tx.vid(vid.vid_id, lock=True) == vid
        assert await tx.vid_by_key(vid.lookup) == vid
        assert await tx.vid_by_published_key(vid.published) == vid
        assert await tx.vid_by_key(vid.published) is None
        assert await tx.vid_of_call(vid.identity_id, "call-0001") == vid
        assert await tx.vid_of_call(vid.identity_id, "call-0002") is None


async def test_a_taken_lookup_key_is_refused_and_the_transaction_can_go_on(store: Store) -> None:
    first = a_vid(await an_identity(store))
    second = a_vid(first.identity_id)
    async with store.transaction() as tx:
        await tx.add_vid(first)
        with pytest.raises(AlreadyExists) as refused:
            await tx.add_vid(a_vid(first.identity_id, lookup=first.lookup))
        assert refused.value.reason == "VID_TAKEN"
        await tx.add_vid(second)
    async with store.transaction() as tx:
        assert await tx.vids_of(first.identity_id, limit=9) == [second, first]
        assert await tx.vids_of(first.identity_id, limit=1) == [second]


async def test_only_usable_vids_of_the_type_count(store: Store) -> None:
    identity_id = await an_identity(store)
    async with store.transaction() as tx:
        await tx.add_vid(a_vid(identity_id))
        await tx.add_vid(a_vid(identity_id, expires_at=None))
        await tx.add_vid(a_vid(identity_id, expires_at=NOW))
        await tx.add_vid(a_vid(identity_id, state=VidState.REVOKED))
        await tx.add_vid(a_vid(identity_id, type=VidType.ONE_TIME))
        assert await tx.count_active_vids(identity_id, VidType.TEMPORARY, NOW) == 2


async def test_a_change_keeps_the_successor(store: Store) -> None:
    identity_id = await an_identity(store)
    old, new = a_vid(identity_id), a_vid(identity_id)
    async with store.transaction() as tx:
        await tx.add_vid(new)
        await tx.add_vid(old)
        await tx.change_vid(
            old.vid_id, VidState.REVOKED, transactions_left=1, replaced_by=new.vid_id
        )
        await tx.change_vid(old.vid_id, VidState.REVOKED)
        changed = await tx.vid(old.vid_id)
    assert changed == replace(
        old, state=VidState.REVOKED, transactions_left=None, replaced_by=new.vid_id
    )


async def test_vids_whose_time_is_over_are_found_while_active(store: Store) -> None:
    identity_id = await an_identity(store)
    ended = a_vid(identity_id, expires_at=NOW)
    async with store.transaction() as tx:
        for vid in (ended, a_vid(identity_id), a_vid(identity_id, expires_at=None)):
            await tx.add_vid(vid)
        await tx.add_vid(a_vid(identity_id, expires_at=NOW, state=VidState.USED))
        assert await tx.ended_vids(NOW, limit=9) == [ended]
        assert await tx.ended_vids(NOW - timedelta(seconds=1), limit=9) == []


async def test_a_publication_and_audit_are_written(store: Store) -> None:
    identity_id = await an_identity(store)
    async with store.transaction() as tx:
        found = await tx.identity(identity_id)
        assert found is not None
        sealed = SealedForAuthentication(b"sealed", "vault:v1:key")
        await tx.publish_identity(found, LookupKey(1, b"\x01" * 32), sealed)
        await tx.audit("IDENTITY_PUBLISHED", "identity", identity_id.bytes, details={"n": "1"})


@pytest.mark.postgres
async def test_an_allocation_under_way_neither_blocks_another_nor_shares(
    postgres_store: PostgresStore,
) -> None:
    ids = [uuid4(), uuid4()]
    async with postgres_store.transaction() as tx:
        await tx.add_uins([a_number(), a_number()])
        for number, identity_id in enumerate(ids):
            await tx.add_identity(identity_id, f"{number:029d}", b"sealed", NOW)
    async with postgres_store.transaction() as first:
        assert await first.allocate_uin(ids[0])
        async with asyncio.timeout(1), postgres_store.transaction() as second:
            assert await second.allocate_uin(ids[1])
    async with postgres_store.transaction() as tx:
        rows = [await tx.identity(each) for each in ids]
    assert len({row.sealed_uin for row in rows if row}) == 2
