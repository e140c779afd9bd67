"""Enrolments per second, from the first upload to the last UIN."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from rich.console import Console

from services.bench import processes
from services.local.demo.command import Mesh
from services.local.demo.report import Report
from services.local.demo.walk import WAIT_S, Walk, open_walk
from services.registration_client.builder import SealedPacket
from services.registration_client.station_client import StationClient
from services.synthetic import make_person

# The station asks for all of its registrations at once, as a client should.
POLL_S = 0.2
MOST = 200


async def run(mesh: Mesh, people: int, in_flight: int) -> None:
    """Build packets beforehand, then send them and wait for every UIN."""
    population = int(time.time())
    async with open_walk(mesh, Report(Console(quiet=True)), population) as walk:
        print(f"building {people} packets", flush=True)
        packets = [
            await walk.build(walk.applicant(make_person(n, population=population), seed=1))
            for n in range(people)
        ]
        before = processes.usage(mesh.folder.root)
        began = time.monotonic()
        took = await _enrol(walk, packets, in_flight)
        elapsed = time.monotonic() - began
        after = processes.usage(mesh.folder.root)
    size = sum(packet.size for packet in packets) / len(packets)
    print(f"\nenrolments: {people} in {elapsed:.1f} s = {people / elapsed:.1f}/s", end="")
    print(f" at {in_flight} in flight; packets of {size / 1024:.0f} KiB")
    print(f"upload to UIN: {processes.percentiles(took)}")
    processes.print_usage(processes.spent(before, after), after, people)


async def _enrol(walk: Walk, packets: list[SealedPacket], in_flight: int) -> list[float]:
    gate = asyncio.Semaphore(in_flight)
    took: list[float] = []
    watch = _Watch(walk.client)

    async def one(packet: SealedPacket) -> None:
        async with gate:
            began = time.monotonic()
            await walk.client.send(packet)
            status = await watch.end_of(packet.registration_id)
            took.append(time.monotonic() - began)
            if status != "UIN_GENERATED":
                raise RuntimeError(f"a generated person ended {status}")

    watching = asyncio.create_task(watch.run())
    try:
        async with asyncio.TaskGroup() as group:
            for packet in packets:
                group.create_task(one(packet))
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    return took


class _Watch:
    """Asks where the registrations in flight stand, all in one call."""

    def __init__(self, client: StationClient) -> None:
        self._client = client
        self._awaited: dict[str, asyncio.Future[str]] = {}

    async def end_of(self, registration_id: str) -> str:
        """Return the final status of a registration."""
        ended = asyncio.get_running_loop().create_future()
        self._awaited[registration_id] = ended
        async with asyncio.timeout(WAIT_S):
            status: str = await ended
        return status

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            if self._awaited:
                for status in await self._client.statuses(list(self._awaited)[:MOST]):
                    if status.is_final:
                        self._awaited.pop(status.registration_id).set_result(status.status)
