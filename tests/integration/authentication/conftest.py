"""One running pair of gateway and authentication for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import servers
from tests.fakes.partner_mesh import PartnerMesh, partner_mesh
from tests.fakes.partner_world import Onboarded
from tests.fakes.relying_party import Bank


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PartnerMesh]:
    folder = tmp_path_factory.mktemp("mesh")
    async with partner_mesh(servers.postgres_server(), servers.vault_server(), folder) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def onboarded(mesh: PartnerMesh) -> Onboarded:
    return await mesh.onboard()


@pytest.fixture
def bank(mesh: PartnerMesh, onboarded: Onboarded) -> Bank:
    return Bank(mesh, onboarded)
