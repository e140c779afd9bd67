from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest

from services.common.errors import Aborted, Unavailable
from services.common.postgres import Connection, Database, Limits
from tests.conftest import MakeDatabase
from tests.fakes import databases
from tests.fakes.servers import PostgresServer

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


async def test_a_transaction_commits_at_the_end_and_rolls_back_when_it_raises(
    make_database: MakeDatabase,
) -> None:
    db = await make_database("alpha")
    async with db.transaction() as connection:
        await connection.execute("create temp table t (a int primary key) on commit drop")
    insert = "insert into feed_position (source, partition, epoch, txid, seq) values ($1,0,1,'1',1)"
    async with db.transaction() as connection:
        await connection.execute(insert, "kept")
    with pytest.raises(RuntimeError):
        async with db.transaction() as connection:
            await connection.execute(insert, "lost")
            raise RuntimeError
    assert await db.fetchval("select array_agg(source) from feed_position") == ["kept"]


async def test_a_savepoint_survives_a_violated_constraint(make_database: MakeDatabase) -> None:
    db = await make_database("alpha")
    insert = "insert into feed_position (source, partition, epoch, txid, seq) values ($1,0,1,'1',1)"
    async with db.transaction() as connection:
        await connection.execute(insert, "one")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.savepoint():
                await connection.execute(insert, "one")
        await connection.execute(insert, "two")
    assert await db.fetchval("select count(*) from feed_position") == 2


async def test_on_commit_runs_after_the_commit_and_not_after_a_rollback(
    make_database: MakeDatabase,
) -> None:
    db = await make_database("alpha")
    calls: list[str] = []
    async with db.transaction() as connection:
        connection.on_commit(lambda: calls.append("committed"))
        assert calls == []
    with pytest.raises(RuntimeError):
        async with db.transaction() as connection:
            connection.on_commit(lambda: calls.append("rolled back"))
            raise RuntimeError
    assert calls == ["committed"]


async def test_no_free_connection_is_unavailable(postgres_server: PostgresServer) -> None:
    limits = Limits(acquire_s=0.05)
    async with databases.database(postgres_server, "alpha", limits=limits, pool_max=1) as db:
        async with db.transaction():
            with pytest.raises(Unavailable) as refused:
                await db.fetchval("select 1")
        assert refused.value.reason == "DATABASE_UNAVAILABLE"
        assert refused.value.retry_after_s
        assert await db.fetchval("select 1") == 1


async def test_a_statement_that_takes_too_long_is_unavailable(
    postgres_server: PostgresServer,
) -> None:
    async with databases.database(postgres_server, "alpha", limits=Limits(statement_s=0.1)) as db:
        with pytest.raises(Unavailable):
            await db.fetchval("select pg_sleep(5)")
        with pytest.raises(Unavailable):
            async with db.transaction() as connection:
                await connection.execute("select 1")
                await asyncio.sleep(0.4)
                await connection.execute("select 1")
        assert await db.fetchval("select 1") == 1


async def test_a_transaction_that_takes_too_long_is_unavailable(
    postgres_server: PostgresServer,
) -> None:
    async with databases.database(postgres_server, "alpha", limits=Limits(transaction_s=0.3)) as db:
        with pytest.raises(Unavailable):
            async with db.transaction() as connection:
                for _ in range(20):
                    await connection.execute("select pg_sleep(0.05)")
        assert await db.fetchval("select 1") == 1


async def test_a_killed_connection_is_unavailable_and_the_pool_goes_on(
    make_database: MakeDatabase, postgres_admin_dsn: str
) -> None:
    db = await make_database("alpha")
    admin = await asyncpg.connect(postgres_admin_dsn)
    try:
        with pytest.raises(Unavailable):
            async with db.transaction() as connection:
                pid = await connection.fetchval("select pg_backend_pid()")
                await admin.execute("select pg_terminate_backend($1)", pid)
                await asyncio.sleep(0.05)
                await connection.fetchval("select 1")
    finally:
        await admin.close()
    assert await db.fetchval("select 1") == 1


async def test_a_serialization_conflict_is_aborted(make_database: MakeDatabase) -> None:
    db = await make_database("alpha")
    insert = "insert into feed_position (source, partition, epoch, txid, seq) values ($1,0,1,'1',1)"
    await db.execute(insert, "row")
    update = "update feed_position set epoch = epoch + 1"
    with pytest.raises(Aborted) as refused:
        async with db.transaction(isolation="repeatable_read") as mine:
            await mine.fetchval("select count(*) from feed_position")
            async with db.transaction() as other:
                await other.execute(update)
            await mine.execute(update)
    assert refused.value.reason == "DATABASE_CONFLICT"


async def test_a_wrong_password_file_or_server_is_unavailable(
    postgres_server: PostgresServer,
) -> None:
    config = databases.config_of(postgres_server, "nowhere", "alpha")
    await databases.make_roles(postgres_server, "alpha")
    db = Database(config, service="alpha", limits=Limits(connect_s=0.1))
    await db.open()  # An empty pool connects when it is used.
    with pytest.raises((Unavailable, asyncpg.InvalidCatalogNameError)):
        await db.fetchval("select 1")
    await db.close()


async def test_a_service_cannot_change_its_feed_or_its_migrations(
    make_database: MakeDatabase,
) -> None:
    db = await make_database("alpha")
    for statement in (
        "delete from feed",
        "update feed set payload = ''",
        "insert into feed_epoch (epoch, first_seq) values (9, 9)",
        "delete from schema_migration",
        "create table own (a int)",
        "select feed_begin_epoch()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(statement)


async def test_what_waits_for_the_end_is_done_once_inside_the_transaction(
    make_database: MakeDatabase,
) -> None:
    database = await make_database("identity")
    written: list[list[str]] = []

    async def write(connection: Connection, items: Sequence[str]) -> None:
        written.append(list(items))
        if "bad" in items:
            raise RuntimeError
        await connection.execute("insert into feed_position values ($1, 0, 1, '1', 1)", items[0])

    async with database.transaction() as connection:
        connection.at_end(write, "one")
        with suppress(ZeroDivisionError):
            async with connection.savepoint():
                connection.at_end(write, "undone")
                raise ZeroDivisionError
        connection.at_end(write, "two")
        assert written == []
    assert written == [["one", "two"]]
    assert await database.fetchval("select count(*) from feed_position where source = 'one'") == 1
    with pytest.raises(RuntimeError):
        async with database.transaction() as connection:
            await connection.execute("insert into feed_position values ('three', 0, 1, '1', 1)")
            connection.at_end(write, "bad")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            connection.at_end(write, "never")
            raise ZeroDivisionError
    assert written[1:] == [["bad"]]
    assert await database.fetchval("select count(*) from feed_position where source = 'three'") == 0
