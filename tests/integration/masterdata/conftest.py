"""One enrolment mesh for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.enrolment_mesh import EnrolmentMesh, enrolment_mesh
from tests.fakes.servers import PostgresServer, VaultServer


@pytest.fixture
async def mesh(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> AsyncIterator[EnrolmentMesh]:
    async with enrolment_mesh(postgres_server, vault_server, tmp_path) as mesh:
        yield mesh
