"""A whole mesh of empty services, started once for the tests that only look at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import idmesh
import pytest
import pytest_asyncio

from services.local.folder import existing
from services.local.setpriv import wrapped
from services.local.supervisor import Supervisor, running
from tests.integration.local.harness import HERE, TREE, Detached, settings, state

# For an interpreter that is not the environment's own.
SITE = [path for path in sys.path if path.endswith("site-packages")]
SITE += [str(Path(path).parent) for path in idmesh.__path__]


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    # Short, so that its sockets lie inside it.
    folder = Path(tempfile.mkdtemp(prefix="idm"))
    yield folder / "data"
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(shared_folder: Path) -> AsyncIterator[Supervisor]:
    async with running(settings(shared_folder, "audit", "auth", "edge")) as supervisor:
        yield supervisor


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="idm"))
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture
def detached(folder: Path) -> Iterator[Callable[..., Detached]]:
    """Starts a supervisor and waits until it is ready; ended after the test."""
    started: list[Detached] = []

    def start(
        *processes: str, user: int | None = None, interpreter: str = sys.executable
    ) -> Detached:
        log = (folder.parent / "supervisor.log").open("ab")
        process = subprocess.Popen(
            wrapped(
                [interpreter, str(HERE / "run_supervisor.py"), str(folder), *processes],
                uid=user,
                gid=user,
            ),
            stdout=log,
            stderr=log,
            cwd=TREE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), *SITE])},
        )
        last = time.monotonic() + 90
        while time.monotonic() < last:
            assert process.poll() is None, (folder.parent / "supervisor.log").read_text()
            if state(folder) == "ready":
                started.append(Detached(process, existing(folder)))
                return started[-1]
            time.sleep(0.05)
        process.kill()
        raise AssertionError((folder.parent / "supervisor.log").read_text())

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(60)
