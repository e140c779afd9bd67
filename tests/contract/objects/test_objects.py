"""What services may rely on of an object store: the fake, obstore's memory and a folder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.errors import AlreadyExists, InvalidArgument, NotFound, ResourceExhausted
from services.common.objects import ObjectStore
from tests.fakes.objects import FakeObjects

Objects = ObjectStore | FakeObjects


@pytest.fixture(params=["fake", "memory", "folder"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    if request.param == "fake":
        yield FakeObjects()
        return
    url = "memory:///" if request.param == "memory" else f"file://{tmp_path}/deep/objects"
    async with ObjectStore(url) as store:
        yield store


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def _listed(objects: Objects, prefix: str = "") -> list[str]:
    return sorted([key async for key in objects.list(prefix)])


async def test_what_was_put_is_there_with_its_size_and_digest(objects: Objects) -> None:
    content = bytes(range(256)) * 20_000
    parts = [content[start : start + 70_000] for start in range(0, len(content), 70_000)]
    stored = await objects.put_once("packets/10001/a.zip", _chunks(*parts))
    assert stored.size == len(content)
    assert stored.sha256 == hashlib.sha256(content).digest()
    assert await objects.get("packets/10001/a.zip") == content
    streamed = [chunk async for chunk in objects.stream("packets/10001/a.zip")]
    assert b"".join(streamed) == content
    assert await objects.stat("packets/10001/a.zip") == len(content)


@pytest.mark.parametrize("content", [b"", b"x"])
async def test_small_content_is_content(objects: Objects, content: bytes) -> None:
    assert (await objects.put_once("small", content)).size == len(content)
    assert await objects.get("small") == content
    assert (await objects.put_once("small", _chunks())).size == 0 if not content else True


async def test_the_same_again_is_no_error_and_other_content_is(objects: Objects) -> None:
    first = await objects.put_once("key", b"content")
    assert await objects.put_once("key", _chunks(b"con", b"tent")) == first
    with pytest.raises(AlreadyExists) as refused:
        await objects.put_once("key", b"other")
    assert refused.value.reason == "OBJECT_EXISTS"
    assert await objects.get("key") == b"content"


async def test_of_many_writers_at_once_one_wins(objects: Objects) -> None:
    contents = [bytes([number]) * 1000 for number in range(8)]
    outcomes = await asyncio.gather(
        *(objects.put_once("race", each) for each in contents), return_exceptions=True
    )
    won = [each for each in outcomes if not isinstance(each, BaseException)]
    assert len(won) == 1
    assert sum(isinstance(each, AlreadyExists) for each in outcomes) == 7
    assert await objects.get("race") in contents


async def test_what_is_too_large_is_not_kept(objects: Objects) -> None:
    with pytest.raises(ResourceExhausted) as refused:
        await objects.put_once("large", _chunks(b"x" * 600, b"x" * 600), max_bytes=1000)
    assert refused.value.reason == "OBJECT_TOO_LARGE"
    assert await _listed(objects) == []
    assert (await objects.put_once("large", b"x" * 1000, max_bytes=1000)).size == 1000


async def test_an_upload_that_breaks_off_leaves_nothing(objects: Objects) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (2 << 20)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await objects.put_once("broken", broken())
    assert await _listed(objects) == []
    await objects.put_once("broken", b"now")
    assert await objects.get("broken") == b"now"


async def test_what_is_not_there_is_not_found_and_deleting_it_is_no_error(
    objects: Objects,
) -> None:
    for call in (objects.get("none"), objects.stat("none"), anext(aiter(objects.stream("none")))):
        with pytest.raises(NotFound) as refused:
            await call
        assert refused.value.reason == "OBJECT_NOT_FOUND"
    await objects.put_once("some", b"x")
    await objects.delete("some")
    await objects.delete("some")
    with pytest.raises(NotFound):
        await objects.get("some")


async def test_keys_are_listed_below_a_prefix(objects: Objects) -> None:
    for key in ("a/1", "a/2", "a/b/3", "ab/4", "c"):
        await objects.put_once(key, key.encode())
    assert await _listed(objects) == ["a/1", "a/2", "a/b/3", "ab/4", "c"]
    assert await _listed(objects, "a") == ["a/1", "a/2", "a/b/3"]
    assert await _listed(objects, "none") == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a#1", "a b",
                                 "ä", "a\x00", "x" * 600])  # fmt: skip
async def test_a_key_that_is_no_plain_path_is_refused(objects: Objects, key: str) -> None:
    for call in (objects.put_once(key, b""), objects.get(key), objects.delete(key)):
        with pytest.raises(InvalidArgument) as refused:
            await call
        assert refused.value.reason == "OBJECT_KEY_INVALID"


async def test_what_is_replaced_is_the_new_content_and_leaves_nothing_beside_it(
    objects: Objects,
) -> None:
    for content in (b"first", b"second, longer", b""):
        await objects.replace("place/last", content)
        assert await objects.get("place/last") == content
    assert await _listed(objects) == ["place/last"]
    with pytest.raises(InvalidArgument):
        await objects.replace("../last", b"")
