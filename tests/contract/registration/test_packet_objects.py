"""Where ciphertext is kept: the fake and a folder alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from services.common.errors import AlreadyExists, InvalidArgument, NotFound
from services.common.objects import ObjectStore
from services.registration.clients.packet_objects import StoredPackets
from services.registration.ports import PacketObjects
from tests.fakes.registration import FakePacketObjects

KEY = "packets/10001/10077/one"


@pytest.fixture
def fake_objects() -> FakePacketObjects:
    return FakePacketObjects()


@pytest.fixture
async def folder_objects(tmp_path: Path) -> AsyncIterator[StoredPackets]:
    async with ObjectStore(f"file://{tmp_path}") as store:
        yield StoredPackets(store)


@pytest.fixture(params=["fake", "folder"])
def objects(request: pytest.FixtureRequest) -> PacketObjects:
    return cast(PacketObjects, request.getfixturevalue(f"{request.param}_objects"))


async def chunks(*parts: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if then is not None:
        raise then


async def test_what_is_put_is_there_until_it_is_deleted(objects: PacketObjects) -> None:
    assert not await objects.exists(KEY)
    await objects.put_once(KEY, chunks(b"a", b"b"), 10)
    assert await objects.exists(KEY)
    assert b"".join([chunk async for chunk in objects.stream(KEY)]) == b"ab"
    await objects.delete(KEY)
    await objects.delete(KEY)
    assert not await objects.exists(KEY)


async def test_the_same_again_is_fine_and_something_else_is_not(objects: PacketObjects) -> None:
    await objects.put_once(KEY, chunks(b"ab"), 10)
    await objects.put_once(KEY, chunks(b"a", b"b"), 10)
    with pytest.raises(AlreadyExists):
        await objects.put_once(KEY, chunks(b"other"), 10)
    assert b"".join([chunk async for chunk in objects.stream(KEY)]) == b"ab"


async def test_what_is_refused_while_it_streams_leaves_nothing(
    objects: PacketObjects, tmp_path: Path
) -> None:
    refusal = InvalidArgument("PACKET_HASH_MISMATCH", "It is another one.")
    with pytest.raises(InvalidArgument) as refused:
        await objects.put_once(KEY, chunks(b"a" * 2_000_000, b"b", then=refusal), 10_000_000)
    assert refused.value is refusal
    assert not await objects.exists(KEY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_what_is_not_there_cannot_be_read(objects: PacketObjects) -> None:
    with pytest.raises(NotFound):
        [chunk async for chunk in objects.stream(KEY)]
