"""Enrolments per second, from the first upload to the last UIN."""

from __future__ import annotations

import asyncio
import time

from idmesh.processing.v1 import processing_pb2
from rich.console import Console

from services.bench import processes
from services.local.demo.command import Mesh
from services.local.demo.report import Report
from services.local.demo.walk import Walk, open_walk
from services.registration_client.builder import SealedPacket
from services.synthetic import make_person


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

    async def one(packet: SealedPacket) -> None:
        async with gate:
            began = time.monotonic()
            await walk.client.send(packet)
            ended = await walk.wait_for_end(packet.registration_id, pause_ends=True)
            took.append(time.monotonic() - began)
            state = processing_pb2.RegistrationState.Name(ended.state)
            if ended.state != processing_pb2.REGISTRATION_STATE_PROCESSED:
                raise RuntimeError(f"a generated person ended {state}: {ended.reason}")

    await asyncio.gather(*map(one, packets))
    return took
