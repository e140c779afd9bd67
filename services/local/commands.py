"""What the verbs of `idmesh` do that concern this machine."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

import click

from services.local import bytecode, control, topology
from services.local.children import python_command, python_environment, tail
from services.local.folder import DataFolder, existing, open_folder
from services.local.problems import Problem
from services.local.status import as_lines

DETACHED_WAIT_S = 300.0


def up(
    data_folder: Path,
    port_base: int | None,
    ports: str | None,
    processes: Sequence[str],
    *,
    no_services: bool,
    detach: bool,
    otlp_endpoint: str = "",
) -> None:
    """Run the supervisor here, or start one and return when it is ready."""
    chosen = _processes(processes, no_services=no_services)
    if detach:
        arguments = [] if port_base is None else ["--port-base", str(port_base)]
        arguments += [] if ports is None else ["--ports", ports]
        arguments += [part for name in processes for part in ("--only", name)]
        arguments += ["--no-services"] if no_services else []
        arguments += ["--otlp-endpoint", otlp_endpoint] if otlp_endpoint else []
        _detached(open_folder(data_folder), arguments)
        return
    bytecode.use()
    from services.local.supervisor import Settings, up

    _log_warnings_only()
    settings = Settings(
        data_folder=data_folder,
        port_base=port_base,
        ports=cast(Literal["fixed", "auto"] | None, ports),
        processes=chosen,
        otlp_endpoint=otlp_endpoint,
        say=_say(time.monotonic()),
    )
    asyncio.run(up(settings))


def down(data_folder: Path, wait_s: float) -> None:
    """Stop the supervisor and wait."""
    folder = existing(data_folder)
    began = time.monotonic()
    control.ask(folder, "down")
    if not control.wait_until_down(folder, wait_s):
        raise Problem(f"It still stops after {wait_s:.0f} s.", "Look at: idmesh status")
    click.echo(f"stopped after {time.monotonic() - began:.1f} s")


def status(data_folder: Path, *, as_json: bool) -> None:
    """Show what the supervisor says."""
    report = control.ask(existing(data_folder), "status")
    if as_json:
        click.echo(json.dumps(report, indent=1))
        return
    click.echo(f"{report['state']}, up {_duration(report['uptime_s'])}, in {report['folder']}")
    row = "{:<10} {:<11} {:>8} {:>10} {:>9} {:>9}  {}".format
    click.echo(row("process", "state", "pid", "uptime", "restarts", "PSS", "services"))
    for child in report["processes"]:
        click.echo(
            row(
                child["name"],
                child["state"],
                child["pid"] or "-",
                _duration(child["uptime_s"]),
                child["restarts"],
                f"{child['pss_bytes'] / 2**20:.0f} MiB",
                child["last_exit"] if child["state"] == "restarting" else _names(child),
            ).rstrip()
        )
    for line in as_lines(report["urls"]):
        click.echo(line)


def migrate(
    data_folder: Path, dsn: str | None, phase: str, names: Sequence[str], *, dry_run: bool
) -> None:
    """Run migrations against a given server or the data folder's running one."""
    from services.local import migrations

    _log_warnings_only()
    ran = asyncio.run(
        migrations.migrate(
            dsn or _own_dsn(existing(data_folder)),
            names,
            phase=cast(Literal["pre", "post", "all"], phase),
            dry_run=dry_run,
        )
    )
    for line in ran:
        click.echo(f"would run {line}" if dry_run else f"ran {line}")
    if not ran:
        click.echo("nothing to do")


def _processes(names: Sequence[str], *, no_services: bool) -> tuple[str, ...]:
    if no_services:
        return ()
    if unknown := set(names) - set(topology.PROCESSES):
        known = ", ".join(topology.PROCESSES)
        raise Problem(f"No such process: {', '.join(sorted(unknown))}.", f"There are: {known}.")
    return tuple(names) or tuple(topology.PROCESSES)


def _detached(folder: DataFolder, arguments: Sequence[str]) -> None:
    log = folder.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            python_command("services.cli", "up", "--data-folder", str(folder.root), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **python_environment()},
            start_new_session=True,
        )
    shown = 0
    last = time.monotonic() + DETACHED_WAIT_S
    while time.monotonic() < last:
        lines = log.read_text(errors="replace").splitlines()
        for line in lines[shown:]:
            click.echo(line)
        shown = len(lines)
        if process.poll() is not None:
            raise SystemExit(process.returncode)
        if _state(folder) == "ready":
            return
        time.sleep(0.1)
    raise Problem(f"It is not ready after {DETACHED_WAIT_S:.0f} s.", f"See {log}: {tail(log, 1)}")


def _state(folder: DataFolder) -> str:
    try:
        return str(control.ask(folder, "state")["state"])
    except Problem:
        return ""


def _log_warnings_only() -> None:
    """A terminal is for people: they get a line of ours where a service would log many."""
    from services.common.telemetry.logs import configure_logs

    configure_logs("warning", "supervisor")


def _own_dsn(folder: DataFolder) -> str:
    from services.local import binaries, database, isolation, ports, postgres

    programs = binaries.find()
    cluster = postgres.Cluster(
        isolation.choose(folder, programs),
        programs.postgres_major,
        ports.remembered(folder)["postgres"],
    )
    return database.admin_dsn(database.administrator(folder, cluster))


def _say(began: float) -> Any:
    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.2f}] {line}", flush=True)

    return say


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


def _names(child: Mapping[str, Any]) -> str:
    return ", ".join(child["services"])
