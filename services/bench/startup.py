"""Start-up, cold and warm, and the process groups at rest."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click

from services.bench import processes
from services.local import commands, control
from services.local.folder import existing
from services.local.problems import Problem

STOP_WAIT_S = 60.0


def run(data_folder: Path) -> None:
    """Start with an empty folder, stop, start again; print times and memory."""
    folder = data_folder.with_name(data_folder.name + "-start")
    if folder.exists():
        raise Problem(f"{folder} exists.", "Remove it: it is for this measurement only.")
    times: dict[str, float] = {}
    try:
        for name in ("cold", "warm"):
            began = time.monotonic()
            commands.up(folder, None, "auto", (), no_services=False, detach=True)
            times[f"{name} start"] = time.monotonic() - began
            if name == "warm":
                _memory(folder)
            began = time.monotonic()
            commands.down(folder, STOP_WAIT_S)
            times[f"{name} stop"] = time.monotonic() - began
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, seconds in times.items():
        click.echo(f"{name:<12}{seconds:6.2f} s")


def _memory(folder: Path) -> None:
    services = {
        child["name"]: ", ".join(child["services"])
        for child in control.ask(existing(folder), "status")["processes"]
    }
    click.echo(f"\n{'process':<16}{'RSS MiB':>9}{'PSS MiB':>9}  services")
    for name, one in processes.usage(folder).items():
        if name in services:
            rss, pss = one.rss_bytes / processes.MIB, one.pss_bytes / processes.MIB
            click.echo(f"{name:<16}{rss:>9.0f}{pss:>9.0f}  {services[name]}")
