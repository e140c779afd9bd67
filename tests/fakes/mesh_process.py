"""A whole mesh as a process of its own: started and stopped by its own commands."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from services.local import leftovers
from services.local.folder import existing
from services.local.problems import Problem
from tests.fakes.mesh_otlp import Received

TREE = Path(__file__).parents[2]
START_S = 240.0
LINES_TOLD = 15


def start(folder: Path, otlp: Received) -> None:
    """Start the mesh by its command, and return when it is ready."""
    idmesh(folder, "up", "--detach", "--ports", "auto", "--otlp-endpoint", otlp.endpoint)


def idmesh(folder: Path, verb: str, *arguments: str) -> None:
    """Run a command of ours, and fail with all that it said."""
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
    assert done.returncode == 0, done.stdout + done.stderr + tails(folder)


def stop(folder: Path) -> None:
    """Stop the mesh in order; whatever is left then is killed, and the tests fail for it."""
    try:
        data_folder = existing(folder)
        supervisor = psutil.Process(int(data_folder.lock_file.read_text()))
    except (Problem, ValueError, FileNotFoundError, psutil.NoSuchProcess):
        return
    family = [supervisor, *supervisor.children(recursive=True)]
    try:
        idmesh(folder, "down", "--wait-s", "60")
    finally:
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        leftovers.end(data_folder)
    assert not alive, f"these outlived the mesh: {alive}"


def tails(folder: Path) -> str:
    """Return what each part logged last, without what went well."""
    told = []
    for log in sorted((folder / "logs").glob("*.log")):
        if log.name in ("openbao-audit.log", "audit.log.json"):
            continue
        lines = log.read_text(errors="replace").splitlines()
        chosen = [line for line in lines if '"level":"info"' not in line][-LINES_TOLD:]
        told += [f"--- {log.name}", *chosen]
    return "\n".join(told)
