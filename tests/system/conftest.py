"""The whole mesh, started once by its own command, and the world around it."""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.local.demo.command import Mesh, connect
from services.local.folder import ISSUERS
from services.local.sandbox.partner import RelyingParty
from tests.fakes.foreign_issuer import ForeignIssuer, foreign_issuer
from tests.fakes.mesh import Enrolled, World, open_world
from tests.fakes.mesh_otlp import Received, receiver
from tests.fakes.mesh_process import start, stop, tails
from tests.fakes.mesh_secrets import Secrets

HERE = Path(__file__).parent
LAST = ("test_system_restart.py", "test_system_leaks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One mesh and one event loop for all; those that look back on the others come last."""
    own = [item for item in items if HERE in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.system)
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    # A stable sort: all else stays in its order.
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell what the mesh logged last when a test fails."""
    report = yield
    folder = item.session.stash.get(DATA_FOLDER, None)
    if report.failed and folder is not None:
        report.sections.append(("The mesh's logs", tails(folder)))
    return report


DATA_FOLDER = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def otlp() -> Iterator[Received]:
    """Everything that the mesh tells of itself by OTLP."""
    with receiver() as received:
        yield received


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[ForeignIssuer]:
    """An issuer that the mesh trusts by configuration."""
    with foreign_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def mesh(
    otlp: Received, elsewhere: ForeignIssuer, request: pytest.FixtureRequest
) -> Iterator[Mesh]:
    """A whole mesh in a folder of its own."""
    # Short, so that its sockets lie inside it.
    parent = Path(tempfile.mkdtemp(prefix="idm"))
    folder = parent / "data"
    request.session.stash[DATA_FOLDER] = folder
    folder.mkdir(mode=0o700)
    (folder / ISSUERS).write_text(elsewhere.toml())
    try:
        start(folder, otlp)
        yield connect(folder)
    finally:
        stop(folder)
        shutil.rmtree(parent)


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """What must stay secret, filled while the tests run."""
    return Secrets()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(
    mesh: Mesh, secrets: Secrets, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A station, an operator and a capture device."""
    async with open_world(mesh, secrets, tmp_path_factory.mktemp("world")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bank(world: World) -> RelyingParty:
    """A partner that nobody takes a right from."""
    return await world.bank()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def alice(world: World) -> Enrolled:
    """A person whom nobody changes."""
    return await world.enrol()
