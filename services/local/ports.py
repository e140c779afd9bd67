"""The block of ports of one data folder: fixed by default, any free block on request."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.local.folder import DataFolder, read_json, write_private
from services.local.problems import Problem

DEFAULT_BASE = 7000
# Below what Linux hands out by itself, so that an outgoing connection cannot take one of ours.
AUTO_RANGE = (20_000, 32_000)
AUTO_ATTEMPTS = 200

OFFSETS: Mapping[str, int] = {
    "edge": 0,
    "gateway": 1,
    "access": 2,
    "masterdata": 3,
    "registration": 4,
    "identity": 5,
    "abis": 6,
    "processing": 7,
    "authentication": 8,
    "partner": 9,
    "notification": 10,
    "audit": 11,
    "envoy_admin": 20,
    "smtp": 25,
    "mail_page": 26,
    "postgres": 32,
    "openbao": 40,
    "openbao_cluster": 41,
    "metrics_audit": 51,
    "metrics_abis": 52,
    "metrics_core": 53,
    "metrics_auth": 54,
    "metrics_edge": 55,
}


@dataclass(frozen=True)
class Ports:
    """The chosen block; all on 127.0.0.1."""

    base: int

    def __getitem__(self, name: str) -> int:
        """The port of a part, by its name in OFFSETS."""
        return self.base + OFFSETS[name]


def choose(
    folder: DataFolder, *, base: int | None = None, mode: Literal["fixed", "auto"] | None = None
) -> Ports:
    """Return the folder's ports, checked to be free now, and remember them.

    What is asked for wins over what the folder remembers. A remembered automatic block that is
    taken gives way to another; a fixed one does not move behind anybody's back.

    Raises:
        Problem: a port of a fixed block is taken.
    """
    known = read_json(folder.ports_file)
    if mode is None and base is None:
        mode = "auto" if known.get("auto") else "fixed"
    if base is None:
        base = known.get("base") if known.get("auto") == (mode == "auto") else None
    if mode == "auto":
        ports = Ports(base) if base and not taken(Ports(base)) else _free_block()
    else:
        ports = Ports(DEFAULT_BASE if base is None else base)
        if held := taken(ports):
            name = held[0]
            raise Problem(
                f"Port {ports[name]} ({name}) is taken{_by_whom(ports[name])}.",
                "Free it, or choose others with --port-base N or --ports auto.",
            )
    write_private(folder.ports_file, json.dumps({"base": ports.base, "auto": mode == "auto"}))
    return ports


def remembered(folder: DataFolder) -> Ports:
    """The ports of a folder that was started before."""
    return Ports(int(read_json(folder.ports_file).get("base", DEFAULT_BASE)))


def taken(ports: Ports) -> list[str]:
    """The names whose port cannot be bound now."""
    return [name for name in OFFSETS if not _is_free(ports[name])]


def _free_block() -> Ports:
    for _ in range(AUTO_ATTEMPTS):
        # Two starts at one moment should not try the same block; nothing secret depends on it.
        ports = Ports(random.randrange(*AUTO_RANGE, 64))  # noqa: S311
        if not taken(ports):
            return ports
    raise Problem("No free block of ports was found.", "Free some ports between 20000 and 32000.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _by_whom(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f" by {name} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
