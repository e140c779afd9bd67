"""A whole mesh under test: started by the real command, killed from outside, ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from services.local import control
from services.local.children import python_environment
from services.local.folder import DataFolder
from services.local.problems import Problem

UP_S = 240.0
DOWN_S = 60.0
GONE_S = 10.0
Status = Mapping[str, Any]


class WholeMesh:
    """One data folder and whatever runs in it."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root.absolute())

    async def up(self) -> float:
        """Run `idmesh up --detach`; return the seconds that it took.

        Raises:
            RuntimeError: it did not become ready; with what it printed.
        """
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *self._command("up", "--detach", "--ports", "auto"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **python_environment()},
        )
        try:
            async with asyncio.timeout(UP_S):
                printed, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            printed, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            raise RuntimeError(f"idmesh up: {process.returncode}: {printed.decode()[-2000:]}")
        return time.monotonic() - began

    def status(self) -> Status | None:
        """What the supervisor says; None while none answers."""
        try:
            return control.ask(self.folder, "status")
        except (Problem, json.JSONDecodeError, OSError):
            return None

    def is_ready(self) -> bool:
        """Whether the supervisor and every child of it are ready."""
        status = self.status()
        return (
            status is not None
            and status["state"] == "ready"
            and all(child["state"] == "ready" for child in status["processes"])
        )

    def pid_of(self, name: str) -> int | None:
        """A child's process, while it has one."""
        children = (self.status() or {"processes": ()})["processes"]
        return next((child["pid"] for child in children if child["name"] == name), None)

    def supervisor_pid(self) -> int | None:
        """The supervisor, while there is one."""
        try:
            pid = int(self.folder.lock_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def processes(self) -> list[psutil.Process]:
        """Everything that runs in or for the data folder, whoever started it."""
        return [process for process in psutil.process_iter() if self._is_ours(process.pid)]

    def end(self) -> list[str]:
        """Stop the mesh; kill what does not stop. Returns what had to be killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                self._command("down", "--wait-s", f"{DOWN_S:.0f}"),
                capture_output=True,
                check=False,
                timeout=DOWN_S + 10,
                env={**os.environ, **python_environment()},
            )
        # The supervisor lets go of its folder a moment before its process is gone.
        _, left = psutil.wait_procs(self.processes(), timeout=GONE_S)
        names = [_name(process) for process in left]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)
        return names

    def tails(self, lines: int = 25) -> str:
        """The ends of all logs but the audit log, for a failed run."""
        return "\n".join(
            f"== {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self.folder.logs.glob("*.log"))
            if path.name != "openbao-audit.log"
        )

    def log_lines(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The structured lines of a process's log."""
        for line in (self.folder.logs / f"{name}.log").read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry

    def _command(self, verb: str, *arguments: str) -> list[str]:
        folder = str(self.folder.root)
        return [sys.executable, "-m", "services.cli", verb, "--data-folder", folder, *arguments]

    def _is_ours(self, pid: int) -> bool:
        root = str(self.folder.root)
        try:
            process = psutil.Process(pid)
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            # PostgreSQL's backends rename themselves; they stay in the folder of their data.
            return any(root in part for part in process.cmdline()) or process.cwd().startswith(root)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.NoSuchProcess:
        return f"pid {process.pid}"
