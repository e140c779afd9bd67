"""Where the real biometric records lie."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real biometric records are not here: set IDMESH_TEST_DATA")
    return folder
