"""What runs, told to people and to programs."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from services.local import topology
from services.local.children import Child, State
from services.local.folder import DataFolder
from services.local.ports import Ports

Report = dict[str, Any]


def urls(folder: DataFolder, ports: Ports) -> dict[str, str]:
    """Where to look, by what is found there."""
    return {
        "api": f"https://localhost:{ports['edge']}",
        "openapi": f"https://localhost:{ports['edge']}/openapi.json",
        "mail": f"http://127.0.0.1:{ports['mail_page']}/",
        "cacert": str(folder.tls / "ca.pem"),
    }


def describe(
    folder: DataFolder, ports: Ports, children: Sequence[Child], *, state: str, uptime_s: float
) -> Report:
    """The answer to `status`."""
    return {
        "state": state,
        "folder": str(folder.root),
        "uptime_s": round(uptime_s, 1),
        "urls": urls(folder, ports),
        "ports": {name: ports[name] for name in ("edge", "postgres", "openbao", "smtp")},
        "processes": [_child(child) for child in children],
    }


def _child(child: Child) -> Report:
    ready = child.state is State.READY
    return {
        "name": child.spec.name,
        "state": child.state.value,
        "pid": child.pid,
        "uptime_s": round(time.monotonic() - child.ready_at, 1) if ready else 0.0,
        "restarts": child.restarts,
        "last_exit": child.last_exit,
        "rss_bytes": resident_bytes(child.pid),
        "pss_bytes": proportional_bytes(child.pid),
        "services": list(topology.PROCESSES.get(child.spec.name, ())),
        "log": str(child.spec.log),
    }


def resident_bytes(pid: int | None) -> int:
    """Resident memory of one process, without its children; 0 when it is gone."""
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def proportional_bytes(pid: int | None) -> int:
    """Memory of a process and all its children, what they share counted once in all.

    PostgreSQL's processes share their buffers: their resident sizes added up say nothing.
    """
    if pid is None:
        return 0
    try:
        process = psutil.Process(pid)
        family = [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_pss, family))


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def as_lines(urls_by_name: dict[str, str]) -> list[str]:
    """URLs for a terminal."""
    width = max(map(len, urls_by_name))
    return [f"{name:<{width}}  {url}" for name, url in urls_by_name.items()]
