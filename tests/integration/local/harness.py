"""What the tests of the supervisor share."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.local import control
from services.local.folder import DataFolder, existing
from services.local.problems import Problem
from services.local.supervisor import Settings
from tests.integration.local.run_supervisor import serve_command

HERE = Path(__file__).parent
TREE = HERE.parent.parent.parent


def settings(folder: Path, *processes: str) -> Settings:
    return Settings(
        data_folder=folder,
        ports="auto",
        processes=processes,
        serve_command=serve_command,
        say=print,
    )


@dataclass(frozen=True)
class Detached:
    """A supervisor in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: DataFolder

    def status(self) -> control.Answer:
        return control.ask(self.folder, "status")

    def pids(self) -> dict[str, int]:
        return {child["name"]: child["pid"] for child in self.status()["processes"]}

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def state(folder: Path) -> str:
    try:
        return str(control.ask(existing(folder), "state")["state"])
    except Problem:
        return ""


async def eventually(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    last = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < last, "it did not come about in time"
        await asyncio.sleep(0.05)
