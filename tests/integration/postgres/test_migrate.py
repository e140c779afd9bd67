from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.common.errors import FailedPrecondition
from services.common.postgres import migrate, migration_status
from tests.fakes import databases
from tests.fakes.servers import PostgresServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

SHARED = ["0001_pre_feed.sql", "0002_pre_feed_publish_all.sql", "0001_pre_rotation.sql"]


@pytest.fixture
async def dsn(postgres_server: PostgresServer) -> AsyncIterator[str]:
    await databases.make_roles(postgres_server, "alpha")
    name = await databases.make_empty(postgres_server, "alpha")
    yield postgres_server.dsn(name)
    await databases.drop(postgres_server, name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_pre_thing.sql").write_text("create table thing (a int primary key);")
    (tmp_path / "0002_post_thing_label.sql").write_text(
        "alter table thing add column label text; update thing set label = '';"
    )
    return tmp_path


async def _migrate(dsn: str, folder: Path, **options: object) -> list[str]:
    ran = await migrate(dsn, schema="alpha", role="alpha", folder=folder, **options)  # type: ignore[arg-type]
    return [migration.file for migration in ran]


async def test_the_shared_then_the_service_and_nothing_the_second_time(
    dsn: str, folder: Path
) -> None:
    first = await _migrate(dsn, folder)
    assert first == [*SHARED, "0001_pre_thing.sql", "0002_post_thing_label.sql"]
    assert await _migrate(dsn, folder) == []


async def test_phases_run_apart(dsn: str, folder: Path) -> None:
    assert await _migrate(dsn, folder, phase="pre") == [*SHARED, "0001_pre_thing.sql"]
    assert await _migrate(dsn, folder, phase="post") == ["0002_post_thing_label.sql"]


async def test_a_dry_run_lists_and_changes_nothing(dsn: str, folder: Path) -> None:
    assert len(await _migrate(dsn, folder, dry_run=True)) == len(SHARED) + 2
    status = await migration_status(dsn, schema="alpha", folder=folder)
    assert [each.applied_at for each in status] == [None] * (len(SHARED) + 2)
    await _migrate(dsn, folder)
    status = await migration_status(dsn, schema="alpha", folder=folder)
    assert all(each.applied_at for each in status)


async def test_a_changed_file_is_refused(dsn: str, folder: Path) -> None:
    await _migrate(dsn, folder)
    (folder / "0001_pre_thing.sql").write_text("create table thing (a bigint primary key);")
    with pytest.raises(FailedPrecondition) as refused:
        await _migrate(dsn, folder)
    assert refused.value.reason == "MIGRATION_CHANGED"
    assert refused.value.metadata["file"] == "0001_pre_thing.sql"


async def test_two_at_once_run_each_file_once(dsn: str, folder: Path) -> None:
    outcomes = await asyncio.gather(*(_migrate(dsn, folder) for _ in range(3)))
    assert sorted(map(len, outcomes)) == [0, 0, len(SHARED) + 2]


async def test_a_failing_file_leaves_nothing_of_itself(dsn: str, folder: Path) -> None:
    (folder / "0003_pre_broken.sql").write_text("create table half (a int); select 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _migrate(dsn, folder)
    status = await migration_status(dsn, schema="alpha", folder=folder)
    assert [each.file for each in status if each.applied_at is None] == ["0003_pre_broken.sql"]
    (folder / "0003_pre_broken.sql").write_text("create table half (a int);")
    assert await _migrate(dsn, folder) == ["0003_pre_broken.sql"]


async def test_a_migration_waits_for_a_lock_in_short_turns(dsn: str, folder: Path) -> None:
    await _migrate(dsn, folder, phase="pre")
    reader = await asyncpg.connect(dsn)
    try:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("select * from alpha.thing")
        migration = asyncio.create_task(_migrate(dsn, folder))
        await asyncio.sleep(0.5)
        # The migration does not stand in the queue for the lock: others go on.
        other = await asyncpg.connect(dsn)
        async with asyncio.timeout(1):
            await other.fetch("select * from alpha.thing")
        await other.close()
        assert not migration.done()
        await transaction.rollback()
        assert await migration == ["0002_post_thing_label.sql"]
    finally:
        await reader.close()


async def test_a_schema_in_another_cluster_begins_a_new_epoch(dsn: str, folder: Path) -> None:
    await _migrate(dsn, folder)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("update alpha.feed_epoch set system_identifier = 1")
        await _migrate(dsn, folder)
        await _migrate(dsn, folder)
        assert await connection.fetchval("select max(epoch) from alpha.feed_epoch") == 2
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["1_pre_x.sql", "0001_x.sql", "0001_pre_X.sql"])
async def test_a_misnamed_file_is_refused(dsn: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1")
    with pytest.raises(ValueError, match="misnamed"):
        await _migrate(dsn, tmp_path)
