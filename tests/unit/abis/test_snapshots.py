"""The galleries are filled from a snapshot and what the log says after it."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
import structlog

from services.abis.domain.reference import Position
from services.abis.domain.search import Search
from services.common.errors import Unavailable
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.objects import FakeObjects
from tests.fakes.vault import FakeVault

PEOPLE = {number: UUID(int=number) for number in range(1, 6)}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
async def abis(store: FakeStore, vault: FakeVault, objects: FakeObjects) -> AbisUnderTest:
    abis = assemble(store, vault, offered=True, objects=objects)
    await abis.log.load()
    for number in (1, 2, 3):
        await abis.insert(PEOPLE[number], templates(number))
    return abis


async def save(abis: AbisUnderTest) -> Position:
    assert abis.save is not None
    snapshot = await abis.save()
    assert snapshot is not None
    return snapshot.position


async def restarted(store: FakeStore, vault: FakeVault, objects: FakeObjects) -> AbisUnderTest:
    after = assemble(store, vault, offered=True, objects=objects)
    await after.log.load()
    return after


async def everybody(abis: AbisUnderTest) -> set[UUID]:
    """Who is found of all five, by another session's samples."""
    answers = await asyncio.gather(
        *(abis.identify(Search(templates(number, 2))) for number in PEOPLE)
    )
    return {each.reference_id for answer in answers for each in answer.candidates}


def reads_of(store: FakeStore) -> list[int]:
    """Count the references that are read from the database from now on."""
    read: list[int] = []
    pages = store.references_after

    async def counted(sequence: int, *, limit: int) -> list[object]:
        page = await pages(sequence, limit=limit)
        read.append(len(page))
        return list(page)

    store.references_after = counted  # type: ignore[assignment]
    return read


async def test_a_restart_reads_the_snapshot_and_the_log_after_it(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    assert abis.save is not None
    assert abis.save.behind == 3
    assert await save(abis) == Position(1, 3)
    assert abis.save.behind == 0
    await abis.insert(PEOPLE[4], templates(4))
    await abis.delete(PEOPLE[2])
    read = reads_of(store)
    after = await restarted(store, vault, objects)
    assert read == []
    assert after.log.position == Position(1, 5) == abis.log.position
    expected = {PEOPLE[1], PEOPLE[3], PEOPLE[4]}
    assert await everybody(after) == await everybody(abis) == expected
    assert after.galleries.references() == 3


async def test_what_was_deleted_before_the_snapshot_stays_so(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    await save(abis)
    await abis.delete(PEOPLE[1])
    await save(abis)
    after = await restarted(store, vault, objects)
    assert await everybody(after) == {PEOPLE[2], PEOPLE[3]}
    await after.insert(PEOPLE[1], templates(1))
    assert await everybody(after) == {PEOPLE[1], PEOPLE[2], PEOPLE[3]}


async def test_an_answer_is_the_same_from_a_snapshot_and_from_the_database(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    await save(abis)
    warm = await restarted(store, vault, objects)
    cold = assemble(store, vault)
    await cold.log.load()
    for number in PEOPLE:
        search = Search(templates(number, 2), min_similarity=0.0)
        assert await warm.identify(search) == await cold.identify(search)


async def test_snapshots_of_snapshots_write_only_what_is_new(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    await save(abis)
    after = await restarted(store, vault, objects)
    before = {key async for key in objects.list()}
    await after.insert(PEOPLE[4], templates(4))
    await save(after)
    segments = {key async for key in objects.list() if "/segment/" in key}
    assert len(segments - before) == 1
    again = await restarted(store, vault, objects)
    assert await everybody(again) == {PEOPLE[number] for number in (1, 2, 3, 4)}


async def damage(objects: FakeObjects, part: str) -> None:
    for key in [key async for key in objects.list() if part in key]:
        content = bytearray(await objects.get(key))
        content[len(content) // 2] ^= 0x10
        await objects.delete(key)
        await objects.put_once(key, bytes(content))


@pytest.mark.parametrize("part", ["/segment/", "/snapshot/"])
async def test_a_damaged_snapshot_is_refused_and_the_database_is_read(
    abis: AbisUnderTest,
    store: FakeStore,
    vault: FakeVault,
    objects: FakeObjects,
    part: str,
) -> None:
    await save(abis)
    await damage(objects, part)
    read = reads_of(store)
    with structlog.testing.capture_logs() as told:
        after = await restarted(store, vault, objects)
    [refused] = [each for each in told if each["event"] == "snapshot_refused"]
    assert refused["object"].startswith(f"{store.tables.gallery_id}{part}")
    assert refused["why"] in {"DAMAGED", "DOES_NOT_OPEN"}
    assert sum(read) == 3
    assert await everybody(after) == {PEOPLE[1], PEOPLE[2], PEOPLE[3]}
    await save(after)
    assert await everybody(await restarted(store, vault, objects)) == await everybody(after)


async def test_of_two_snapshots_the_older_helps_when_the_newer_is_damaged(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    await save(abis)
    old = {key async for key in objects.list()}
    await abis.insert(PEOPLE[4], templates(4))
    await save(abis)
    for key in [key async for key in objects.list("") if key not in old and "/segment/" in key]:
        await objects.delete(key)
    read = reads_of(store)
    after = await restarted(store, vault, objects)
    assert read == []
    assert await everybody(after) == {PEOPLE[number] for number in (1, 2, 3, 4)}


@pytest.mark.parametrize("change", ["epoch", "head", "gallery"])
async def test_a_snapshot_of_another_history_is_refused(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects, change: str
) -> None:
    await save(abis)
    match change:
        case "epoch":
            store.tables.epoch = 2
        case "head":
            # Restored to before the last insert, without a word.
            store.tables.log.pop()
            store.tables.references.pop(PEOPLE[3])
        case "gallery":
            store.tables.gallery_id = uuid4()
    read = reads_of(store)
    after = await restarted(store, vault, objects)
    assert sum(read) == len(store.tables.references)
    assert after.galleries.references() == len(store.tables.references)


async def test_an_outage_while_a_snapshot_is_read_is_waited_out(
    abis: AbisUnderTest, store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    await save(abis)
    after = assemble(store, vault, objects=objects)
    vault.fail_with(Unavailable("VAULT_UNAVAILABLE", "Away."))
    with pytest.raises(Unavailable):
        await after.log.load()
    vault.fail_with(None)
    read = reads_of(store)
    assert await after.log.load() == 3
    assert read == []


async def test_nothing_is_saved_while_the_galleries_are_loaded(
    store: FakeStore, vault: FakeVault, objects: FakeObjects
) -> None:
    abis = assemble(store, vault, objects=objects)
    assert abis.save is not None
    assert abis.save.behind == 0
    assert await abis.save() is None
    assert [key async for key in objects.list()] == []
