"""The signed log on the real database, disk and key service, and every way to tamper with it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from services.audit import convert
from services.audit.clients.files import ObjectFiles
from services.audit.clients.personal import VaultPersonalOpener
from services.audit.clients.signing import KEY, VaultSigner
from services.audit.domain.record import SearchFilter
from services.audit.domain.tree import LogRefused, Refusals
from services.audit.ports import CheckpointSigner
from services.audit.store.checkpoints import PostgresCheckpoints
from services.audit.store.log import Log
from services.audit.store.own_acts import PostgresOwnActs, PostgresRefusals
from services.audit.store.personal import PostgresPersonal
from services.audit.usecases.grow_tree import GrowTree
from services.audit.usecases.personal import ErasePersonal, OpenPersonal
from services.common import audit
from services.common.audit import PersonalSealer
from services.common.errors import NotFound
from services.common.objects import ObjectStore
from services.common.postgres import Database
from services.common.tlog import Checkpoint, leaf_hash
from services.common.tlog.verify import Verified, verify_log
from tests.conftest import MakeDatabase, MakeVaultClient
from tests.fakes import databases
from tests.fakes.audit import ORIGIN, FakeSigner
from tests.fakes.servers import PostgresServer, VaultServer
from tests.integration.audit.keep_process import read

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


def acts(count: int, action: str = "TESTED") -> list[audit.Act]:
    return [
        audit.act_of("identity", action, "test", b"\x01", audit.Outcome.SUCCEEDED)
        for _ in range(count)
    ]


@dataclass
class Keeper:
    """The service's parts on one database and folder."""

    database: Database
    folder: Path
    objects: ObjectStore
    signer: CheckpointSigner
    admin_dsn: str

    def __post_init__(self) -> None:
        self.log = Log(self.database, read)
        self.checkpoints = PostgresCheckpoints(self.database)
        self.files = ObjectFiles(self.objects)
        self.start()

    def start(self) -> None:
        self.grow = GrowTree(
            self.log, self.checkpoints, self.files, self.signer, origin=ORIGIN, recheck=1024
        )

    async def append(self, *given: audit.Act) -> None:
        async with self.database.transaction() as connection:
            await self.log.append(connection, list(map(convert.act_from_event, given)))

    async def verify(self, earlier: Checkpoint | None = None) -> Verified:
        return await verify_folder(self.folder, self.signer, earlier)

    async def tamper(self, *statements: str) -> None:
        """Do what only the owner of the database can: get past the trigger."""
        name = await self.database.fetchval("select current_database()")
        administrator = await asyncpg.connect(self.admin_dsn, database=name)
        try:
            await administrator.execute("set search_path to audit")
            await administrator.execute("set session_replication_role to replica")
            for statement in statements:
                await administrator.execute(statement)
        finally:
            await administrator.close()

    async def refused(self) -> str:
        with pytest.raises(LogRefused) as error:
            await self.grow()
        return error.value.reason


async def verify_folder(
    folder: Path, signer: CheckpointSigner, earlier: Checkpoint | None = None
) -> Verified:
    async def file(path: str) -> bytes | None:
        place = folder / path
        return place.read_bytes() if place.is_file() else None

    return await verify_log(file, await signer.keys(), earlier=earlier)


@asynccontextmanager
async def keeping(
    database: Database, folder: Path, signer: CheckpointSigner, admin_dsn: str
) -> AsyncIterator[Keeper]:
    async with ObjectStore(folder.as_uri()) as objects:
        yield Keeper(database, folder, objects, signer, admin_dsn)


@pytest.fixture
async def keeper(
    make_database: MakeDatabase, postgres_admin_dsn: str, tmp_path: Path
) -> AsyncIterator[Keeper]:
    database = await make_database("audit")
    async with keeping(database, tmp_path / "log", FakeSigner(1), postgres_admin_dsn) as keeper:
        await keeper.append(*acts(600))
        assert await keeper.grow() is not None
        yield keeper


