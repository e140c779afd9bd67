"""No part of the mesh needs a network: neither to start nor to answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.local.conftest import SITE
from tests.integration.local.harness import HERE, TREE

pytestmark = pytest.mark.integration


def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run run_offline.py where there is loopback only."""
    as_we_are = [] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"]
    return subprocess.run(
        ["unshare", *as_we_are, "--net", sys.executable, str(HERE / "run_offline.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=TREE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), *SITE])},
    )


@pytest.fixture
def without_network() -> None:
    try:
        tried = alone()
    except FileNotFoundError:
        pytest.skip("network namespaces: there is no program unshare")
    if tried.returncode != 0:
        pytest.skip(f"network namespaces: {(tried.stderr.strip() or 'none to be had')[-200:]}")


@pytest.mark.usefixtures("without_network")
def test_a_mesh_starts_and_answers_without_a_network(folder: Path) -> None:
    done = alone(str(folder), "edge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answered 200" in done.stdout
