"""The whole mesh, started once by its own command, and the world around it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from services.local import leftovers
from services.local.demo.command import Mesh, connect
from services.local.folder import existing
from services.local.problems import Problem
from services.local.sandbox.partner import RelyingParty
from tests.fakes.mesh import Enrolled, World, open_world
from tests.fakes.mesh_otlp import Received, receiver
from tests.fakes.mesh_secrets import Secrets

HERE = Path(__file__).parent
TREE = HERE.parent.parent
START_S = 240.0
LINES_TOLD = 15


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One mesh and one event loop for all; the search for leaks comes last."""
    own = [item for item in items if HERE in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.system)
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    last = [item for item in own if item.path.name == "test_system_leaks.py"]
    if last:
        items[:] = [item for item in items if item not in last] + last


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell what the mesh logged last when a test fails."""
    report = yield
    folder = item.session.stash.get(DATA_FOLDER, None)
    if report.failed and folder is not None:
        report.sections.append(("The mesh's logs", _tails(folder)))
    return report


DATA_FOLDER = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def otlp() -> Iterator[Received]:
    """Everything that the mesh tells of itself by OTLP."""
    with receiver() as received:
        yield received


@pytest.fixture(scope="session")
def mesh(otlp: Received, request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """A whole mesh in a folder of its own."""
    # Short, so that its sockets lie inside it.
    parent = Path(tempfile.mkdtemp(prefix="idm"))
    folder = parent / "data"
    request.session.stash[DATA_FOLDER] = folder
    try:
        _idmesh(folder, "up", "--detach", "--ports", "auto", "--otlp-endpoint", otlp.endpoint)
        yield connect(folder)
    finally:
        _stop(folder)
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


def _idmesh(folder: Path, verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "services.cli", verb, "--data-folder", str(folder)]
    # Told often: a leak would be in what is told.
    telling = {"OTEL_METRIC_EXPORT_INTERVAL": "2000", "OTEL_BSP_SCHEDULE_DELAY": "500"}
    done = subprocess.run(
        [*command, *arguments],
        check=False,
        cwd=TREE,
        env={**os.environ, **telling},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr + _tails(folder)


def _stop(folder: Path) -> None:
    """Stop the mesh in order; whatever is left then is killed, and the tests fail for it."""
    try:
        data_folder = existing(folder)
        supervisor = psutil.Process(int(data_folder.lock_file.read_text()))
    except (Problem, ValueError, FileNotFoundError, psutil.NoSuchProcess):
        return
    family = [supervisor, *supervisor.children(recursive=True)]
    try:
        _idmesh(folder, "down", "--wait-s", "60")
    finally:
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        leftovers.end(data_folder)
    assert not alive, f"these outlived the mesh: {alive}"


def _tails(folder: Path) -> str:
    told = []
    for log in sorted((folder / "logs").glob("*.log")):
        if log.name in ("openbao-audit.log", "audit.log.json"):
            continue
        lines = log.read_text(errors="replace").splitlines()
        chosen = [line for line in lines if '"level":"info"' not in line][-LINES_TOLD:]
        told += [f"--- {log.name}", *chosen]
    return "\n".join(told)