async def test_the_log_lies_in_files_that_verify_with_the_public_key_alone(keeper: Keeper) -> None:
    first = (await keeper.verify()).checkpoint
    await keeper.append(*acts(200))
    await keeper.grow()
    assert (await keeper.verify(first)).entries == 800
    rows = await keeper.log.entries(0, 800)
    assert [row.leaf_hash for row in rows] == [leaf_hash(row.canonical) for row in rows]
    assert sorted(path.name for path in (keeper.folder / "tile" / "0").iterdir()) == [
        "000", "001", "002", "002.p", "003.p",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update record set canonical = '\\x00' where index = 10", "RECORD_REWRITTEN"),
        (
            "update record set canonical = '\\x00', leaf_hash = sha256('\\x0000'::bytea)"
            " where index = 10",
            "RECORD_REWRITTEN",
        ),
        ("delete from record where index >= 590", "LOG_TRUNCATED"),
        ("truncate record", "LOG_TRUNCATED"),
        ("delete from checkpoint", "LOG_SHRUNK"),
        ("update checkpoint set root = sha256('other')", "CHECKPOINT_REWRITTEN"),
    ],
)
async def test_a_database_that_was_rewritten_gets_no_signature(
    keeper: Keeper, statement: str, reason: str
) -> None:
    await keeper.tamper(statement, "update log_size set size = (select count(*) from record)")
    assert await keeper.refused() == reason
    keeper.start()
    assert await keeper.refused() == reason
    # What was published is still what it was.
    assert (await keeper.verify()).entries == 600


async def test_a_database_restored_from_an_older_backup_gets_no_signature(keeper: Keeper) -> None:
    await keeper.append(*acts(100))
    await keeper.grow()
    published = (await keeper.verify()).checkpoint
    await keeper.tamper(
        "delete from checkpoint where size > 600",
        "delete from record where index >= 600",
        "update log_size set size = 600",
    )
    assert await keeper.refused() == "LOG_SHRUNK"
    await keeper.append(*acts(300, "OTHERWISE"))
    keeper.start()
    assert await keeper.refused() == "LOG_SHRUNK"
    assert (await keeper.verify(published)).entries == 700


