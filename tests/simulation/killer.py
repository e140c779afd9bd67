"""Kills processes of a mesh at random moments, and times how long each takes to come back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from tests.simulation.whole_mesh import WholeMesh

# How often each is killed. `backend` is one of PostgreSQL's own processes, with a session in it;
# `supervisor again` dies a second time while it starts the mesh anew.
PLAN: Mapping[str, int] = {
    "core": 9,
    "abis": 6,
    "auth": 5,
    "audit": 6,
    "edge": 4,
    "envoy": 5,
    "mail": 3,
    "openbao": 6,
    "postgres": 5,
    "backend": 4,
    "supervisor": 2,
    "supervisor again": 1,
}
LEAST_KILLS = 50
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.6
ALIVE_WITHIN_S = 60.0
LOOK_S = 0.25


@dataclass
class Kill:
    """One kill."""

    kind: str
    pid: int
    at: float
    back_s: float | None = None  # None: not yet, or another kill came first
    over: bool = False

    @property
    def process(self) -> str:
        """The supervisor's name of the process that has to come back."""
        return "postgres" if self.kind == "backend" else self.kind


@dataclass
class Killer:
    """Carries out a plan drawn from a seed.

    Attributes:
        database_answers: whether PostgreSQL takes a new session.
        after_kill: told after each kill how many there were.
    """

    mesh: WholeMesh
    rng: random.Random
    database_answers: Callable[[], Awaitable[bool]]
    after_kill: Callable[[int, int], None]
    kills: list[Kill] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    refused_starts: list[str] = field(default_factory=list)

    def plan(self) -> list[str]:
        """The order of the kills."""
        order = [kind for kind, times in PLAN.items() for _ in range(times)]
        self.rng.shuffle(order)
        return order

    async def run(self) -> None:
        """Kill until the plan is done, then wait for everything to be back."""
        order = self.plan()
        watch = asyncio.create_task(self._watch())
        try:
            for number, kind in enumerate(order, start=1):
                await asyncio.sleep(self.rng.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
                await self._kill(kind)
                self.after_kill(number, len(order))
            async with asyncio.timeout(ALIVE_WITHIN_S):
                while self._awaited():
                    await asyncio.sleep(LOOK_S)
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    def counts(self) -> Mapping[str, int]:
        """How often each kind was killed."""
        return Counter(kill.kind for kill in self.kills)

    def recoveries(self) -> Mapping[str, Sequence[float]]:
        """Seconds until ready again, of the kills that no other cut short."""
        found: dict[str, list[float]] = defaultdict(list)
        for kill in self.kills:
            if kill.back_s is not None:
                found[kill.kind].append(kill.back_s)
        found["supervisor"] = self.restarts_s
        return found

    def table(self) -> str:
        """Kills and recoveries as lines."""
        recoveries, counts = self.recoveries(), self.counts()
        lines = [f"{'process':<12} {'kills':>5} {'median s':>9} {'max s':>7}"]
        for kind in sorted(counts):
            seconds = recoveries.get(kind, ())
            told = f"{statistics.median(seconds):9.1f} {max(seconds):7.1f}" if seconds else ""
            lines.append(f"{kind:<12} {counts[kind]:>5} {told}")
        return "\n".join(lines)

    def timeline(self) -> str:
        """Each kill, the seconds since the first, and how long it took to be back."""
        if not self.kills:
            return "no kills"
        return ", ".join(
            f"{kill.at - self.kills[0].at:.0f} {kill.kind}"
            + (f" ({kill.back_s:.1f})" if kill.back_s is not None else "")
            for kill in self.kills
        )

    async def _kill(self, kind: str) -> None:
        if kind.startswith("supervisor"):
            await self._kill_supervisor(again=kind.endswith("again"))
            return
        async with asyncio.timeout(ALIVE_WITHIN_S):
            while not await self._strike(kind):
                await asyncio.sleep(LOOK_S)

    async def _strike(self, kind: str) -> bool:
        pid = await asyncio.to_thread(self._pid, kind)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills.append(Kill(kind, pid, time.monotonic()))
        return True

    def _pid(self, kind: str) -> int | None:
        if kind != "backend":
            return self.mesh.pid_of(kind)
        postmaster = self.mesh.pid_of("postgres")
        if postmaster is None:
            return None
        try:
            backends = [
                child.pid
                for child in psutil.Process(postmaster).children()
                if " idmesh " in " ".join(child.cmdline())
            ]
        except psutil.NoSuchProcess:
            return None
        return self.rng.choice(sorted(backends)) if backends else None

    async def _kill_supervisor(self, *, again: bool) -> None:
        await self._end_supervisor()
        began = time.monotonic()
        if again:
            starting = asyncio.create_task(self.mesh.up())
            await asyncio.sleep(self.rng.uniform(1.0, 8.0))
            await self._end_supervisor()
            with contextlib.suppress(RuntimeError):
                await starting
            began = time.monotonic()
        while True:
            try:
                await self.mesh.up()
            except RuntimeError as refused:
                self.refused_starts.append(str(refused))
                if len(self.refused_starts) > 3:
                    raise
            else:
                break
        self.restarts_s.append(time.monotonic() - began)

    async def _end_supervisor(self) -> None:
        async with asyncio.timeout(ALIVE_WITHIN_S):
            while (pid := self.mesh.supervisor_pid()) is None:
                await asyncio.sleep(LOOK_S)
        os.kill(pid, signal.SIGKILL)
        # Everything dies with it and comes back with the next start, which is timed as such.
        for kill in self.kills:
            kill.over = True
        self.kills.append(Kill("supervisor", pid, time.monotonic(), over=True))

    def _awaited(self) -> list[Kill]:
        """The kills that something has to come back from: the last one of each process."""
        last = {kill.process: kill for kill in self.kills}
        return [kill for kill in last.values() if not kill.over]

    async def _watch(self) -> None:
        """Look again and again who is back."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not (waiting := self._awaited()):
                continue
            status = await asyncio.to_thread(self.mesh.status)
            states = {child["name"]: child for child in (status or {"processes": ()})["processes"]}
            for kill in waiting:
                child = states.get(kill.process)
                if not kill.over and child is not None and await self._is_back(kill, child):
                    kill.back_s, kill.over = time.monotonic() - kill.at, True

    async def _is_back(self, kill: Kill, child: Mapping[str, object]) -> bool:
        if kill.kind == "backend":
            return await self.database_answers()
        return child["state"] == "ready" and child["pid"] != kill.pid
