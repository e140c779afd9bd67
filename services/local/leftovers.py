"""Ends what a killed supervisor's children left behind, before new ones need their ports.

Children die with their supervisor by the kernel's death signal; this is for one that hangs.
A process is ended only if it is the very one that was written down: same pid, same start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import psutil

from services.local.folder import DataFolder, read_json, write_private

GRACE_S = 5.0


def remember(folder: DataFolder, pids: Iterable[int]) -> None:
    """Write down what runs now."""
    rows = []
    for pid in pids:
        try:
            rows.append([pid, psutil.Process(pid).create_time()])
        except psutil.NoSuchProcess:
            continue
    write_private(folder.children_file, json.dumps({"children": rows}))


def end(folder: DataFolder) -> int:
    """Wait for what was written down to end, and kill what does not. Returns how many it killed."""
    living = []
    for pid, created in read_json(folder.children_file).get("children", []):
        try:
            process = psutil.Process(pid)
            if process.create_time() == created:
                living += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(living, timeout=GRACE_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=GRACE_S)
    return len(alive)
