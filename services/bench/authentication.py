"""Authentications per second over REST, with everything that a partner's request carries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from rich.console import Console

from services.bench import processes
from services.local.demo.command import Mesh
from services.local.demo.report import Report
from services.local.demo.walk import Walk, finger_sample, open_walk
from services.local.sandbox.partner import Claim, Prepared, Received, read_answer

# One in so many claims a wrong date of birth and must be refused.
WRONG_EVERY = 10
BATCH = 500
FINGER_BATCH = 250


async def run(mesh: Mesh, requests: int, people: int, in_flight: int) -> None:
    """Enrol people, then measure demographics and one finger."""
    async with open_walk(mesh, Report(Console(quiet=True)), int(time.time())) as walk:
        print(f"enrolling {people} people", flush=True)
        await walk.enrol_population(people)
        vids = [await walk.mailbox.find(person.email, "VID") for person in walk.people]
        for factor in ("demographics", "one finger"):
            claims = [
                _claim(walk, vids, n, finger=factor != "demographics") for n in range(requests)
            ]
            await _measure(walk, mesh, factor, claims, in_flight)


async def _measure(
    walk: Walk, mesh: Mesh, factor: str, claims: Sequence[Claim], in_flight: int
) -> None:
    took: list[float] = []
    received: list[Received] = []
    spent: dict[str, float] = {}
    elapsed = 0.0
    # Requests are sealed beforehand, in batches that stay inside the time window.
    size = FINGER_BATCH if claims[0].samples else BATCH
    for start in range(0, len(claims), size):
        prepared = [walk.bank.prepare(claim) for claim in claims[start : start + size]]
        before = processes.usage(mesh.folder.root)
        began = time.monotonic()
        received += await _send(walk, prepared, in_flight, took)
        elapsed += time.monotonic() - began
        for name, now in processes.usage(mesh.folder.root).items():
            spent[name] = spent.get(name, 0.0) + now.cpu_s - before[name].cpu_s
    yes = sum(read_answer(one).ok for one in received)
    expected = sum(not _is_wrong(number) for number in range(len(claims)))
    print(f"\nauthentication by {factor}: {len(claims)} in {elapsed:.1f} s", end="")
    print(f" = {len(claims) / elapsed:.0f}/s at {in_flight} in flight;", end="")
    print(f" {processes.percentiles(took)}; yes {yes}, expected {expected}")
    processes.print_usage(spent, processes.usage(mesh.folder.root), len(claims))


async def _send(
    walk: Walk, prepared: Sequence[Prepared], in_flight: int, took: list[float]
) -> list[Received]:
    waiting = iter(prepared)
    received: list[Received] = []

    async def one_after_another() -> None:
        for request in waiting:
            began = time.monotonic()
            received.append(await walk.bank.post(request))
            took.append(time.monotonic() - began)

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return received


def _is_wrong(number: int) -> bool:
    return number % WRONG_EVERY == WRONG_EVERY - 1


def _claim(walk: Walk, vids: Sequence[str], number: int, *, finger: bool) -> Claim:
    who = number % len(walk.people)
    person = walk.people[who]
    if finger:
        other = walk.people[(who + 1) % len(walk.people)]
        sample = finger_sample(other if _is_wrong(number) else person, seed=2 + number % 4)
        return Claim(vids[who], samples=[sample])
    dob = "1900/01/01" if _is_wrong(number) else person.date_of_birth.strftime("%Y/%m/%d")
    return Claim(vids[who], demographics={"dob": dob, "phoneNumber": person.phone})
