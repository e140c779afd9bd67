"""Schema migrations: numbered SQL files, each one short transaction, safe to run by two at once.

`NNNN_pre_what.sql` runs before the new code is rolled out and must suit the old code too;
`NNNN_post_what.sql` runs after the last old process is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias, cast

import asyncpg

from services.common import telemetry
from services.common.errors import FailedPrecondition, Unavailable
from services.common.postgres.connection import Record
from services.common.postgres.translate import translated

Phase = Literal["pre", "post"]
# asyncpg's classes are generic only in its stubs.
_Raw: TypeAlias = "asyncpg.Connection[Record]"

_LOG = telemetry.get_logger(__name__)
_FILE = re.compile(r"^(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+\.sql$")
_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
# The tables of every schema come from here, before the service's own.
_SHARED = (
    ("feed", Path(__file__).parent.parent / "feed" / "migrations"),
    ("rotation", Path(__file__).parent.parent / "rotation" / "migrations"),
)

# A migration waits this long for a lock, then lets the traffic behind it go on and tries again.
_LOCK_TIMEOUT_MS = 100
_STATEMENT_TIMEOUT_MS = 10_000
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Migration:
    """One file: where it is from, what it holds, and when it ran, if it did."""

    source: str
    file: str
    phase: Phase
    sha256: bytes
    sql: str
    applied_at: datetime | None = None


async def migrate(
    admin_dsn: str,
    *,
    schema: str,
    role: str,
    folder: Path | None,
    phase: Phase | Literal["all"] = "all",
    owner: str = "idmesh_owner",
    dry_run: bool = False,
) -> list[Migration]:
    """Bring a schema up to the files; return those that ran (dry_run: that would run).

    The schema and its objects belong to owner; role, which must exist, gets USAGE and DML.
    admin_dsn's login is owner or may become it.

    Raises:
        FailedPrecondition: MIGRATION_CHANGED, a file that ran has another content now.
        Unavailable: MIGRATION_BLOCKED, a lock was not free for a minute; DATABASE_UNAVAILABLE.
    """
    _check_identifiers(schema, role, owner)
    wanted = read_migrations(folder)
    async with _connected(admin_dsn) as connection:
        if dry_run:
            known = await _applied(connection, schema)
            return [each for each in _matched(wanted, known) if _due(each, phase)]
        async with _alone(connection, schema):
            await _prepare(connection, schema, role, owner)
            known = await _applied(connection, schema)
            due = [each for each in _matched(wanted, known) if _due(each, phase)]
            for migration in due:
                await _apply(connection, schema, owner, migration)
            await _settle_feed(connection, schema, role, owner, fresh=bool(due))
    return due


async def migration_status(admin_dsn: str, *, schema: str, folder: Path | None) -> list[Migration]:
    """Return every file in the order in which they run, with when it ran."""
    _check_identifiers(schema)
    async with _connected(admin_dsn) as connection:
        return _matched(read_migrations(folder), await _applied(connection, schema))


def read_migrations(folder: Path | None) -> list[Migration]:
    """Return the shared files, then the service's, by number.

    Raises:
        ValueError: a file is misnamed, or a number stands twice.
    """
    found: list[Migration] = []
    for source, path in [*_SHARED, *([("service", folder)] if folder is not None else [])]:
        numbers: set[str] = set()
        for file in sorted(path.glob("*.sql")):
            name = _FILE.match(file.name)
            if name is None or name["number"] in numbers:
                raise ValueError(f"{file.name}: misnamed, or its number stands twice")
            numbers.add(name["number"])
            text = file.read_bytes()
            digest = hashlib.sha256(text).digest()
            phase = cast(Phase, name["phase"])
            found.append(Migration(source, file.name, phase, digest, text.decode()))
    return found


def _check_identifiers(*names: str) -> None:
    for name in names:
        if not _IDENTIFIER.match(name):
            raise ValueError(f"not a plain SQL name: {name!r}")


def _due(migration: Migration, phase: Phase | Literal["all"]) -> bool:
    return migration.applied_at is None and phase in ("all", migration.phase)


def _matched(
    wanted: list[Migration], known: dict[tuple[str, str], tuple[bytes, datetime]]
) -> list[Migration]:
    """Return the files with when they ran; refuse one that was changed since."""
    matched: list[Migration] = []
    for migration in wanted:
        applied = known.get((migration.source, migration.file))
        if applied is not None and applied[0] != migration.sha256:
            raise FailedPrecondition(
                "MIGRATION_CHANGED",
                "A migration that ran was changed since; write a new one instead.",
                metadata={"file": migration.file, "source": migration.source},
            )
        matched.append(replace(migration, applied_at=applied[1] if applied else None))
    return matched


@asynccontextmanager
async def _connected(admin_dsn: str) -> AsyncIterator[_Raw]:
    with translated():
        connection = await asyncpg.connect(
            admin_dsn, timeout=10, server_settings={"application_name": "idmesh-migrate"}
        )
    try:
        yield connection
    finally:
        with translated():
            await connection.close(timeout=5)


@asynccontextmanager
async def _alone(connection: _Raw, schema: str) -> AsyncIterator[None]:
    """Hold the schema's migration lock; polled, so that no statement waits for long."""
    key = int.from_bytes(hashlib.sha256(f"idmesh.migrate.{schema}".encode()).digest()[:8], "big")
    key -= 1 << 63
    for _ in range(round(_PATIENCE_S * 10)):
        if await connection.fetchval("select pg_try_advisory_lock($1)", key):
            break
        await asyncio.sleep(0.1)
    else:
        raise _blocked("another migration runs")
    try:
        yield
    finally:
        await connection.execute("select pg_advisory_unlock($1)", key)


