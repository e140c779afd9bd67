"""The reference store in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.abis.domain.partition import FRONT, Share, partition_of
from services.abis.domain.reference import Change, ChangeKind, Position, StoredReference
from services.abis.domain.request import StoredRequest
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


async def delete(store: Store, reference_id: UUID) -> Position | None:
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
    deleted = await delete(store, reference_id)
    assert deleted == await store.head()
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


async def test_many_are_inserted_in_their_order_and_those_there_are_left(store: Store) -> None:
    ids = [uuid4() for _ in range(5)]
    first = await insert(store, ids[2], b"first")
    async with store.transaction() as tx:
        await tx.lock_log()
        places = await tx.insert_many([(each, each.bytes, 2) for each in ids])
        assert await tx.insert_many([]) == {}
    assert sorted(places, key=places.__getitem__) == [*ids[:2], *ids[3:]]
    changes = await store.changes_after(first, limit=9)
    assert [each.reference_id for each in changes] == [*ids[:2], *ids[3:]]
    assert [each.sequence for each in changes] == sorted(places.values())
    stored = [each.reference for each in changes if each.reference is not None]
    assert [each.sealed for each in stored] == [each.reference_id.bytes for each in changes]
    async with store.transaction() as tx:
        kept = await tx.reference(ids[2])
    assert kept is not None
    assert kept.sealed == b"first"


async def test_a_request_is_answered_once_and_forgotten_later(store: Store) -> None:
    request = StoredRequest(uuid4(), "INSERT", b"\x01" * 32, b"1 2")
    async with store.transaction() as tx:
        assert await tx.request(request.request_id) is None
        assert await tx.keep_request(request)
    async with store.transaction() as tx:
        other = StoredRequest(request.request_id, "DELETE", b"\x02" * 32, b"")
        assert not await tx.keep_request(other)
        assert await tx.request(request.request_id) == request
    assert await store.forget_requests(older_than_s=0) == 1
    assert await store.forget_requests(older_than_s=0) == 0
    async with store.transaction() as tx:
        assert await tx.request(request.request_id) is None


async def test_a_load_goes_on_where_it_was(store: Store) -> None:
    load_id, other = uuid4(), uuid4()
    async with store.transaction() as tx:
        assert await tx.load_progress(load_id) == 0
        await tx.keep_load(load_id, 3, {2: "TEMPLATE_MALFORMED"})
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.keep_load(load_id, 5, {4: "REFERENCE_EXISTS"})
            raise RuntimeError
    async with store.transaction() as tx:
        assert await tx.load_progress(load_id) == 3
        await tx.keep_load(load_id, 6, {})
        assert await tx.load_progress(other) == 0
    async with store.transaction() as tx:
        assert await tx.load_progress(load_id) == 6
        assert await tx.load_refusals(load_id) == {2: "TEMPLATE_MALFORMED"}
        assert await tx.load_refusals(other) == {}


async def test_a_gallery_has_one_name(store: Store) -> None:
    assert await store.gallery_id() == await store.gallery_id()


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
