"""The wheel holds what an integrator needs: stubs with types, services, the matcher."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.integration, pytest.mark.slow]

IMPORT_ALL = """
import importlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root))
names = [p.relative_to(root).with_suffix("") for p in (root / "idmesh").rglob("*_pb2*.py")]
assert len(names) > 40, names
for name in names:
    module = importlib.import_module(".".join(name.parts))
    assert module.__file__.startswith(str(root)), module.__file__
import matcher_ext, services.cli, vault.bootstrap
for module in (matcher_ext, services.cli, vault.bootstrap):
    assert module.__file__.startswith(str(root)), module.__file__
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv = shutil.which("uv", path=f"{ROOT / '.venv-uv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("uv is missing: run `make .venv`")
    # A copy, so that the build folder of the running environment stays as it is.
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("services", "matcher_ext", "vault", "protos"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = [uv, "build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", str(out)]
    subprocess.run([*build, str(source)], check=True, timeout=280)
    [built] = out.glob("*.whl")
    return built


def test_every_stub_and_the_matcher_import_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    run = [sys.executable, "-P", "-c", IMPORT_ALL, str(tmp_path)]
    subprocess.run(run, check=True, cwd=tmp_path, timeout=120)


def test_the_wheel_carries_types_sql_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for expected in (
        "idmesh/identity/v1/identity_service_pb2.pyi",
        "idmesh/py.typed",
        "matcher_ext/py.typed",
        "matcher_ext/_native.pyi",
        "services/identity/store/queries.sql",
        "services/identity/store/migrations/0001_pre_identity.sql",
        "services/notification/templates.toml",
        "vault/keys.toml",
        "vault/policies/identity.hcl",
    ):
        assert expected in names
    assert not [name for name in names if name.startswith("tests/")]
