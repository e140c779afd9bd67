"""The supervisor's own socket: what runs, and please stop. One line of JSON each way."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.local.folder import DataFolder, try_lock
from services.local.problems import Problem

Answer = dict[str, Any]
NOT_RUNNING_CURE = "Start it with: idmesh up"
ASK_TIMEOUT_S = 10.0


def socket_path(folder: DataFolder) -> Path:
    """Where the supervisor listens; only its user can reach it."""
    return folder.sockets / "control.sock"


class ControlServer:
    """Answers `status`, and in short `state`, and takes `down`."""

    def __init__(
        self,
        folder: DataFolder,
        status: Callable[[], Awaitable[Answer]],
        state: Callable[[], str],
        down: Callable[[], None],
    ) -> None:
        self._path = socket_path(folder)
        self._status = status
        self._state = state
        self._down = down
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._answer, str(self._path))
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            verb = (await reader.readline()).decode().strip()
            if verb == "status":
                answer = await self._status()
            elif verb == "state":
                answer = {"state": self._state()}
            elif verb == "down":
                self._down()
                answer = {"state": "stopping"}
            else:
                answer = {"error": f"no such request: {verb}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def ask(folder: DataFolder, verb: str) -> Answer:
    """Ask the running supervisor. Blocking.

    Raises:
        Problem: none runs in this folder.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ASK_TIMEOUT_S)
        try:
            connection.connect(str(socket_path(folder)))
            connection.sendall(verb.encode() + b"\n")
            line = connection.makefile("rb").readline()
        except (FileNotFoundError, ConnectionError):
            raise Problem(f"Nothing runs in {folder.root}.", NOT_RUNNING_CURE) from None
        except TimeoutError:
            raise Problem(
                f"The supervisor in {folder.root} does not answer.",
                "Try again, or end its process.",
            ) from None
    return dict(json.loads(line))


def wait_until_down(folder: DataFolder, timeout_s: float) -> bool:
    """Whether the supervisor let go of the folder in time."""
    last = time.monotonic() + timeout_s
    while time.monotonic() < last:
        lock = try_lock(folder)
        if lock is not None:
            lock.close()
            return True
        time.sleep(0.05)
    return False
