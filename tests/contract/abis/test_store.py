"""The reference store in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.abis.domain.partition import FRONT, Share, partition_of
from services.abis.domain.reference import Change, ChangeKind, StoredReference
from services.abis.ports import Store
from services.abis.store.partition import PartitionStore
from services.abis.store.references import PostgresStore
from services.common.postgres import Database
from tests.fakes.abis import FakeStore


@pytest.fixture
def fake_store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def postgres_store(make_database: Callable[[str], Awaitable[Database]]) -> PostgresStore:
    return PostgresStore(await make_database("abis"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return cast(Store, request.getfixturevalue(f"{request.param}_store"))


async def insert(store: Store, reference_id: UUID, sealed: bytes = b"sealed") -> int:
    async with store.transaction() as tx:
        await tx.lock_log()
        position = await tx.insert(reference_id, sealed, templates=3)
        assert position is not None
        assert position.epoch == 1
        assert await tx.insert(reference_id, b"another", templates=3) is None
    return position.sequence


async def delete(store: Store, reference_id: UUID) -> int | None:
    async with store.transaction() as tx:
        await tx.lock_log()
        return await tx.delete(reference_id)


async def test_an_empty_log_has_a_head(store: Store) -> None:
    head = await store.head()
    assert (head.epoch, head.sequence) == (1, 0)
    assert await store.changes_after(0, limit=9) == []
    assert await store.count() == 0


async def test_a_reference_and_its_entry_are_one(store: Store) -> None:
    reference_id = uuid4()
    sequence = await insert(store, reference_id)
    stored = StoredReference(reference_id, sequence, b"sealed")
    async with store.transaction() as tx:
        assert await tx.reference(reference_id) == stored
        assert await tx.reference(uuid4()) is None
        await tx.audit("REFERENCE_INSERTED", "reference", reference_id.bytes)
    assert (await store.head()).sequence == sequence
    assert await store.references_after(0, limit=9) == [stored]
    assert await store.changes_after(0, limit=9) == [
        Change(sequence, ChangeKind.INSERTED, reference_id, stored)
    ]


async def test_pages_follow_the_order_of_inserts(store: Store) -> None:
    ids = [uuid4() for _ in range(5)]
    sequences = [await insert(store, each) for each in ids]
    assert sequences == sorted(sequences)
    first = await store.references_after(0, limit=2)
    rest = await store.references_after(first[-1].sequence, limit=9)
    assert [each.reference_id for each in first + rest] == ids
    assert await store.count_changes_after(sequences[2]) == 2


async def test_a_delete_stays_in_the_log_and_its_insert_stands_for_nothing(store: Store) -> None:
    reference_id = uuid4()
    await insert(store, reference_id)
    assert await delete(store, reference_id) is not None
    assert await delete(store, reference_id) is None
    again = await insert(store, reference_id, b"again")
    changes = await store.changes_after(0, limit=9)
    assert [(each.kind, each.reference is not None) for each in changes] == [
        (ChangeKind.INSERTED, False),
        (ChangeKind.DELETED, False),
        (ChangeKind.INSERTED, True),
    ]
    assert changes[-1].sequence == again
    assert await store.count() == 1


async def test_what_raises_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.lock_log()
            await tx.insert(uuid4(), b"sealed", templates=1)
            raise RuntimeError
    assert await store.count() == 0
    assert await store.changes_after(0, limit=9) == []


@pytest.mark.postgres
async def test_whoever_sees_an_entry_has_seen_all_before_it(
    postgres_store: PostgresStore,
) -> None:
    seen: list[int] = []
    writing = True

    async def write(count: int) -> None:
        for number in range(count):
            async with postgres_store.transaction() as tx:
                await tx.lock_log()
                await tx.insert(uuid4(), b"sealed", templates=1)
                if number % 3 == 0:
                    await asyncio.sleep(0.003)

    async def follow() -> None:
        while writing or await postgres_store.changes_after(seen[-1] if seen else 0, limit=1):
            for change in await postgres_store.changes_after(seen[-1] if seen else 0, limit=7):
                seen.append(change.sequence)
            await asyncio.sleep(0)

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(write(15) for _ in range(4)))
    writing = False
    await follower
    everything = [each.sequence for each in await postgres_store.changes_after(0, limit=1000)]
    assert seen == everything
    assert len(everything) == 60


@pytest.mark.postgres
async def test_a_share_is_the_same_in_sql_and_in_python(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("abis")
    whole = PostgresStore(database)
    ids = [uuid4() for _ in range(40)]
    for reference_id in ids:
        await insert(whole, reference_id)
    await delete(whole, ids[0])
    shares = [PartitionStore(database, Share(3, number)) for number in (0, 1, 2, FRONT)]
    found = [
        [each.reference_id for each in await store.references_after(0, limit=99)]
        for store in shares
    ]
    assert found == [
        [each for each in ids[1:] if partition_of(each, 3) == number] for number in (0, 1, 2, FRONT)
    ]
    everything = await whole.changes_after(0, limit=99)
    for share, held in zip(shares, found, strict=True):
        changes = await share.changes_after(0, limit=99)
        # Every entry is there, for a position is one of the whole; the templates are the share's.
        assert [each.sequence for each in changes] == [each.sequence for each in everything]
        assert [each.reference_id for each in changes if each.reference] == held
        pages = await share.changes_after(5, limit=3)
        assert [each.sequence for each in pages] == [6, 7, 8]
