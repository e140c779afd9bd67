"""The mesh under measurement: its processes, their CPU time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.local import commands, control
from services.local.demo.command import Mesh, connect
from services.local.folder import existing, open_folder
from services.local.problems import Problem

MIB = 2**20
GENERATOR = "load generator"


@dataclass(frozen=True)
class Usage:
    """What a process and its children have used so far."""

    cpu_s: float
    rss_bytes: int
    pss_bytes: int


@contextmanager
def mesh(data_folder: Path) -> Iterator[Mesh]:
    """Yield the mesh in a data folder, started for the time of the measurement if need be."""
    started = False
    try:
        control.ask(open_folder(data_folder), "status")
    except Problem:
        commands.up(data_folder, None, "auto", (), no_services=False, detach=True)
        started = True
    try:
        yield connect(data_folder)
    finally:
        if started:
            commands.down(data_folder, 60.0)


def usage(data_folder: Path) -> dict[str, Usage]:
    """Return what each process of the mesh has used, by name."""
    report = control.ask(existing(data_folder), "status")
    found = {child["name"]: _usage(child["pid"]) for child in report["processes"] if child["pid"]}
    found[GENERATOR] = _usage(psutil.Process().pid, children=False)
    return found


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """Return the CPU seconds that each process used in between."""
    return {
        name: now.cpu_s - (before[name].cpu_s if name in before else 0.0)
        for name, now in after.items()
    }


def print_usage(cpu_s: Mapping[str, float], now: Mapping[str, Usage], operations: int) -> None:
    """Print CPU per operation, and memory, of each process."""
    print(f"{'process':<16}{'CPU ms/op':>11}{'share':>8}{'RSS MiB':>10}{'PSS MiB':>10}")
    total = sum(cpu_s.values()) or 1.0
    for name, used_s in sorted(cpu_s.items(), key=lambda item: -item[1]):
        memory = now[name]
        print(
            f"{name:<16}{1000 * used_s / operations:>11.2f}{used_s / total:>8.0%}"
            f"{memory.rss_bytes / MIB:>10.0f}{memory.pss_bytes / MIB:>10.0f}"
        )
    held = sum(one.pss_bytes for name, one in now.items() if name != GENERATOR)
    print(f"{'all':<16}{1000 * total / operations:>11.2f}{'':>8}{'':>10}{held / MIB:>10.0f}")


def percentiles(seconds: Sequence[float]) -> str:
    """Return p50, p95 and p99 in ms."""
    ordered = sorted(seconds)
    marks = {name: ordered[min(int(len(ordered) * part), len(ordered) - 1)] for name, part in
             (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))}  # fmt: skip
    return ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in marks.items())


def _usage(pid: int, *, children: bool = True) -> Usage:
    process = psutil.Process(pid)
    family = [process, *(process.children(recursive=True) if children else [])]
    cpu_s, rss, pss = 0.0, 0, 0
    for one in family:
        try:
            times, memory = one.cpu_times(), one.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        # A child that has ended and was waited for counts in its parent's children_*.
        cpu_s += times.user + times.system + times.children_user + times.children_system
        rss += memory.rss
        pss += memory.pss
    return Usage(cpu_s, rss, pss)