async def test_a_process_that_is_killed_again_and_again_keeps_every_signed_checkpoint(
    make_database: MakeDatabase, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = await make_database("audit")
    name = await database.fetchval("select current_database()")
    arguments = json.dumps(
        {
            "postgres": dataclasses.asdict(databases.config_of(postgres_server, name, "audit")),
            "objects": (tmp_path / "log").as_uri(),
        }
    )
    signer, earlier = FakeSigner(1), None
    for pause_s in (0.0, 0.013, 0.007, 0.021):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.audit.keep_process", arguments,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            for _ in range(3):
                assert await asyncio.wait_for(process.stdout.readline(), 60)
            await asyncio.sleep(pause_s)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        verified = await verify_folder(tmp_path / "log", signer, earlier)
        assert verified.entries > (earlier.size if earlier else 0)
        earlier = verified.checkpoint
    async with keeping(database, tmp_path / "log", signer, "") as keeper:
        await keeper.append(*acts(1))
        assert await keeper.grow() is not None
        assert (await keeper.verify(earlier)).entries == await keeper.log.size()


@pytest.mark.vault
async def test_vault_signs_and_a_rotated_key_overlaps_until_it_is_retired(
    make_database: MakeDatabase,
    vault_client: MakeVaultClient,
    vault_server: VaultServer,
    tmp_path: Path,
) -> None:
    database = await make_database("audit")
    signer = VaultSigner(await vault_client("audit"), origin=ORIGIN)
    old = await signer.keys()
    async with keeping(database, tmp_path / "log", signer, "") as keeper:
        await keeper.append(*acts(3))
        await keeper.grow()
        vault_server.call("POST", f"core/transit/keys/{KEY.rpartition('/')[2]}/rotate", {})
        # A login of its own, which has not yet read the public keys.
        keeper.signer = signer = VaultSigner(await vault_client("audit"), origin=ORIGIN)
        keeper.start()
        both = await signer.keys()
        assert both[: len(old)] == old
        await keeper.append(*acts(3))
        await keeper.grow()
        note = (tmp_path / "log" / "checkpoint").read_bytes()
        assert note.count("—".encode()) == 2

        async def file(path: str) -> bytes | None:
            return (tmp_path / "log" / path).read_bytes()

        for keys in (old, both[-1:]):
            assert (await verify_log(file, keys)).entries == 6
        config = {"min_decryption_version": len(both), "min_encryption_version": len(both)}
        vault_server.call("POST", f"core/transit/keys/{KEY.rpartition('/')[2]}/config", config)
        keeper.signer = VaultSigner(await vault_client("audit"), origin=ORIGIN)
        keeper.start()
        await keeper.append(*acts(1))
        assert await keeper.grow() is not None
        assert (await verify_log(file, both[-1:])).entries == 7


@pytest.mark.vault
async def test_what_a_record_says_about_people_is_opened_by_audit_alone_and_erased_for_good(
    make_database: MakeDatabase, vault_client: MakeVaultClient, tmp_path: Path
) -> None:
    database = await make_database("audit")
    sealer = PersonalSealer(await vault_client("identity"))
    sealed = [await sealer.seal({"reason": "Amina asked"}) for _ in range(2)]
    said = [
        audit.act_of(
            "identity", "IDENTITY_STATE_SET", "identity", b"\x02" * 16, audit.Outcome.SUCCEEDED,
            personal=each,
        )
        for each in sealed
    ]  # fmt: skip
    opener = VaultPersonalOpener(await vault_client("audit"))
    async with keeping(database, tmp_path / "log", FakeSigner(1), "") as keeper:
        acts_of = PostgresOwnActs(database, keeper.log)
        boxes = PostgresPersonal(database, acts_of)
        open_personal = OpenPersonal(boxes, opener, acts_of)
        await keeper.append(*acts(1), *said)
        await keeper.grow()
        audit_id = UUID(bytes=sealed[0].audit_id)
        salt, fields = await open_personal(audit_id, "file-7")
        assert (len(salt), fields) == (32, {"reason": "Amina asked"})
        assert await ErasePersonal(boxes)("identity", b"\x02" * 16) == 2
        assert await ErasePersonal(boxes)("identity", b"\x02" * 16) == 0
        for each in sealed:
            with pytest.raises(NotFound) as erased:
                await open_personal(UUID(bytes=each.audit_id), "file-7")
            assert erased.value.reason == "PERSONAL_ERASED"
        with pytest.raises(NotFound) as never:
            await open_personal(UUID(bytes=b"\x09" * 16), "file-7")
        assert never.value.reason == "PERSONAL_NOT_FOUND"
        # The same events again bring nothing back.
        await keeper.append(*said)
        assert await boxes.find(audit_id) == (None, True)
        await keeper.grow()
        seen: list[bytes] = []

        async def file(path: str) -> bytes | None:
            return (tmp_path / "log" / path).read_bytes()

        await verify_log(file, await keeper.signer.keys(), visit=lambda _, e: seen.append(e))
        log = b"".join(seen)
        assert sealed[0].commitment in log
        assert b"Amina" not in log
        assert sealed[0].sealed not in log
        recorded = [read(entry).action for entry in seen[3:]]
        assert recorded == ["PERSONAL_OPENED", *["PERSONAL_ERASED"] * 2, *["PERSONAL_OPENED"] * 3]


async def test_a_report_of_refusals_is_recorded_once(keeper: Keeper) -> None:
    refusals = PostgresRefusals(keeper.database, keeper.log)
    now = await keeper.database.fetchval("select now()")
    report = [
        Refusals("bank-1", "IDA-MPA-009", 17, now, now, "request-1"),
        Refusals("", "IDA-MPA-008", 4_000, now, now, "request-2"),
    ]
    for _ in range(2):
        await refusals.append(UUID(int=7), report)
    assert await keeper.log.size() == 602
    [stranger, bank] = await keeper.log.search(
        SearchFilter(service="gateway"), below_index=None, limit=9
    )
    assert bank.act.details["count"] == "17"
    assert (bank.act.actor_id, bank.act.correlation_id) == ("bank-1", "request-1")
    assert stranger.act.details["reason"] == "IDA-MPA-008"
