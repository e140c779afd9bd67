"""A snapshot comes back as it was written, or is refused by name."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.abis.clients.vault import KEY, snapshot_envelope
from services.abis.domain.reference import Position
from services.abis.domain.snapshot import (
    PlaneShape,
    SegmentShape,
    Snapshot,
    SnapshotRefusedError,
)
from services.abis.ports import Segment
from services.abis.store.snapshot_format import CHUNK_BYTES, list_key, segment_key
from services.abis.store.snapshots import Objects, ObjectSnapshots
from services.common.errors import NotFound, Unavailable
from services.common.objects import ObjectStore
from tests.fakes.objects import FakeObjects
from tests.fakes.vault import FakeVault

HERE = UUID(int=7)
SIZES = {"ids": 160, "empty": 0, "codes": CHUNK_BYTES + 5, "exact": CHUNK_BYTES}


@dataclass
class Space:
    planes: Mapping[str, memoryview] = field(
        default_factory=lambda: {name: memoryview(bytearray(size)) for name, size in SIZES.items()}
    )

    def finish(self, dead: bytes) -> None:
        raise AssertionError("filling does not finish")


def a_segment(number: int, *, dead: bytes = b"\x00\x00") -> Segment:
    planes = {name: memoryview(os.urandom(size)) for name, size in SIZES.items()}
    shapes = {name: PlaneShape(plane.nbytes, number) for name, plane in planes.items()}
    return Segment(SegmentShape("people", number, 10, shapes), planes, dead)


@pytest.fixture
def fake_objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
async def folder_objects(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    async with ObjectStore((tmp_path / "objects").as_uri()) as objects:
        yield objects


@pytest.fixture(params=["fake", "folder"])
def objects(request: pytest.FixtureRequest) -> Objects:
    return cast(Objects, request.getfixturevalue(f"{request.param}_objects"))


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
def snapshots(objects: Objects, vault: FakeVault) -> ObjectSnapshots:
    return ObjectSnapshots(objects, vault, KEY, snapshot_envelope(vault))


async def write(
    snapshots: ObjectSnapshots, sequence: int, *segments: Segment, before: Snapshot | None = None
) -> Snapshot:
    return await snapshots.write(HERE, Position(1, sequence), 1, segments, before=before)


async def newest(snapshots: ObjectSnapshots) -> str:
    return (await snapshots.newest(HERE))[0]


async def replace_object(objects: Objects, key: str, content: bytes) -> None:
    await objects.delete(key)
    await objects.put_once(key, content)


async def refusal(snapshots: ObjectSnapshots, snapshot: Snapshot, number: int = 0) -> str:
    with pytest.raises(SnapshotRefusedError) as refused:
        await snapshots.fill(snapshot, number, Space())
    segment_id = snapshot.segments[number].segment_id
    assert refused.value.name == segment_key(snapshot.gallery_id, segment_id)
    return refused.value.why


async def test_every_plane_comes_back(snapshots: ObjectSnapshots) -> None:
    segments = [a_segment(1), a_segment(2, dead=b"\x01\x02")]
    written = await write(snapshots, 5, *segments)
    read = await snapshots.read(HERE, await newest(snapshots))
    assert read == written
    assert read.position == Position(1, 5)
    for number, segment in enumerate(segments):
        assert read.segments[number].dead == segment.dead
        assert read.segments[number].shape == segment.shape
        space = Space()
        await snapshots.fill(read, number, space)
        assert all(space.planes[name] == plane for name, plane in segment.planes.items())


async def test_nothing_of_a_plane_is_legible(snapshots: ObjectSnapshots, objects: Objects) -> None:
    segment = a_segment(1)
    written = await write(snapshots, 1, segment)
    stored = await objects.get(segment_key(HERE, written.segments[0].segment_id))
    assert len(stored) == sum(SIZES.values()) + 16 * 4
    plane = bytes(segment.planes["codes"])
    assert all(plane[at : at + 16] not in stored for at in range(0, len(plane), 4096))


async def test_the_newest_is_the_farthest_in_the_log(snapshots: ObjectSnapshots) -> None:
    for sequence in (9, 100, 30):
        await write(snapshots, sequence, a_segment(sequence))
    read = [await snapshots.read(HERE, name) for name in await snapshots.newest(HERE)]
    assert [each.position.sequence for each in read] == [100, 30, 9]
    assert await snapshots.newest(uuid4()) == []


async def test_a_segment_is_written_once_and_its_dead_each_time(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    first, second = a_segment(1), a_segment(2)
    before = await write(snapshots, 1, first)
    after = await write(snapshots, 2, replace(first, dead=b"\xff\x00"), second, before=before)
    assert after.segments[0].segment_id == before.segments[0].segment_id
    assert after.segments[0].dead == b"\xff\x00"
    changed = replace(first, shape=replace(first.shape, planes={}), planes={})
    other = await write(snapshots, 3, changed, before=after)
    assert other.segments[0].segment_id != before.segments[0].segment_id


@pytest.mark.parametrize("at", [0, 200, CHUNK_BYTES, CHUNK_BYTES + 300, -1])
async def test_a_flipped_bit_is_found_wherever_it_is(
    snapshots: ObjectSnapshots, objects: Objects, at: int
) -> None:
    written = await write(snapshots, 1, a_segment(1))
    key = segment_key(HERE, written.segments[0].segment_id)
    content = bytearray(await objects.get(key))
    content[at] ^= 1
    await replace_object(objects, key, bytes(content))
    assert await refusal(snapshots, written) == "DAMAGED"


async def test_a_segment_of_another_length_is_refused(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    written = await write(snapshots, 1, a_segment(1))
    key = segment_key(HERE, written.segments[0].segment_id)
    content = await objects.get(key)
    for other in (content[:-1], b"", content[: CHUNK_BYTES // 2], content + b"\x00"):
        await replace_object(objects, key, other)
        assert await refusal(snapshots, written) == "OF_ANOTHER_LENGTH"
    await objects.delete(key)
    assert await refusal(snapshots, written) == "MISSING"


async def test_chunks_cannot_change_places(snapshots: ObjectSnapshots, objects: Objects) -> None:
    written = await write(snapshots, 1, a_segment(1))
    key = segment_key(HERE, written.segments[0].segment_id)
    content = await objects.get(key)
    ids = SIZES["ids"] + 16
    chunk = CHUNK_BYTES + 16
    first, rest = content[ids : ids + chunk], content[ids + chunk + 5 + 16 :]
    small = content[ids + chunk : ids + chunk + 5 + 16]
    assert len(rest) == len(first)
    await replace_object(objects, key, content[:ids] + rest + small + first)
    assert await refusal(snapshots, written) == "DAMAGED"


async def test_a_segment_of_another_gallery_is_refused(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    mine = await write(snapshots, 1, a_segment(1), a_segment(2))
    first, second = (segment_key(HERE, each.segment_id) for each in mine.segments)
    await replace_object(objects, first, await objects.get(second))
    assert await refusal(snapshots, mine) == "DAMAGED"
    foreign = replace(mine, gallery_id=uuid4())
    await objects.put_once(
        segment_key(foreign.gallery_id, mine.segments[1].segment_id), await objects.get(second)
    )
    assert await refusal(snapshots, foreign, 1) == "DAMAGED"


async def test_a_list_that_was_changed_or_moved_is_refused(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    await write(snapshots, 1, a_segment(1))
    name = await newest(snapshots)
    content = await objects.get(list_key(HERE, name))
    elsewhere = uuid4()
    await objects.put_once(list_key(elsewhere, name), content)
    renamed = name.replace("0000000001-", "0000000002-")
    await objects.put_once(list_key(HERE, renamed), content)
    broken = bytearray(content)
    broken[-20] ^= 4
    await replace_object(objects, list_key(HERE, name), bytes(broken))
    for gallery_id, each in ((elsewhere, name), (HERE, renamed), (HERE, name)):
        with pytest.raises(SnapshotRefusedError) as refused:
            await snapshots.read(gallery_id, each)
        assert refused.value.name == list_key(gallery_id, each)
        assert refused.value.why == "DOES_NOT_OPEN"


async def test_another_vaults_snapshot_does_not_open(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    await write(snapshots, 1, a_segment(1))
    other = FakeVault()
    foreign = ObjectSnapshots(objects, other, KEY, snapshot_envelope(other))
    with pytest.raises(SnapshotRefusedError):
        await foreign.read(HERE, await newest(foreign))


async def test_vault_being_away_is_no_damage(snapshots: ObjectSnapshots, vault: FakeVault) -> None:
    written = await write(snapshots, 1, a_segment(1))
    vault.fail_with(Unavailable("VAULT_UNAVAILABLE", "Away."))
    with pytest.raises(Unavailable):
        await snapshots.fill(written, 0, Space())


async def test_every_segment_has_a_data_key_of_its_own(snapshots: ObjectSnapshots) -> None:
    written = await write(snapshots, 1, a_segment(1), a_segment(2))
    assert len({each.wrapped_key for each in written.segments}) == 2


async def test_what_no_kept_snapshot_needs_is_removed(
    snapshots: ObjectSnapshots, objects: Objects
) -> None:
    shared, early, late = a_segment(1), a_segment(2), a_segment(3)
    first = await write(snapshots, 1, shared, early)
    second = await write(snapshots, 2, shared, late, before=first)
    third = await write(snapshots, 3, shared, late, before=second)
    assert await snapshots.sweep(HERE, keep=2) == 2
    kept = [await snapshots.read(HERE, name) for name in await snapshots.newest(HERE)]
    assert kept == [third, second]
    for number in range(2):
        await snapshots.fill(third, number, Space())
    with pytest.raises(NotFound):
        await objects.get(segment_key(HERE, first.segments[1].segment_id))
    assert await snapshots.sweep(HERE, keep=2) == 0
