"""The signed tree: it grows, it survives being killed anywhere, and it refuses another past."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest

from services.audit.domain.tree import LogRefused
from services.audit.usecases.grow_tree import GrowTree
from services.audit.usecases.keep_tree import KeepTree
from services.audit.usecases.prove import Prove
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound, PlatformError
from services.common.tlog import (
    Checkpoint,
    TileId,
    leaf_hash,
    merkle,
    open_checkpoint,
    root_of,
)
from services.common.tlog.verify import LogError, Verified, verify_log
from tests.fakes.audit import (
    ORIGIN,
    FakeActs,
    FakeCheckpoints,
    FakeFiles,
    FakeLog,
    FakeSigner,
    Killed,
    Steps,
)
from tests.fakes.clock import FakeClock


def entries(start: int, end: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, end)]


@dataclass
class World:
    """A log whose process can be killed and started again."""

    log: FakeLog = field(default_factory=FakeLog)
    steps: Steps = field(default_factory=Steps)
    signer: FakeSigner = field(default_factory=lambda: FakeSigner(1))

    def __post_init__(self) -> None:
        self.checkpoints = FakeCheckpoints(self.steps)
        self.files = FakeFiles(self.steps)
        self.start()

    def start(self) -> None:
        """Start anew: nothing is remembered."""
        self.grow = GrowTree(
            self.log, self.checkpoints, self.files, self.signer, origin=ORIGIN, recheck=1024
        )

    async def verify(self, earlier: Checkpoint | None = None) -> Verified:
        async def read(path: str) -> bytes | None:
            return self.files.files.get(path)

        return await verify_log(read, await self.signer.keys(), earlier=earlier)

    async def refused(self) -> LogRefused:
        """Return why nothing is signed, now and after a start."""
        before = len(self.signer.signed)
        with pytest.raises(LogRefused) as error:
            await self.grow()
        self.start()
        with pytest.raises(LogRefused) as again:
            await self.grow()
        assert (again.value.reason, len(self.signer.signed)) == (error.value.reason, before)
        return error.value


@pytest.fixture
async def world() -> World:
    """A log of 700 signed records."""
    world = World()
    world.log.add(*entries(0, 700))
    assert await world.grow() is not None
    return world


async def test_what_is_new_is_signed_and_what_is_not_is_not(world: World) -> None:
    first = (await world.verify()).checkpoint
    assert first.root == root_of([leaf_hash(each) for each in entries(0, 700)])
    assert await world.grow() is None
    for size in (701, 767, 768, 769, 1500):
        world.log.add(*entries(len(world.log.stored), size))
        if size % 2:
            world.start()
        signed = await world.grow()
        assert signed is not None
        assert (await world.verify(first)).entries == size == signed.size
    # The partial forms of what is full are gone.
    partial = {path for path in world.files.files if ".p/" in path}
    assert not any(path.startswith(("tile/0/002", "tile/entries/002")) for path in partial)


async def test_a_process_killed_at_any_step_leaves_a_log_that_verifies_and_goes_on() -> None:
    killed = 0
    for after_effect in (False, True):
        for step in range(40):
            world = World(steps=Steps(step, after_effect))
            earlier = None
            for size in (300, 512, 513, 900):
                world.log.add(*entries(len(world.log.stored), size))
                try:
                    await world.grow()
                except Killed:
                    killed += 1
                    if world.files.files.get("checkpoint"):
                        earlier = (await world.verify(earlier)).checkpoint
                    world.start()
                    await world.grow()
                earlier = (await world.verify(earlier)).checkpoint
                assert earlier.size == size
            sizes = [signed.size for signed in world.signer.signed]
            assert sizes == sorted(sizes)
    assert killed > 40


async def test_a_rewritten_record_is_refused_and_nothing_is_signed(world: World) -> None:
    for index in (699, 10, 300):
        before = world.log.stored[index]
        world.log.rewrite(index, b"another")
        world.log.add(b"more")
        refused = await world.refused()
        assert (refused.reason, refused.index) == ("RECORD_REWRITTEN", index)
        world.log.stored[index] = before


async def test_a_record_whose_hash_is_not_its_own_is_refused_before_it_is_signed(
    world: World,
) -> None:
    world.log.add(*entries(700, 710))
    world.log.rewrite(705, b"another", hash_too=False)
    refused = await world.refused()
    assert (refused.reason, refused.index) == ("RECORD_REWRITTEN", 705)


async def test_a_truncated_log_is_refused(world: World) -> None:
    del world.log.stored[690:]
    assert (await world.refused()).reason == "LOG_TRUNCATED"
    world.log.stored.clear()
    assert (await world.refused()).reason == "LOG_TRUNCATED"


async def test_a_record_that_is_missing_in_between_is_refused(world: World) -> None:
    world.log.add(*entries(700, 705))
    del world.log.stored[702]
    refused = await world.refused()
    assert (refused.reason, refused.index) == ("LOG_TRUNCATED", 702)


async def test_a_database_restored_from_an_older_backup_is_refused(world: World) -> None:
    records, signed = list(world.log.stored), list(world.checkpoints.added)
    world.log.add(*entries(700, 800))
    await world.grow()
    world.log.stored[:], world.checkpoints.added[:] = records, signed
    assert (await world.refused()).reason == "LOG_SHRUNK"
    # Another history on top does not help.
    world.log.add(*entries(900, 1100))
    assert (await world.refused()).reason == "LOG_SHRUNK"
    world.checkpoints.added.clear()
    assert (await world.refused()).reason == "LOG_SHRUNK"


async def test_a_rewritten_checkpoint_is_refused(world: World) -> None:
    world.checkpoints.rewrite_last(root=b"\0" * 32)
    assert (await world.refused()).reason == "CHECKPOINT_REWRITTEN"
    changed = world.checkpoints.added[-1].note.replace(b"\n700\n", b"\n600\n")
    world.checkpoints.rewrite_last(note=changed)
    assert (await world.refused()).reason == "CHECKPOINT_REWRITTEN"


async def test_a_published_checkpoint_that_is_another_is_refused(world: World) -> None:
    good = world.files.files["checkpoint"]
    for wrong in (b"", good[:-5] + b"AAA=\n", good.replace(b"700", b"699")):
        world.files.files["checkpoint"] = wrong
        assert (await world.refused()).reason == "CHECKPOINT_REPLACED"


async def test_a_published_checkpoint_that_is_missing_or_older_is_published_again(
    world: World,
) -> None:
    older = world.files.files["checkpoint"]
    world.log.add(b"more")
    await world.grow()
    newer = world.files.files["checkpoint"]
    world.files.files["checkpoint"] = older
    assert await world.grow() is None
    assert world.files.files["checkpoint"] == newer
    del world.files.files["checkpoint"]
    assert await world.grow() is None
    assert world.files.files["checkpoint"] == newer


async def test_lost_and_changed_tiles_are_refused(world: World) -> None:
    edge, full = TileId(0, 2, 188).path, TileId(0, 0).path
    kept = dict(world.files.files)
    world.start()
    del world.files.files[edge]
    assert (await world.refused()).reason == "TILE_MISSING"
    world.files.files |= {edge: kept[edge][::-1]}
    assert (await world.refused()).reason == "TREE_REWRITTEN"
    world.files.files |= {edge: kept[edge][:-32]}
    assert (await world.refused()).reason == "TREE_REWRITTEN"
    world.files.files |= {edge: kept[edge], full: kept[full][::-1]}
    # The record is compared with the tile; which of the two was meddled with, the verifier says.
    assert (await world.refused()).reason == "RECORD_REWRITTEN"
    with pytest.raises(LogError) as error:
        await world.verify()
    assert (error.value.reason, error.value.path) == ("TILE_REWRITTEN", full)


async def test_while_the_key_is_rotated_old_and_new_keys_verify_and_a_lost_one_is_said() -> None:
    world = World(signer=FakeSigner(1))
    world.log.add(b"one")
    await world.grow()
    old = await world.signer.keys()
    world.signer = FakeSigner(1, 2)
    world.start()
    world.log.add(b"two")
    assert await world.grow() is not None
    note = world.files.files["checkpoint"]
    for keys in (old, (await world.signer.keys())[1:]):
        assert open_checkpoint(note, keys).size == 2
    world.signer = FakeSigner(3)
    world.start()
    assert (await world.refused()).reason == "CHECKPOINT_KEY_UNKNOWN"


async def test_another_process_that_signed_meanwhile_is_not_overtaken(world: World) -> None:
    other = GrowTree(
        world.log, world.checkpoints, world.files, world.signer, origin=ORIGIN, recheck=0
    )
    world.log.add(b"more")
    assert await other() is not None
    assert await world.grow() is None
    world.log.add(b"and more")
    signed = await world.grow()
    assert signed is not None
    assert (await world.verify()).entries == 702


async def test_proofs_hold_for_every_record_and_the_last_tree(world: World) -> None:
    prove = Prove(world.log, world.checkpoints, world.files, origin=ORIGIN)
    known = uuid4()
    world.log.ids[known] = 333
    signed = (await world.verify()).checkpoint
    for record, index in ((0, 0), (699, 699), (known, 333)):
        proof = await prove.inclusion(record, 0)
        assert (proof.index, proof.size, proof.entry) == (index, 700, entries(index, index + 1)[0])
        leaf = leaf_hash(proof.entry)
        assert merkle.root_from_inclusion(leaf, index, 700, proof.path) == signed.root
        assert open_checkpoint(proof.note, await world.signer.keys()) == signed
    older = await prove.inclusion(5, 300)
    assert (older.size, older.note) == (300, b"")
    world.log.add(b"not signed yet")
    with pytest.raises(FailedPrecondition) as unsigned:
        await prove.inclusion(700, 0)
    assert unsigned.value.reason == "RECORD_NOT_SIGNED"
    for record_id in (701, uuid4()):
        with pytest.raises(NotFound):
            await prove.inclusion(record_id, 0)
    with pytest.raises(InvalidArgument):
        await prove.inclusion(0, 701)


async def test_consistency_is_proved_between_any_two_sizes(world: World) -> None:
    prove = Prove(world.log, world.checkpoints, world.files, origin=ORIGIN)
    for old, new in ((0, 0), (1, 700), (256, 512), (300, 0), (700, 700)):
        proof = await prove.consistency(old, new)
        assert proof.new.size == (new or 700)
        roots = (proof.old.root, proof.new.root)
        assert merkle.is_consistent(old, proof.new.size, *roots, proof.path)
    for old, new in ((2, 1), (1, 701), (701, 0)):
        with pytest.raises(InvalidArgument) as refused:
            await prove.consistency(old, new)
        assert refused.value.reason == "TREE_SIZE_INVALID"


async def test_a_quiet_log_says_that_it_lives_and_an_alarm_rings_until_it_is_right(
    world: World,
) -> None:
    rung: list[str] = []
    late: list[PlatformError] = []
    clock = FakeClock(world.checkpoints.now)
    acts = FakeActs(world.log)
    keep = KeepTree(
        world.grow, world.checkpoints, acts, clock,
        alarm=lambda refused: rung.append(refused.reason if refused else ""),
        late=late.append, interval_s=1, quiet_s=3600,
    )  # fmt: skip
    await keep.once()
    assert (rung, acts.actions) == ([""], [])
    clock.advance(timedelta(hours=1).total_seconds())
    await keep.once()
    assert [action for action, *_ in acts.actions] == ["LOG_QUIET"]
    assert (await world.verify()).entries == 701
    removed = world.log.stored.pop()
    await keep.once()
    world.log.stored.append(removed)
    world.signer.away = True
    world.log.add(b"more")
    await keep.once()
    assert (rung, len(late)) == (["", "", "LOG_TRUNCATED"], 1)
    world.signer.away = False
    await keep.once()
    assert rung[-1] == ""
