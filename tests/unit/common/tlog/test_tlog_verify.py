"""A copied log: what is wrong with it is said exactly."""

from __future__ import annotations

import pytest

from services.common.tlog import Checkpoint, Frontier, NoteError, TileId, leaf_hash, note, tiles
from services.common.tlog.tiles import ENTRIES
from services.common.tlog.verify import LogError, Verified, verify_log
from tests.unit.common.tlog.test_tlog_note import ORIGIN, Signer

SIGNER = Signer()
SIZE = 70_000


def entry(number: int) -> bytes:
    return b"entry %d" % number


def signed(frontier: Frontier, signer: Signer = SIGNER) -> bytes:
    checkpoint = Checkpoint(ORIGIN, frontier.size, frontier.root())
    return note.sealed(checkpoint, [signer.line(checkpoint)])


def a_log(size: int) -> dict[str, bytes]:
    """Return the files of a log as its keeper would publish them."""
    frontier = Frontier()
    files = {}
    for number in range(size):
        for tile in frontier.append(entry(number), leaf_hash(entry(number))):
            files[tile.id.path] = tile.data
    files |= {tile.id.path: tile.data for tile in frontier.partial_tiles()}
    return files | {"checkpoint": signed(frontier)}


LOG = a_log(SIZE)
EARLIER = note.open_checkpoint(a_log(300)["checkpoint"], [SIGNER.key])


async def verify(files: dict[str, bytes], earlier: Checkpoint | None = None) -> Verified:
    async def read(path: str) -> bytes | None:
        return files.get(path)

    return await verify_log(read, [SIGNER.key], earlier=earlier)


async def refused(files: dict[str, bytes], earlier: Checkpoint | None = None) -> LogError:
    with pytest.raises(LogError) as error:
        await verify(files, earlier)
    return error.value


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
async def test_a_log_that_nobody_touched_is_right(size: int) -> None:
    verified = await verify(a_log(size))
    assert (verified.checkpoint.size, verified.entries) == (size, size)


async def test_a_large_log_is_right_and_begins_with_what_was_signed_before() -> None:
    verified = await verify(LOG, EARLIER)
    assert verified.entries == SIZE


async def test_a_rewritten_entry_is_named() -> None:
    path = TileId(ENTRIES, 100).path
    changed = LOG[path].replace(entry(25_610), b"enTry 25610")
    error = await refused(LOG | {path: changed})
    assert (error.reason, error.index, error.path) == ("ENTRY_REWRITTEN", 25_610, path)


async def test_a_rewritten_entry_whose_tile_was_rewritten_too_is_still_found() -> None:
    path, tile = TileId(ENTRIES, 100).path, TileId(0, 100).path
    changed = LOG[path].replace(entry(25_610), b"enTry 25610")
    hashes = tiles.unpack_hashes(LOG[tile])
    hashes[10] = leaf_hash(b"enTry 25610")
    error = await refused(LOG | {path: changed, tile: b"".join(hashes)})
    assert (error.reason, error.path) == ("TILE_REWRITTEN", tile)


async def test_a_rewritten_tile_of_the_edge_is_found() -> None:
    last = TileId(0, SIZE // 256, SIZE % 256).path
    assert (await refused(LOG | {last: b"\0" * len(LOG[last])})).reason == "ROOT_WRONG"


@pytest.mark.parametrize(
    ("tile", "reason"),
    [
        (TileId(0, 7), "TILE_MISSING"),
        (TileId(1, 0), "TILE_MISSING"),
        (TileId(ENTRIES, 7), "ENTRIES_MISSING"),
        (TileId(ENTRIES, SIZE // 256, SIZE % 256), "ENTRIES_MISSING"),
    ],
)
async def test_a_deleted_file_is_named(tile: TileId, reason: str) -> None:
    error = await refused({path: data for path, data in LOG.items() if path != tile.path})
    assert (error.reason, error.path) == (reason, tile.path)


async def test_a_cut_file_is_named() -> None:
    for tile, reason in (
        (TileId(0, 7), "TILE_MALFORMED"),
        (TileId(ENTRIES, 7), "ENTRIES_MALFORMED"),
    ):
        error = await refused(LOG | {tile.path: LOG[tile.path][:-1]})
        assert (error.reason, error.path) == (reason, tile.path)
    assert (await refused({})).reason == "CHECKPOINT_MISSING"


async def test_an_older_checkpoint_in_its_place_is_a_log_that_shrank() -> None:
    shrunk = a_log(200)
    assert (await verify(shrunk)).entries == 200
    assert (await refused(shrunk, EARLIER)).reason == "LOG_SHRUNK"
    # Its files are still those of the larger log: alone it does not show.
    assert (
        await refused(LOG | {"checkpoint": shrunk["checkpoint"]}, EARLIER)
    ).reason == "LOG_SHRUNK"


async def test_another_history_with_a_good_signature_is_a_fork() -> None:
    frontier, files = Frontier(), {}
    for number in range(400):
        data = entry(number + 1)
        files.update({tile.id.path: tile.data for tile in frontier.append(data, leaf_hash(data))})
    files |= {tile.id.path: tile.data for tile in frontier.partial_tiles()}
    files["checkpoint"] = signed(frontier)
    assert (await verify(files)).entries == 400
    assert (await refused(files, EARLIER)).reason == "LOG_FORKED"


async def test_a_checkpoint_by_a_key_that_was_not_given_is_refused() -> None:
    foreign = signed(Frontier(), Signer(2))
    with pytest.raises(NoteError) as error:
        await verify(LOG | {"checkpoint": foreign})
    assert error.value.reason == "CHECKPOINT_KEY_UNKNOWN"


async def test_a_partial_tile_may_be_replaced_by_the_full_one() -> None:
    files = a_log(512) | a_log(300)
    for tile in (TileId(0, 1, 44), TileId(ENTRIES, 1, 44)):
        del files[tile.path]
    assert (await verify(files)).entries == 300
