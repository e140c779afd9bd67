"""What a folder adds: the order in which things reach the disk, and leftovers of the killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from services.common.errors import AlreadyExists, Unavailable
from services.common.objects import ObjectStore

# More than is written at once.
LARGE = bytes(2 << 20)

WRITER = """
import asyncio, sys
from services.common.objects import ObjectStore

async def chunks():
    for _ in range(1000):
        yield b"x" * (1 << 20)
        print("wrote", flush=True)

async def main():
    async with ObjectStore(sys.argv[1]) as objects:
        await objects.put_once("a/big", chunks())

asyncio.run(main())
"""


async def test_bytes_then_name_then_folders_are_on_disk_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, link = os.fsync, os.link

    def noted_fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        name = "bytes" if "#" in path.name else str(path.relative_to(tmp_path))
        events.append(f"fsync {name}")
        fsync(descriptor)

    def noted_link(source: Path, target: Path) -> None:
        events.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    async with ObjectStore(f"file://{tmp_path}/o") as objects:
        await objects.put_once("a/b/key", b"x")
        assert events == ["fsync o", "fsync o/a", "fsync bytes", "link", "fsync o/a/b"]
        events.clear()
        await objects.put_once("a/b/key", b"x")
        assert events == ["fsync bytes", "link", "fsync o/a/b/key", "fsync o/a/b"]
    async with ObjectStore(f"file://{tmp_path}/o") as objects:
        events.clear()
        # Somebody else made the folders and the file, perhaps without having synced them yet.
        await objects.put_once("a/b/key", b"x")
        assert events == [
            "fsync o/a", "fsync o", "fsync bytes", "link", "fsync o/a/b/key", "fsync o/a/b",
        ]  # fmt: skip


async def test_a_torn_file_of_the_same_name_is_not_taken_for_the_object(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"torn")
    async with ObjectStore(f"file://{tmp_path}") as objects:
        with pytest.raises(AlreadyExists):
            await objects.put_once("key", b"torn and the rest")


async def test_a_killed_writer_leaves_no_object_and_its_leftover_is_swept(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/o"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.rglob("*#*"))) == 1
    async with ObjectStore(url) as objects:
        assert [key async for key in objects.list()] == []
        # One that may be under way is left alone.
        assert len(list(tmp_path.rglob("*#*"))) == 1
        assert await objects.sweep(older_than_s=-1) == 1
        assert list(tmp_path.rglob("*#*")) == []
        assert (await objects.put_once("a/big", b"now")).size == 3


async def test_a_full_disk_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    async with ObjectStore(f"file://{tmp_path}") as objects:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Unavailable) as refused:
            await objects.put_once("key", b"x")
        assert refused.value.metadata["cause"] == "ENOSPC"
        monkeypatch.undo()
        assert list(tmp_path.iterdir()) == []
        await objects.put_once("key", b"x")


async def test_objects_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    async with ObjectStore(f"file://{tmp_path}/o") as objects:
        await objects.put_once("a/key", b"x")
    assert (tmp_path / "o/a/key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "o/a").stat().st_mode & 0o777 == 0o700


async def test_a_cancelled_put_closes_its_file_only_when_its_thread_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the thread would write into whatever file has that number next."""
    events: list[str] = []
    write, close = os.write, os.close
    writing = threading.Event()

    def slow_write(descriptor: int, data: bytes) -> int:
        writing.set()
        time.sleep(0.1)
        written = write(descriptor, data)
        events.append("written")
        return written

    def noted_close(descriptor: int) -> None:
        events.append("closed")
        close(descriptor)

    async with ObjectStore(f"file://{tmp_path}") as objects:
        monkeypatch.setattr(os, "write", slow_write)
        put = asyncio.create_task(objects.put_once("key", LARGE))
        await asyncio.to_thread(writing.wait)
        monkeypatch.setattr(os, "close", noted_close)
        put.cancel()
        with pytest.raises(asyncio.CancelledError):
            await put
        monkeypatch.undo()
    assert events[:2] == ["written", "closed"]
    assert list(tmp_path.iterdir()) == []


async def test_a_put_that_is_cancelled_while_its_file_is_made_leaves_none_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    opening = threading.Event()
    open_ = os.open

    def slow_open(path: str, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            opening.set()
            time.sleep(0.1)
            made.append(open_(path, flags, *more))
            return made[-1]
        return open_(path, flags, *more)

    async with ObjectStore(f"file://{tmp_path}") as objects:
        monkeypatch.setattr(os, "open", slow_open)
        put = asyncio.create_task(objects.put_once("key", LARGE))
        await asyncio.to_thread(opening.wait)
        put.cancel()
        with pytest.raises(asyncio.CancelledError):
            await put
        monkeypatch.undo()
    [file] = made
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    assert list(tmp_path.iterdir()) == []


async def test_a_small_put_that_is_cancelled_is_whole_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Event()
    write = os.write

    def slow_write(descriptor: int, data: bytes) -> int:
        writing.set()
        time.sleep(0.1)
        return write(descriptor, data)

    async with ObjectStore(f"file://{tmp_path}") as objects:
        monkeypatch.setattr(os, "write", slow_write)
        put = asyncio.create_task(objects.put_once("key", b"x"))
        await asyncio.to_thread(writing.wait)
        put.cancel()
        with pytest.raises(asyncio.CancelledError):
            await put
        monkeypatch.undo()
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"x"]
        assert (await objects.put_once("key", b"x")).size == 1
