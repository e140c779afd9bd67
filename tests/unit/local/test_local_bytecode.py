from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click
import pytest

from services.local import bytecode


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without compiled files, in a process that writes none."""
    source = tmp_path / "site" / "click" / "__init__.py"
    source.parent.mkdir(parents=True)
    source.touch()
    monkeypatch.setattr(click, "__file__", str(source))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", None)


@pytest.mark.usefixtures("uncompiled")
def test_what_may_not_lie_beside_the_sources_is_kept_in_a_private_cache(tmp_path: Path) -> None:
    added = bytecode.environment({"HOME": str(tmp_path)})
    cache = tmp_path / ".cache" / "idmesh" / "bytecode"
    assert added == {"PYTHONPYCACHEPREFIX": str(cache), "PYTHONDONTWRITEBYTECODE": ""}
    assert cache.stat().st_mode & 0o077 == 0
    added = bytecode.environment({"HOME": "/", "XDG_CACHE_HOME": str(tmp_path / "x")})
    assert added["PYTHONPYCACHEPREFIX"] == str(tmp_path / "x" / "idmesh" / "bytecode")


@pytest.mark.usefixtures("uncompiled")
def test_a_cache_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "idmesh" / "bytecode"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    assert bytecode.environment({"HOME": str(tmp_path)}) == {}


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("environ", [{}, {"HOME": "relative"}, {"HOME": "/proc/no/such"}])
def test_without_a_home_there_is_no_cache(environ: dict[str, str]) -> None:
    assert bytecode.environment(environ) == {}


@pytest.mark.usefixtures("uncompiled")
def test_an_installation_that_is_compiled_needs_none(tmp_path: Path) -> None:
    compiled = Path(importlib.util.cache_from_source(click.__file__))
    compiled.parent.mkdir()
    compiled.touch()
    assert bytecode.environment({"HOME": str(tmp_path)}) == {}


@pytest.mark.usefixtures("uncompiled")
def test_a_place_that_was_chosen_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", "/elsewhere")
    assert bytecode.environment({"HOME": str(tmp_path)}) == {}


@pytest.mark.usefixtures("uncompiled")
def test_this_process_can_use_it_for_what_it_is_yet_to_import(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")
    bytecode.use()
    cache = str(tmp_path / "idmesh" / "bytecode")
    assert (sys.pycache_prefix, sys.dont_write_bytecode) == (cache, False)
    assert os.environ["PYTHONPYCACHEPREFIX"] == cache
    assert os.environ["PYTHONDONTWRITEBYTECODE"] == ""
    assert bytecode.environment() == {}
