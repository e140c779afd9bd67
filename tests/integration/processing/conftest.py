"""One mesh for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.servers import PostgresServer, VaultServer
from tests.fakes.state_mesh import StateMesh, state_mesh


@pytest.fixture
async def mesh(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> AsyncIterator[StateMesh]:
    async with state_mesh(postgres_server, vault_server, tmp_path) as mesh:
        yield mesh