async def _prepare(connection: _Raw, schema: str, role: str, owner: str) -> None:
    """Make the schema, its rights and the table of applied files; a no-op the second time."""
    exists = await connection.fetchval(
        "select true from pg_tables where schemaname = $1 and tablename = 'schema_migration'",
        schema,
    )
    if exists:
        return
    defaults = f"alter default privileges for role {owner} in schema {schema}"
    async with connection.transaction():
        # The names were checked to be plain.
        await connection.execute(
            f"""
            create schema if not exists {schema} authorization {owner};
            set local role {owner};
            grant usage on schema {schema} to {role};
            {defaults} grant select, insert, update, delete on tables to {role};
            {defaults} grant usage, select on sequences to {role};
            create table if not exists {schema}.schema_migration (
                source text not null,
                file text not null,
                sha256 bytea not null,
                applied_at timestamptz not null default clock_timestamp(),
                primary key (source, file)
            );
            revoke insert, update, delete on {schema}.schema_migration from {role};
            """  # noqa: S608
        )


async def _applied(connection: _Raw, schema: str) -> dict[tuple[str, str], tuple[bytes, datetime]]:
    try:
        rows = await connection.fetch(
            f"select source, file, sha256, applied_at from {schema}.schema_migration"  # noqa: S608
        )
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return {}
    return {(row["source"], row["file"]): (row["sha256"], row["applied_at"]) for row in rows}


async def _apply(connection: _Raw, schema: str, owner: str, migration: Migration) -> None:
    """Run one file in one transaction; try again while a lock is not to be had."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            async with connection.transaction():
                await _limit(connection, schema, owner)
                await connection.execute(migration.sql)
                await connection.execute(
                    f"insert into {schema}.schema_migration (source, file, sha256) "  # noqa: S608
                    "values ($1, $2, $3)",
                    migration.source,
                    migration.file,
                    migration.sha256,
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise _blocked(migration.file) from error
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)
        else:
            _LOG.info("migration_applied", schema=schema, file=migration.file)
            return


async def _limit(connection: _Raw, schema: str, owner: str) -> None:
    await connection.execute(
        f"set local role {owner}; set local search_path = {schema};"
        f"set local lock_timeout = {_LOCK_TIMEOUT_MS};"
        f"set local statement_timeout = {_STATEMENT_TIMEOUT_MS}"
    )


async def _settle_feed(
    connection: _Raw, schema: str, role: str, owner: str, *, fresh: bool
) -> None:
    """Make the feed append-only for the service; begin an epoch if the cluster is another one."""
    async with connection.transaction():
        await _limit(connection, schema, owner)
        if fresh:
            await connection.execute(
                f"revoke update, delete on feed from {role};"
                f"revoke insert, update, delete on feed_epoch from {role}"
            )
        await connection.execute("select feed_begin_epoch_if_moved()")


def _blocked(by: str) -> Unavailable:
    return Unavailable(
        "MIGRATION_BLOCKED",
        "A lock that the migration needs was not free in time.",
        metadata={"by": by},
        retry_after_s=5,
    )
