"""One child process: started, watched, restarted when it dies, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from services.local import bytecode
from services.local.problems import Problem
from services.local.setpriv import wrapped

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
CALM_AFTER_S = 5.0  # ready for this long, it was no failed start: the next one need not wait
POLL_S = 0.05
LOG_LINE_SHOWN = 400
REFUSED_CONFIG = 78  # starting again would change nothing
REFUSED_LOGIN = 75  # a service whose wrapped secret id was spent or too old: mint and start again

# What could bend a child's behaviour from outside: other servers' addresses and proxies.
_DROPPED = ("PG", "BAO_", "VAULT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")


class State(Enum):
    """Where a child is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


async def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """How a child is started, known to be ready, and stopped."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[int], Awaitable[bool]]  # given the pid; called until it says yes
    prepare: Callable[[], Awaitable[None]] = _nothing  # before every start
    waits_for_go: bool = False  # it is started before prepare and told when that is done
    before_stop: Callable[[], Awaitable[None]] = _nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    uid: int | None = None
    gid: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_within_s: float = 60.0
    stop_within_s: float = 15.0
    attempts: int = 3  # before the first start is given up


class Child:
    """A supervised process. Use from one event loop only.

    Args:
        spec: how it is started.
        spawned: called after every start, first or not, as soon as there is a pid.
    """

    def __init__(self, spec: Spec, spawned: Callable[[], None] = lambda: None) -> None:
        self.spec = spec
        self._spawned = spawned
        self.state = State.WAITING
        self.restarts = 0
        self.ready_at = 0.0
        self.last_exit = ""
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process, if any."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start, and return once it is ready; it is watched from then on.

        Raises:
            Problem: it does not become ready in its attempts.
        """
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"child {self.spec.name}")
        await asyncio.shield(self._first)

    async def stop(self) -> None:
        """Ask it to end, wait, and kill it when it does not."""
        if self._task is None:
            self.state = State.STOPPED
            return
        self._stopping.set()
        self.state = State.STOPPING
        if self.pid is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.spec.stop_within_s):
                    await self.spec.before_stop()
        await self._end_process()
        await self._task
        self.state = State.STOPPED

    def send(self, what: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(what)

    async def _run(self) -> None:
        attempt, backoff_s = 0, FIRST_BACKOFF_S
        while not self._stopping.is_set():
            attempt += 1
            started = time.monotonic()
            failure = await self._live_once()
            if self._stopping.is_set():
                break
            self.last_exit = failure
            self.state = State.RESTARTING
            if self._first is not None and not self._first.done():
                if attempt >= self.spec.attempts or self._refused_config():
                    self._first.set_exception(self._did_not_start(failure))
                    return
            else:
                self.restarts += 1
            if self.ready_at > started and time.monotonic() - self.ready_at > CALM_AFTER_S:
                backoff_s = FIRST_BACKOFF_S
            await self._pause(backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        if self._first is not None and not self._first.done():
            self._first.cancel()

    async def _live_once(self) -> str:
        """Start, wait until ready, then until it ends. Returns why it ended."""
        self.state = State.STARTING
        try:
            if not self.spec.waits_for_go:
                await self.spec.prepare()
            self._process = await self._spawn()
            self._spawned()
        except Exception as error:  # whatever it is, the next attempt may fare better
            return f"could not be started: {type(error).__name__}: {error}"
        ended = asyncio.create_task(self._process.wait())
        if self.spec.waits_for_go and (failure := await self._tell_to_go(self._process, ended)):
            await self._end_process()
            await ended
            return failure
        if await self._becomes_ready(self._process.pid, ended):
            self.state = State.READY
            self.ready_at = time.monotonic()
            if self._first is not None and not self._first.done():
                self._first.set_result(None)
        elif not ended.done() and not self._stopping.is_set():
            await self._end_process()
            await ended
            return f"was not ready after {self.spec.ready_within_s:.0f} s"
        return _describe(await ended)

    async def _tell_to_go(
        self, process: asyncio.subprocess.Process, ended: asyncio.Task[int]
    ) -> str:
        """Prepare and say so, unless it ends before or is to stop. Returns why not, or nothing."""
        preparing = asyncio.ensure_future(self.spec.prepare())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([preparing, ended, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not preparing.done():
            preparing.cancel()
            return _describe(await ended) if ended.done() else "was stopped before it was told to"
        if error := preparing.exception():  # whatever it is, the next attempt may fare better
            return f"could not be prepared: {type(error).__name__}: {error}"
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(b"\n")
            await process.stdin.drain()
        process.stdin.close()
        return ""

    async def _becomes_ready(self, pid: int, ended: asyncio.Task[int]) -> bool:
        last = time.monotonic() + self.spec.ready_within_s
        while time.monotonic() < last and not ended.done() and not self._stopping.is_set():
            if await self.spec.ready(pid):
                return not ended.done()
            await asyncio.wait([ended], timeout=POLL_S)
        return False

    async def _spawn(self) -> asyncio.subprocess.Process:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(_DROPPED)
        }
        stdin = asyncio.subprocess.PIPE if self.spec.waits_for_go else asyncio.subprocess.DEVNULL
        with self.spec.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *wrapped(
                    self.spec.command,
                    uid=self.spec.uid,
                    gid=self.spec.gid,
                    parent_death_signal=self.spec.stop_signal,
                ),
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd=self.spec.folder,
                env={**inherited, **self.spec.environment},
                start_new_session=True,
            )

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.send(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.stop_within_s):
                await process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await process.wait()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _did_not_start(self, failure: str) -> Problem:
        last = " ".join(map(_told, tail(self.spec.log, 1))) or "it logged nothing"
        return Problem(
            f"{self.spec.name} did not start: {failure}. Its last words: {last[:LOG_LINE_SHOWN]}",
            f"See {self.spec.log}",
        )

    def _refused_config(self) -> bool:
        return self._process is not None and self._process.returncode == REFUSED_CONFIG


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return list(deque((line for line in text.splitlines() if line.strip()), maxlen=lines))


def _told(line: str) -> str:
    """What a line of one of our own structured logs says, or the line."""
    try:
        entry = json.loads(line)
        error = entry.get("error", {})
        parts = (entry["event"], entry.get("why"), entry.get("reason"), error.get("type"))
    except (ValueError, KeyError, AttributeError):
        return line
    return ": ".join(part for part in parts if part)


def _describe(returncode: int) -> str:
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    if returncode == REFUSED_LOGIN:
        return "its Vault login was refused"
    return f"exited with {returncode}"


def python_command(*arguments: str) -> list[str]:
    """A child that runs our own code with this interpreter."""
    return [sys.executable, "-m", *arguments]


def python_environment() -> dict[str, str]:
    """Lets `python -m services...` find this very tree, installed or not, from any folder."""
    tree = str(Path(__file__).resolve().parent.parent.parent)
    given = os.environ.get("PYTHONPATH")
    path = f"{tree}{os.pathsep}{given}" if given else tree
    return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **bytecode.environment()}
