"""Databases for tests: one per call, with the roles that a service has in production."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from services.common.config import PostgresConfig
from services.common.postgres import Database, Limits, migrate
from tests.fakes.servers import PostgresServer

OWNER = "idmesh_owner"
_COUNT = itertools.count()


async def make_roles(server: PostgresServer, service: str) -> None:
    """Make the owner of all schemas and the service's login, if they are missing."""
    connection = await asyncpg.connect(server.dsn())
    try:
        for role, options in ((OWNER, "nologin"), (service, "login")):
            if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
                await connection.execute(f"create role {role} {options}")
    finally:
        await connection.close()


async def make_empty(server: PostgresServer, service: str) -> str:
    """Make a database without schemas; return its name."""
    name = f"test_{service}_{os.getpid()}_{next(_COUNT)}"
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"create database {name} owner {OWNER}")
    finally:
        await connection.close()
    return name


async def drop(server: PostgresServer, name: str) -> None:
    """Drop a database, connections and all."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"drop database if exists {name} with (force)")
    finally:
        await connection.close()


def migrations_of(service: str) -> Path | None:
    """Return the folder of a service's own migrations, if it has any."""
    spec = find_spec(f"services.{service}")
    locations = list(spec.submodule_search_locations or []) if spec else []
    folders = [Path(location) / "store" / "migrations" for location in locations]
    return next((folder for folder in folders if folder.is_dir()), None)


def config_of(
    server: PostgresServer, name: str, service: str, pool_max: int = 10
) -> PostgresConfig:
    """Return the service's access to a database."""
    password = server.folder / "password"
    if not password.exists():
        password.write_text("unused: the test server trusts its clients\n")
    return PostgresConfig(
        host=server.host, port=server.port, database=name, user=service,
        password_file=str(password), pool_min=0, pool_max=pool_max,
    )  # fmt: skip


@asynccontextmanager
async def database(
    server: PostgresServer, service: str, *, limits: Limits | None = None, pool_max: int = 10
) -> AsyncIterator[Database]:
    """Yield a new database with the service's schema in it."""
    await make_roles(server, service)
    name = await make_empty(server, service)
    try:
        await migrate(server.dsn(name), schema=service, role=service, folder=migrations_of(service))
        config = config_of(server, name, service, pool_max)
        async with Database(config, service=service, limits=limits) as opened:
            yield opened
    finally:
        await drop(server, name)
