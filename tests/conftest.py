"""Real servers for the integration tests: started when first asked for, one each per run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from services.common.postgres import Database
from services.common.vault import VaultClient
from tests.fakes import databases, servers, vaults

MakeDatabase = Callable[[str], Awaitable[Database]]
MakeVaultClient = Callable[[str], Awaitable[VaultClient]]


@pytest.fixture(scope="session")
def postgres_server() -> servers.PostgresServer:
    """A PostgreSQL cluster."""
    return servers.postgres_server()


@pytest.fixture(scope="session")
def postgres_admin_dsn(postgres_server: servers.PostgresServer) -> str:
    """The DSN of the cluster's superuser."""
    return postgres_server.dsn()


@pytest.fixture
async def make_database(postgres_server: servers.PostgresServer) -> AsyncIterator[MakeDatabase]:
    """Makes a new database with a service's schema; dropped after the test."""
    async with AsyncExitStack() as stack:

        async def make(service: str) -> Database:
            return await stack.enter_async_context(databases.database(postgres_server, service))

        yield make


@pytest.fixture(scope="session")
def vault_server() -> servers.VaultServer:
    """An unsealed OpenBao with its root token."""
    return servers.vault_server()


@pytest.fixture
async def vault_client(vault_server: servers.VaultServer) -> AsyncIterator[MakeVaultClient]:
    """Logs in as a service, with its own policy, to a server that was bootstrapped."""
    vaults.bootstrap(vault_server)
    async with AsyncExitStack() as stack:

        async def make(service: str) -> VaultClient:
            config = vaults.login(vault_server, service)
            return await stack.enter_async_context(VaultClient(config))

        yield make
